//! What is known of the operands of a function, on the way through its operators: which of them differ by a constant.
//!
//! A value is a *base*, about which nothing is known, and a constant on top of it. Two values of one base differ by the
//! difference of their constants, modulo 2³². That is all the dirty map needs, as a compiler addresses fields of one
//! object, or slots of one frame, by a local and constant offsets.

use wasmparser::Operator;

/// An i32 operand or local: the value of `base` plus `constant`, modulo 2³². Operands of other types have a base too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) base: Base,
    pub(super) constant: u32,
}

/// A number that one execution of the code since the last join gives one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base(u32);

impl Base {
    /// The base of constants: zero.
    const ZERO: Self = Self(0);
}

/// The operands and locals at one operator.
pub(super) struct Values {
    /// The operands known, the deepest ones left out: below them are operands about which nothing is known.
    stack: Vec<Value>,
    /// A local's value, and the join since which it holds.
    locals: Vec<Option<(u32, Value)>>,
    joins: u32,
    bases: u32,
}

impl Values {
    /// At the beginning of a function with so many locals.
    pub(super) fn new(locals: usize) -> Self {
        Self { stack: Vec::new(), locals: vec![None; locals], joins: 0, bases: Base::ZERO.0 }
    }

    /// Forgets the operands: those below a block are not followed.
    pub(super) fn forget_stack(&mut self) {
        self.stack.clear();
    }

    /// Forgets everything: where control flow joins, a value may come from either side.
    pub(super) fn join(&mut self) {
        self.stack.clear();
        self.joins += 1;
    }

    /// The operand `depth` below the top.
    pub(super) fn operand(&mut self, depth: usize) -> Value {
        match self.stack.len().checked_sub(depth + 1) {
            Some(index) => self.stack[index],
            None => self.unknown(),
        }
    }

    /// Follows one operator that takes and leaves so many operands.
    pub(super) fn step(&mut self, operator: &Operator<'_>, takes: u32, leaves: u32) {
        match *operator {
            Operator::I32Const { value } => {
                self.stack.push(Value { base: Base::ZERO, constant: value.cast_unsigned() });
            }
            Operator::LocalGet { local_index } => {
                let value = self.local(local_index);
                self.stack.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.set_local(local_index, value);
            }
            Operator::LocalTee { local_index } => {
                let value = self.operand(0);
                self.pop();
                self.stack.push(value);
                self.set_local(local_index, value);
            }
            Operator::I32Add => {
                let (right, left) = (self.pop(), self.pop());
                let sum = match (left.base, right.base) {
                    (base, Base::ZERO) | (Base::ZERO, base) => {
                        Value { base, constant: left.constant.wrapping_add(right.constant) }
                    }
                    _ => self.unknown(),
                };
                self.stack.push(sum);
            }
            Operator::I32Sub => {
                let (right, left) = (self.pop(), self.pop());
                let difference = if right.base == Base::ZERO {
                    Value { base: left.base, constant: left.constant.wrapping_sub(right.constant) }
                } else {
                    self.unknown()
                };
                self.stack.push(difference);
            }
            _ => {
                let kept = self.stack.len().saturating_sub(takes as usize);
                self.stack.truncate(kept);
                for _ in 0..leaves {
                    let value = self.unknown();
                    self.stack.push(value);
                }
            }
        }
    }

    fn pop(&mut self) -> Value {
        match self.stack.pop() {
            Some(value) => value,
            None => self.unknown(),
        }
    }

    fn local(&mut self, index: u32) -> Value {
        if let Some(Some((join, value))) = self.locals.get(index as usize)
            && *join == self.joins
        {
            return *value;
        }
        let value = self.unknown();
        self.set_local(index, value);
        value
    }

    fn set_local(&mut self, index: u32, value: Value) {
        if let Some(local) = self.locals.get_mut(index as usize) {
            *local = Some((self.joins, value));
        }
    }

    fn unknown(&mut self) -> Value {
        self.bases += 1;
        Value { base: Base(self.bases), constant: 0 }
    }
}
