//! How numbers are written for people.

/// 1234567 as "1,234,567".
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate, rounded to whole calls a second.
pub fn rate(per_second: f64) -> String {
    count(per_second.round() as u64)
}

/// Bytes in the unit in which they are read best: "312.4 MB".
pub fn bytes(number: u64) -> String {
    let number = number as f64;
    match number {
        1e9.. => format!("{:.2} GB", number / 1e9),
        1e6.. => format!("{:.1} MB", number / 1e6),
        1e3.. => format!("{:.1} kB", number / 1e3),
        _ => format!("{number} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, count, rate};

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(rate(2_499_999.6), "2,500,000");
    }

    #[test]
    fn bytes_have_a_unit() {
        assert_eq!(bytes(12), "12 B");
        assert_eq!(bytes(1_234), "1.2 kB");
        assert_eq!(bytes(312_400_000), "312.4 MB");
        assert_eq!(bytes(1_500_000_000), "1.50 GB");
    }
}
