//! Settings in a configuration file, TOML.

use serde::Deserialize;
use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::Spanned;

use super::environment::choice;
use super::origin::{Origin, Sourced};
use super::text::{chain_id, connection_threads, otlp_endpoint};
use super::{Layer, suggestion};
use crate::execution::Workers;
use crate::exit::Failure;
use crate::serve::access::Role;
use crate::serve::config::PrincipalEntry;

/// What a file may hold. Paths in it are relative to it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    data_dir: Option<Spanned<PathBuf>>,
    listen: Option<Spanned<SocketAddr>>,
    admin: Option<Spanned<SocketAddr>>,
    allow_public_without_authentication: Option<Spanned<bool>>,
    chain_id: Option<Spanned<String>>,
    require_signatures: Option<Spanned<bool>>,
    public: Option<Spanned<HashSet<Role>>>,
    batch_size: Option<Spanned<u64>>,
    workers: Option<Spanned<u64>>,
    connection_threads: Option<Spanned<u64>>,
    mode: Option<Spanned<String>>,
    log: Option<Spanned<String>>,
    log_format: Option<Spanned<String>>,
    otlp_endpoint: Option<Spanned<String>>,
    tls: TlsTable,
    principal: Vec<Spanned<PrincipalEntry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsTable {
    certificate: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
    client_authorities: Option<Spanned<PathBuf>>,
}

/// Reads a file.
///
/// # Errors
/// Exit code 2, with the place of what is wrong.
pub(super) fn read(path: &Path) -> Result<Layer, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::usage(format_args!("{}: {error}", path.display()), "name a TOML file that can be read")
    })?;
    parse(path, &text)
}

/// What the text of a file sets.
pub(super) fn parse(path: &Path, text: &str) -> Result<Layer, Failure> {
    let file: File = toml::from_str(text).map_err(|error| {
        // Not the line itself, as the parser would quote it: a token may stand there where its hash should, and this is logged.
        let (message, place) = (error.message(), error.span().map_or(0, |span| span.start));
        let line = line_of(text, place);
        let fix = suggestion::of_unknown_key(message);
        let fix = fix.unwrap_or_else(|| "`phalanx serve --help` lists the settings, README.md shows a file".to_owned());
        Failure::usage(format_args!("{}:{line}: {message}", path.display()), fix)
    })?;
    let place = Place { path, text };
    Ok(Layer {
        data_directory: place.beside(file.data_dir),
        listen: place.of(file.listen),
        admin: place.of(file.admin),
        allow_public: place.of(file.allow_public_without_authentication),
        chain_id: place.parsed(file.chain_id, |id| chain_id(&id))?,
        require_signatures: place.of(file.require_signatures),
        public: place.of(file.public),
        batch_size: place.parsed(file.batch_size, |size| crate::verbs::run::batch_size(&size.to_string()))?,
        workers: place.parsed(file.workers, |count| Workers::parse(&count.to_string()))?,
        connection_threads: place.parsed(file.connection_threads, |count| connection_threads(&count.to_string()))?,
        mode: place.parsed(file.mode, |text| choice(&text))?,
        log: place.parsed(file.log, |text| choice(&text))?,
        log_format: place.parsed(file.log_format, |text| choice(&text))?,
        otlp_endpoint: place.parsed(file.otlp_endpoint, |text| otlp_endpoint(&text))?,
        tls_certificate: place.beside(file.tls.certificate),
        tls_key: place.beside(file.tls.key),
        tls_client_authorities: place.beside(file.tls.client_authorities),
        principals: file.principal.into_iter().map(|entry| place.sourced(entry)).collect(),
    })
}

/// The line that an offset lies in, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Where values stand.
struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    fn sourced<T>(&self, value: Spanned<T>) -> Sourced<T> {
        let line = line_of(self.text, value.span().start);
        Sourced { value: value.into_inner(), origin: Origin::File { path: self.path.to_owned(), line } }
    }

    fn of<T>(&self, value: Option<Spanned<T>>) -> Option<Sourced<T>> {
        value.map(|value| self.sourced(value))
    }

    /// A path, which is relative to the file.
    fn beside(&self, value: Option<Spanned<PathBuf>>) -> Option<Sourced<PathBuf>> {
        let set = self.of(value)?;
        let directory = self.path.parent().unwrap_or(Path::new(""));
        Some(Sourced { value: directory.join(set.value), origin: set.origin })
    }

    fn parsed<T, U>(
        &self,
        value: Option<Spanned<T>>,
        parse: impl FnOnce(T) -> Result<U, String>,
    ) -> Result<Option<Sourced<U>>, Failure> {
        let Some(Sourced { value, origin }) = self.of(value) else { return Ok(None) };
        match parse(value) {
            Ok(value) => Ok(Some(Sourced { value, origin })),
            Err(error) => Err(Failure::usage(format_args!("{origin}: {error}"), "correct the configuration file")),
        }
    }
}
