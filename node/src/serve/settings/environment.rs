//! Settings in environment variables, and where configuration files lie.

use clap::ValueEnum;
use std::env;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::origin::{Origin, Sourced};
use super::{Layer, key, text};
use crate::execution::Workers;
use crate::exit::Failure;

/// The variable that names a configuration file.
const CONFIG: &str = "PHALANX_CONFIG";
/// The name of configuration files that nobody named.
const FILE: &str = "phalanx.toml";

/// What the environment sets.
pub(super) fn layer() -> Result<Layer, Failure> {
    Ok(Layer {
        data_directory: parsed(key::data_directory, path)?,
        listen: parsed(key::listen, from_text)?,
        admin: parsed(key::admin, from_text)?,
        allow_public: parsed(key::allow_public, from_text)?,
        chain_id: parsed(key::chain_id, text::chain_id)?,
        require_signatures: parsed(key::require_signatures, from_text)?,
        public: parsed(key::public, text::roles)?,
        batch_size: parsed(key::batch_size, crate::verbs::run::batch_size)?,
        workers: parsed(key::workers, Workers::parse)?,
        connection_threads: parsed(key::connection_threads, text::connection_threads)?,
        mode: parsed(key::mode, choice)?,
        log: parsed(key::log, choice)?,
        log_format: parsed(key::log_format, choice)?,
        otlp_endpoint: parsed(key::otlp_endpoint, text::otlp_endpoint)?,
        tls_certificate: parsed(key::tls_certificate, path)?,
        tls_key: parsed(key::tls_key, path)?,
        tls_client_authorities: parsed(key::tls_client_authorities, path)?,
        principals: Vec::new(),
    })
}

/// Configuration files, the one that wins first: the named one, and of the others those that are there.
pub(super) fn files(named: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
    let in_environment = || variable(CONFIG).map(PathBuf::from);
    let named = named.map(Path::to_owned).or_else(in_environment);
    let home = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = home.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".config")));
    let users = home.map(|home| home.join("phalanx").join("config.toml"));
    let mut files: Vec<PathBuf> = named.into_iter().collect();
    for path in [Some(PathBuf::from(FILE)), users].into_iter().flatten() {
        let is_there = path.try_exists().map_err(|error| {
            Failure::usage(format_args!("{}: {error}", path.display()), "make it readable, or take it away")
        })?;
        if is_there && !files.contains(&path) {
            files.push(path);
        }
    }
    Ok(files)
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn parsed<T>(key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<Sourced<T>>, Failure> {
    let origin = Origin::environment(key);
    let Some(value) = variable(&origin.to_string()) else { return Ok(None) };
    let text = value.to_str().ok_or_else(|| "not UTF-8".to_owned());
    match text.and_then(parse) {
        Ok(value) => Ok(Some(Sourced { value, origin })),
        Err(error) => {
            Err(Failure::usage(format_args!("{origin}: {error}"), "correct the environment variable, or unset it"))
        }
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

fn from_text<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| format!("{text}: {error}"))
}

/// One of some words.
pub(super) fn choice<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let names = T::value_variants().iter().filter_map(T::to_possible_value);
        let names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
        format!("{text} is none of {}", names.join(", "))
    })
}
