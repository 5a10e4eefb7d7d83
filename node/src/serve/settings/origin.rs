//! Where a value came from.

use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// A source of values.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// A line of a configuration file, counted from 1.
    File { path: PathBuf, line: usize },
    /// An environment variable.
    Environment { name: String },
    /// A flag.
    Flag { name: String },
}

impl Origin {
    /// The flag of a setting.
    pub(crate) fn flag(key: &str) -> Origin {
        Origin::Flag { name: format!("--{}", key.replace(['.', '_'], "-")) }
    }

    /// The environment variable of a setting.
    pub(crate) fn environment(key: &str) -> Origin {
        Origin::Environment { name: format!("PHALANX_{}", key.replace('.', "_").to_uppercase()) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment { name } | Origin::Flag { name } => f.write_str(name),
        }
    }
}

/// A value, and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Sourced<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

impl<T> Sourced<T> {
    /// A default.
    pub(super) fn default_of(value: T) -> Option<Sourced<T>> {
        Some(Sourced { value, origin: Origin::Default })
    }

    /// A flag's value, if it was given.
    pub(crate) fn of_flag(value: Option<T>, key: &str) -> Option<Sourced<T>> {
        value.map(|value| Sourced { value, origin: Origin::flag(key) })
    }
}
