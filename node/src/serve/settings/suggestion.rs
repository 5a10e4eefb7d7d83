//! "Did you mean": the known key that is nearest to one that nobody knows.

/// What to say to a message of the TOML reader about an unknown key; it names that key and then all that there are, each
/// in backticks.
pub(super) fn of_unknown_key(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2);
    let (distance, nearest) = known.map(|key| (distance(unknown, key), key)).min()?;
    // A third of its letters may be wrong; beyond that it is a guess.
    (distance <= unknown.len().div_ceil(3)).then(|| format!("did you mean `{nearest}`?"))
}

/// Letters to insert, remove or replace (Levenshtein's distance).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (removed, left) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], removed + 1);
        for (index, right) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(row[index] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        let cases = [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("lisen", "listen", 1), ("kitten", "sitting", 3)];
        for (from, to, expected) in cases {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn near_keys_are_suggested_and_far_ones_are_not() {
        let message = |key: &str| format!("unknown field `{key}`, expected one of `listen`, `admin`, `tls`");
        assert_eq!(of_unknown_key(&message("lisen")).as_deref(), Some("did you mean `listen`?"));
        assert_eq!(of_unknown_key(&message("colour")), None);
        assert_eq!(of_unknown_key("expected `=`"), None);
    }
}
