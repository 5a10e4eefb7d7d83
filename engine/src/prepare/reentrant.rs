//! Which methods may be entered while the contract is being called already: custom section `phalanx.reentrant`.

use super::reason::{Reason, quoted};
use std::collections::BTreeSet;

/// Names that custom sections list, each after its length as one byte. Whether they are methods shows when all exports are known.
///
/// Sets, since a section may list a name as often as there is room.
#[derive(Default)]
pub(super) struct ReentrantNames<'a>(BTreeSet<&'a [u8]>);

impl<'a> ReentrantNames<'a> {
    /// Adds what one custom section lists.
    pub(super) fn read(&mut self, section: &'a [u8]) -> Result<(), Reason> {
        let (mut rest, mut entry) = (section, 0);
        while let Some((&length, behind)) = rest.split_first() {
            let (name, behind) =
                behind.split_at_checked(usize::from(length)).ok_or(Reason::ReentrantSection { entry })?;
            self.0.insert(name);
            (rest, entry) = (behind, entry + 1);
        }
        Ok(())
    }

    /// The first name that is no method.
    pub(super) fn unknown(&self, methods: &[(&str, u32)]) -> Option<Reason> {
        let methods: BTreeSet<&[u8]> = methods.iter().map(|(method, _)| method.as_bytes()).collect();
        let name = self.0.difference(&methods).next()?;
        Some(Reason::ReentrantMethod { name: quoted(&String::from_utf8_lossy(name)) })
    }

    /// Whether a method is listed.
    pub(super) fn contains(&self, method: &str) -> bool {
        self.0.contains(method.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_lengths_and_are_methods() {
        let mut names = ReentrantNames::default();
        assert_eq!(names.read(b"\x03run\x05again"), Ok(()));
        assert_eq!(names.read(b"\x01x"), Ok(()));
        assert!(names.contains("run") && names.contains("again") && !names.contains("ru"));
        let methods = [("run", 0), ("again", 1)];
        assert_eq!(names.unknown(&methods), Some(Reason::ReentrantMethod { name: quoted("x") }));
        assert_eq!(names.unknown(&[methods[0], methods[1], ("x", 2)]), None);
        assert_eq!(names.read(b"\x03ru"), Err(Reason::ReentrantSection { entry: 0 }));
    }
}
