//! Columns, whose targets are bounded as they are decoded. An empty target takes two bytes on the wire and a hundred
//! times as much in memory, so a limit that is checked behind the decoder would be checked too late.
//!
//! Elements above a limit are not kept, but for one: by that whoever checks the limit sees that it was passed. The fields
//! are those of `execution.proto`; what is called here is what generated code calls.

use prost::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, bytes, message, skip_field, uint32};
use prost::{DecodeError, Message};

use crate::v1::Target;

/// Elements that are kept: one above the limits of calls and of targets a batch, which are the same. `call_list.rs` has the calls.
pub(crate) const ELEMENTS_KEPT: usize = 65_537;

/// Many calls in columns, as `execution.proto` pictures them. Decoding keeps at most 65,537 targets, one above the limit.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CallColumns {
    /// The (contract, method) pairs that the calls go to, at most 65,536.
    pub targets: Vec<Target>,
    /// Number of calls.
    pub calls: u32,
    /// For each call the place of its target in `targets`: 2 bytes each.
    pub target_numbers: Bytes,
    /// For each call who calls: 32 bytes each.
    pub senders: Bytes,
    /// For each call the most gas that it may use: 4 bytes each.
    pub gas_limits: Bytes,
    /// For each call where its arguments end in `arguments`, and the next one's begin: 4 bytes each, never falling.
    pub argument_ends: Bytes,
    /// The arguments of all calls.
    pub arguments: Bytes,
}

impl CallColumns {
    /// The columns with their field numbers.
    fn columns(&self) -> [(u32, &Bytes); 5] {
        let Self { target_numbers, senders, gas_limits, argument_ends, arguments, .. } = self;
        [(3, target_numbers), (4, senders), (5, gas_limits), (6, argument_ends), (7, arguments)]
    }
}

impl Message for CallColumns {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        message::encode_repeated(1, &self.targets, buf);
        if self.calls != 0 {
            uint32::encode(2, &self.calls, buf);
        }
        for (tag, column) in self.columns() {
            if !column.is_empty() {
                bytes::encode(tag, column, buf);
            }
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match tag {
            1 if self.targets.len() < ELEMENTS_KEPT => message::merge_repeated(wire_type, &mut self.targets, buf, ctx),
            2 => uint32::merge(wire_type, &mut self.calls, buf, ctx),
            3 => bytes::merge(wire_type, &mut self.target_numbers, buf, ctx),
            4 => bytes::merge(wire_type, &mut self.senders, buf, ctx),
            5 => bytes::merge(wire_type, &mut self.gas_limits, buf, ctx),
            6 => bytes::merge(wire_type, &mut self.argument_ends, buf, ctx),
            7 => bytes::merge(wire_type, &mut self.arguments, buf, ctx),
            _ => skip_field(wire_type, tag, buf, ctx),
        }
    }

    fn encoded_len(&self) -> usize {
        let calls = if self.calls == 0 { 0 } else { uint32::encoded_len(2, &self.calls) };
        let column = |(tag, column): (u32, &Bytes)| if column.is_empty() { 0 } else { bytes::encoded_len(tag, column) };
        message::encoded_len_repeated(1, &self.targets) + calls + self.columns().into_iter().map(column).sum::<usize>()
    }

    fn clear(&mut self) {
        *self = CallColumns::default();
    }
}
