//! Bytes as people and JSON see them: `0x` and two lower-case digits a byte.

use phalanx_engine::Address;

/// Bytes as hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Bytes from hex; the error says what is wrong.
pub(crate) fn parse_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").ok_or("bytes are written as 0x and hex digits")?;
    if !digits.len().is_multiple_of(2) {
        return Err(format!("{} hex digits, bytes need an even number", digits.len()));
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = digits.as_bytes().as_chunks::<2>().0;
    let bytes: Option<Vec<u8>> = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    bytes.ok_or_else(|| "there is something other than hex digits behind 0x".to_owned())
}

/// An address from hex: 32 bytes.
pub(crate) fn parse_address(text: &str) -> Result<Address, String> {
    let bytes = parse_hex(text)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| format!("{length} bytes, an address has 32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_it_is_written() {
        for bytes in [&[][..], &[0], &[0xff, 0x0a, 0x10]] {
            assert_eq!(parse_hex(&hex(bytes)).as_deref(), Ok(bytes));
        }
        assert_eq!(hex(&[0xff, 0x0a]), "0xff0a");
        assert_eq!(parse_hex("0xFf0A"), Ok(vec![0xff, 0x0a]));
    }

    #[test]
    fn what_is_not_hex_is_refused() {
        for text in ["", "00", "0x0", "0x0g", "0x+1", "0xää", "0X00"] {
            assert!(parse_hex(text).is_err(), "{text}");
        }
        assert!(parse_address("0x00").is_err_and(|error| error.contains("1 bytes")));
    }
}
