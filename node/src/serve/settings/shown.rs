//! Settings as `phalanx config show` prints them: for people as a configuration file that says the same.

use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};
use std::path::PathBuf;

use super::origin::{Origin, Sourced};
use super::{Settings, key};
use crate::hex::hex;
use crate::output::Report;
use crate::serve::config::{ShownPrincipal, role_names};

/// All settings.
#[derive(Serialize)]
pub(crate) struct ShownSettings<'a> {
    /// Configuration files that were read, the one that wins first.
    files: &'a [PathBuf],
    settings: Vec<Setting>,
    principals: Vec<Principal<'a>>,
}

#[derive(Serialize)]
struct Setting {
    key: &'static str,
    /// `null` if it is not set and has no default.
    value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

#[derive(Serialize)]
struct Principal<'a> {
    #[serde(flatten)]
    shown: ShownPrincipal<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

impl Settings {
    /// The settings for printing, with or without where each came from.
    pub(crate) fn shown(&self, with_origins: bool) -> ShownSettings<'_> {
        let layer = &self.layer;
        let origin = |origin: &Origin| with_origins.then(|| origin.clone());
        let settings = vec![
            shown(key::data_directory, &layer.data_directory, |path| path.to_string_lossy().into()),
            shown(key::listen, &layer.listen, text),
            shown(key::admin, &layer.admin, text),
            shown(key::allow_public, &layer.allow_public, |allowed| (*allowed).into()),
            shown(key::chain_id, &layer.chain_id, |id| hex(id).into()),
            shown(key::require_signatures, &layer.require_signatures, |required| (*required).into()),
            shown(key::public, &layer.public, |roles| role_names(roles).into()),
            shown(key::batch_size, &layer.batch_size, |size| (*size).into()),
            shown(key::workers, &layer.workers, |workers| workers.count().into()),
            shown(key::connection_threads, &layer.connection_threads, |count| (*count).into()),
            shown(key::mode, &layer.mode, |mode| mode.name().into()),
            shown(key::log, &layer.log, |level| level.name().into()),
            shown(key::log_format, &layer.log_format, |format| format.name().into()),
            shown(key::otlp_endpoint, &layer.otlp_endpoint, text),
            shown(key::tls_certificate, &layer.tls_certificate, |path| path.to_string_lossy().into()),
            shown(key::tls_key, &layer.tls_key, |path| path.to_string_lossy().into()),
            shown(key::tls_client_authorities, &layer.tls_client_authorities, |path| path.to_string_lossy().into()),
        ];
        let settings = settings.into_iter();
        let settings = settings.map(|(key, value, from)| Setting { key, value, origin: origin(&from) }).collect();
        let principals = layer.principals.iter();
        let principals =
            principals.map(|entry| Principal { shown: entry.value.shown(), origin: origin(&entry.origin) });
        ShownSettings { files: &self.files, settings, principals: principals.collect() }
    }
}

fn text(value: &impl ToString) -> Value {
    value.to_string().into()
}

fn shown<T>(
    key: &'static str,
    set: &Option<Sourced<T>>,
    value: impl FnOnce(&T) -> Value,
) -> (&'static str, Value, Origin) {
    match set {
        Some(set) => (key, value(&set.value), set.origin.clone()),
        None => (key, Value::Null, Origin::Default),
    }
}

impl Report for ShownSettings<'_> {
    const SCHEMA: &'static str = "phalanx.config/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let comment = |origin: &Option<Origin>| origin.as_ref().map(|origin| format!("  # {origin}"));
        for Setting { key, value, origin } in &self.settings {
            match value {
                Value::Null => writeln!(out, "# {key} is not set")?,
                // JSON's numbers, words, strings and lists of them are TOML's too.
                value => writeln!(out, "{key} = {value}{}", comment(origin).unwrap_or_default())?,
            }
        }
        for Principal { shown, origin } in &self.principals {
            writeln!(out, "\n[[principal]]{}", comment(origin).unwrap_or_default())?;
            writeln!(out, "name = {}\nroles = {}", Value::from(shown.name), Value::from(shown.roles.clone()))?;
            writeln!(out, "senders = {}", shown.senders)?;
            shown.token_sha256.iter().try_for_each(|redacted| writeln!(out, "# token_sha256 is {redacted}"))?;
            shown.certificate.iter().try_for_each(|name| writeln!(out, "certificate = {}", Value::from(*name)))?;
        }
        Ok(())
    }
}
