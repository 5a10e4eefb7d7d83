//! How many values a compiler may have to make where control flow joins, as locals differ by the way they came.
//!
//! A local that is set within a block may have one value at its end or another: the compiler gives the join a value of
//! its own for it. So does a loop's head, for each local that is set within the loop. No operator of the function shows them, and a
//! local that is set once, many blocks deep, has one at each of their ends.

use wasmparser::Operator;

/// Counts the values of joins on the way through a function's operators.
pub(super) struct Joins {
    /// The locals set within each open block, a bit each; the function's own body first.
    open: Vec<Vec<u64>>,
    words: usize,
    values: u32,
}

impl Joins {
    /// At the beginning of a function with so many locals.
    pub(super) fn new(locals: u32) -> Self {
        let words = (locals as usize).div_ceil(64);
        Self { open: vec![vec![0; words]], words, values: 0 }
    }

    /// Follows one operator.
    pub(super) fn step(&mut self, operator: &Operator<'_>) {
        match *operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => self.open.push(vec![0; self.words]),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                let word = self.open.last_mut().and_then(|open| open.get_mut(local_index as usize / 64));
                if let Some(word) = word {
                    *word |= 1 << (local_index % 64);
                }
            }
            Operator::End => self.end(),
            _ => {}
        }
    }

    fn end(&mut self) {
        let Some(ended) = self.open.pop() else { return };
        // At the function's own end no local is of use.
        let Some(around) = self.open.last_mut() else { return };
        for (around, ended) in around.iter_mut().zip(&ended) {
            *around |= ended;
            self.values = self.values.saturating_add(ended.count_ones());
        }
    }

    /// How many values the joins so far make at most.
    pub(super) fn values(&self) -> u32 {
        self.values
    }
}
