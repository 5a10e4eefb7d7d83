//! The header `traceparent` of the W3C's Trace Context: the span that a request belongs to.
//!
//! ```text
//! 00 - 0af7651916cd43dd8448eb211c80319c - b7ad6b7169203331 - 01
//! version       trace                         span          flags: 1 is sampled
//! ```

use axum::http::HeaderMap;

/// The span of whoever asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parent {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    /// Whether it is recorded where it began.
    pub(super) sampled: bool,
}

impl Parent {
    /// That of a request. What cannot be understood counts as missing, as the specification has it.
    pub(super) fn of(headers: &HeaderMap) -> Option<Parent> {
        parse(headers.get("traceparent")?.as_bytes())
    }
}

fn parse(text: &[u8]) -> Option<Parent> {
    let mut fields = text.split(|byte| *byte == b'-');
    let [version] = hex(fields.next()?)?;
    let (trace_id, span_id) = (hex(fields.next()?)?, hex(fields.next()?)?);
    let [flags] = hex(fields.next()?)?;
    // Later versions may add fields; this one has none.
    let has_end = version != 0 || fields.next().is_none();
    let is_valid = has_end && version != 0xff && trace_id != [0; 16] && span_id != [0; 8];
    is_valid.then_some(Parent { trace_id, span_id, sampled: flags & 1 == 1 })
}

/// Bytes as two lower-case digits each.
fn hex<const BYTES: usize>(text: &[u8]) -> Option<[u8; BYTES]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; BYTES];
    if text.len() != 2 * BYTES {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn parents_are_read() {
        let parent = |version: &str, rest: &str| parse(format!("{version}-{TRACE}-{SPAN}-{rest}").as_bytes());
        let found = parent("00", "01").expect("it is valid");
        assert_eq!((found.trace_id[0], found.span_id[7], found.sampled), (0x0a, 0x31, true));
        assert_eq!(parent("00", "00").map(|parent| parent.sampled), Some(false));
        assert_eq!(parent("00", "03"), Some(found));
        assert_eq!(parent("cc", "01-what-comes"), Some(found));
        assert_eq!(parent("cc", "01"), Some(found));
    }

    #[test]
    fn what_is_no_parent_is_none() {
        let zeros = |count: usize| "0".repeat(count);
        for wrong in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", zeros(32)),
            format!("00-{TRACE}-{}-01", zeros(16)),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-0é"),
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
