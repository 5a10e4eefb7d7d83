//! When a certificate expires. The handshake's library checks it and does not tell, so it is read here: X.509's validity,
//! two elements into the certificate (RFC 5280, section 4.1).

/// Seconds from 1970 to the end of a certificate's validity; `None` for bytes that are no certificate.
pub(super) fn not_after_seconds(certificate: &[u8]) -> Option<u64> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if let Some((_, rest)) = element(fields, VERSION) {
        fields = rest;
    }
    // Serial number, algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        fields = element(fields, tag)?.1;
    }
    let (validity, _) = element(fields, SEQUENCE)?;
    let (_, not_after) = element(validity, UTC_TIME).or_else(|| element(validity, GENERALIZED_TIME))?;
    match (element(not_after, UTC_TIME), element(not_after, GENERALIZED_TIME)) {
        (Some((text, _)), _) => {
            let (year, rest) = digits(text, 2)?;
            seconds(if year < 50 { 2_000 + year } else { 1_900 + year }, rest)
        }
        (None, Some((text, _))) => {
            let (year, rest) = digits(text, 4)?;
            seconds(year, rest)
        }
        (None, None) => None,
    }
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Contents of the first element, if it has this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // The length in one to four bytes.
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

/// The number that the first digits are, and what follows them.
fn digits(text: &[u8], count: usize) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    Some((str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// Seconds from 1970 to a time that is `MMDDHHMMSSZ` in a year.
fn seconds(year: u64, text: &[u8]) -> Option<u64> {
    let (month, text) = digits(text, 2)?;
    let (day, text) = digits(text, 2)?;
    let (hour, text) = digits(text, 2)?;
    let (minute, text) = digits(text, 2)?;
    let (second, text) = digits(text, 2)?;
    if text != b"Z" || !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1_970 {
        return None;
    }
    // The year begins in March, so that a leap day is its last: days of months then follow a rule.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    // Days from the first of March of year 0 to 1970.
    Some(((days.checked_sub(719_468)?) * 24 + hour) * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn certificates_say_when_they_expire() {
        let key = KeyPair::generate().expect("there is randomness");
        for (year, month, day, expected) in [
            (2026, 11, 26, 1_795_651_200),
            (2028, 2, 29, 1_835_395_200),
            (2049, 12, 31, 2_524_521_600),
            // Beyond 2049 years have four digits.
            (2050, 1, 1, 2_524_608_000),
            (4096, 1, 1, 67_090_118_400),
        ] {
            let mut params = CertificateParams::new(["localhost".to_owned()]).expect("it is valid");
            params.not_after = date_time_ymd(year, month, day);
            let certificate = params.self_signed(&key).expect("it is valid");
            assert_eq!(not_after_seconds(certificate.der()), Some(expected), "{year}-{month}-{day}");
        }
    }

    #[test]
    fn other_bytes_are_no_certificate() {
        let key = KeyPair::generate().expect("there is randomness");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("it is valid");
        let der = params.self_signed(&key).expect("it is valid").der().to_vec();
        for length in 0..der.len() {
            assert_eq!(not_after_seconds(&der[..length]), None);
        }
        for index in 0..der.len() {
            let mut changed = der.clone();
            changed[index] ^= 0xff;
            // Whatever it answers, it does not panic.
            _ = not_after_seconds(&changed);
        }
    }
}
