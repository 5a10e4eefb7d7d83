//! The settings of `phalanx serve`: what they are called, which of several values wins, and where it came from.
//!
//! A setting has one name, its key in a configuration file. The flag and the environment variable are made of it:
//! `tls.client_authorities` is `--tls-client-authorities` and `PHALANX_TLS_CLIENT_AUTHORITIES`. Principals are set in files alone.

mod environment;
mod file;
mod origin;
mod shown;
mod suggestion;
pub(crate) mod text;

use axum::http::Uri;
use phalanx_engine::Address;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

pub(crate) use self::origin::Sourced;
use crate::execution::{ModeAsked, Workers};
use crate::exit::Failure;
use crate::serve::access::Role;
use crate::serve::config::PrincipalEntry;
use crate::serve::logging::{LogFormat, LogLevel};

/// Where gRPC is served if nothing else is said.
const LISTEN_DEFAULT: &str = "127.0.0.1:7400";
/// Calls after which a batch is cut if nothing else is said.
const BATCH_SIZE_DEFAULT: usize = 16_384;

/// Declares what a layer may set, and how layers lie upon each other.
macro_rules! layer {
    ($($(#[$document:meta])* $field:ident: $value:ty = $key:literal,)*) => {
        /// What one source sets.
        #[derive(Debug, Default)]
        pub(crate) struct Layer {
            $($(#[$document])* pub(crate) $field: Option<Sourced<$value>>,)*
            /// Who may do what; the topmost layer that names anybody names all.
            pub(crate) principals: Vec<Sourced<PrincipalEntry>>,
        }

        impl Layer {
            /// This layer upon another one: its values win.
            fn upon(self, below: Layer) -> Layer {
                Layer {
                    $($field: self.$field.or(below.$field),)*
                    principals: if self.principals.is_empty() { below.principals } else { self.principals },
                }
            }
        }

        /// The keys of settings.
        pub(crate) mod key {
            $($(#[$document])* #[expect(non_upper_case_globals, reason = "a key has the name of its field")]
            pub(crate) const $field: &str = $key;)*
        }
    };
}

layer! {
    /// Data directory.
    data_directory: PathBuf = "data_dir",
    /// Where gRPC is served.
    listen: SocketAddr = "listen",
    /// Where metrics, health and version are served over HTTP; nowhere if missing.
    admin: SocketAddr = "admin",
    /// Whether whoever reaches a public address may do everything.
    allow_public: bool = "allow_public_without_authentication",
    /// Tells the chain from others; it is the log's for good.
    chain_id: Address = "chain_id",
    /// Whether every call that is submitted must be signed.
    require_signatures: bool = "require_signatures",
    /// Roles of whoever shows neither token nor certificate, and acts as those who signed its calls; none if missing.
    public: HashSet<Role> = "public",
    /// Calls after which a batch is cut.
    batch_size: usize = "batch_size",
    /// Threads that execute calls.
    workers: Workers = "workers",
    /// Threads that serve connections.
    connection_threads: usize = "connection_threads",
    /// How calls are executed.
    mode: ModeAsked = "mode",
    /// Least severe events that are written to standard error.
    log: LogLevel = "log",
    /// How they are written.
    log_format: LogFormat = "log_format",
    /// Where spans are sent, by OTLP over gRPC; nowhere if missing.
    otlp_endpoint: Uri = "otlp_endpoint",
    /// The server's certificate chain, PEM.
    tls_certificate: PathBuf = "tls.certificate",
    /// Its private key, PEM.
    tls_key: PathBuf = "tls.key",
    /// Authorities of client certificates, PEM.
    tls_client_authorities: PathBuf = "tls.client_authorities",
}

/// Certificates.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    /// The server's certificate chain, PEM.
    pub(crate) certificate: PathBuf,
    /// Its private key, PEM.
    pub(crate) key: PathBuf,
    /// Authorities of client certificates, PEM. A client may then show a certificate instead of a token.
    pub(crate) client_authorities: Option<PathBuf>,
}

/// All settings, each as it applies.
#[derive(Debug)]
pub(crate) struct Settings {
    layer: Layer,
    /// Files that were read, the one that wins first.
    files: Vec<PathBuf>,
}

impl Settings {
    /// Flags upon the environment, upon the file that is named (by flag or environment), upon `phalanx.toml` in the current
    /// directory, upon the user's, upon defaults.
    ///
    /// # Errors
    /// Exit code 2: a file or variable that cannot be understood.
    pub(crate) fn read(flags: Layer, config: Option<&Path>) -> Result<Settings, Failure> {
        let mut layer = flags.upon(environment::layer()?);
        let mut files = Vec::new();
        for path in environment::files(config)? {
            layer = layer.upon(file::read(&path)?);
            files.push(path);
        }
        Ok(Settings { layer: layer.upon(defaults()), files })
    }

    /// The data directory.
    ///
    /// # Errors
    /// Exit code 2: there is no default.
    pub(crate) fn data_directory(&self) -> Result<&Path, Failure> {
        let missing = || Failure::usage("no data directory is set", "say --data-dir DIR, or set PHALANX_DATA_DIR");
        self.layer.data_directory.as_ref().map(|set| &*set.value).ok_or_else(missing)
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        default_is_there(self.layer.listen.as_ref())
    }

    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        self.layer.admin.as_ref().map(|set| set.value)
    }

    pub(crate) fn allow_public(&self) -> bool {
        default_is_there(self.layer.allow_public.as_ref())
    }

    /// The chain, if it is not to be that of the log.
    pub(crate) fn chain_id(&self) -> Option<Address> {
        self.layer.chain_id.as_ref().map(|set| set.value)
    }

    pub(crate) fn require_signatures(&self) -> bool {
        default_is_there(self.layer.require_signatures.as_ref())
    }

    /// What whoever shows neither token nor certificate may do, if there is anything.
    pub(crate) fn public(&self) -> Option<HashSet<Role>> {
        self.layer.public.as_ref().map(|set| set.value.clone())
    }

    pub(crate) fn batch_size(&self) -> usize {
        default_is_there(self.layer.batch_size.as_ref())
    }

    pub(crate) fn workers(&self) -> Workers {
        default_is_there(self.layer.workers.as_ref())
    }

    pub(crate) fn connection_threads(&self) -> usize {
        default_is_there(self.layer.connection_threads.as_ref())
    }

    pub(crate) fn mode(&self) -> ModeAsked {
        default_is_there(self.layer.mode.as_ref())
    }

    pub(crate) fn log(&self) -> LogLevel {
        default_is_there(self.layer.log.as_ref())
    }

    pub(crate) fn log_format(&self) -> LogFormat {
        default_is_there(self.layer.log_format.as_ref())
    }

    /// Where spans are sent, if anywhere.
    ///
    /// # Errors
    /// Exit code 2: it is set, and this program was built without the feature `opentelemetry`.
    pub(crate) fn otlp_endpoint(&self) -> Result<Option<Uri>, Failure> {
        let Some(set) = &self.layer.otlp_endpoint else { return Ok(None) };
        if cfg!(feature = "opentelemetry") {
            return Ok(Some(set.value.clone()));
        }
        Err(Failure::usage(
            format_args!("otlp_endpoint is set ({}), and this phalanx was built without OpenTelemetry", set.origin),
            "unset it, or build with `--features opentelemetry`",
        ))
    }

    /// Certificates; without them, connections are not encrypted.
    ///
    /// # Errors
    /// Exit code 2: a part of them is set.
    pub(crate) fn tls(&self) -> Result<Option<Tls>, Failure> {
        let Layer { tls_certificate, tls_key, tls_client_authorities, .. } = &self.layer;
        let path = |set: &Option<Sourced<PathBuf>>| set.as_ref().map(|set| set.value.clone());
        match (path(tls_certificate), path(tls_key), path(tls_client_authorities)) {
            (Some(certificate), Some(key), client_authorities) => {
                Ok(Some(Tls { certificate, key, client_authorities }))
            }
            (None, None, None) => Ok(None),
            (certificate, _, _) => {
                let missing = if certificate.is_none() { key::tls_certificate } else { key::tls_key };
                let set = [tls_certificate, tls_key, tls_client_authorities].into_iter().flatten().next();
                let set = set.map_or_else(String::new, |set| format!(" ({})", set.origin));
                Err(Failure::usage(
                    format_args!("TLS is set in part{set}: {missing} is missing"),
                    "set tls.certificate and tls.key, both PEM files, or neither",
                ))
            }
        }
    }

    /// Who may do what.
    pub(crate) fn principals(&self) -> impl Iterator<Item = &PrincipalEntry> {
        self.layer.principals.iter().map(|set| &set.value)
    }

    /// Files that were read, the one that wins first.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

fn default_is_there<T: Clone>(set: Option<&Sourced<T>>) -> T {
    set.expect("the lowest layer sets it").value.clone()
}

/// One for two cores, as calls execute elsewhere; with a second one, connections need not wait for what a strange one does.
fn connection_threads_default() -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(2, text::CONNECTION_THREADS_MAX)
}

fn defaults() -> Layer {
    Layer {
        listen: Sourced::default_of(LISTEN_DEFAULT.parse().expect("the default is an address")),
        allow_public: Sourced::default_of(false),
        require_signatures: Sourced::default_of(false),
        batch_size: Sourced::default_of(BATCH_SIZE_DEFAULT),
        workers: Sourced::default_of(Workers::default()),
        connection_threads: Sourced::default_of(connection_threads_default()),
        mode: Sourced::default_of(ModeAsked::Auto),
        log: Sourced::default_of(LogLevel::Info),
        log_format: Sourced::default_of(LogFormat::Text),
        ..Layer::default()
    }
}

#[cfg(test)]
mod tests;
