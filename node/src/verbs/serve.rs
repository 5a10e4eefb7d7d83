//! `phalanx serve`.

use axum::http::Uri;
use clap::Args;
use phalanx_engine::Address;
use serde::Serialize;
use std::collections::HashSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::command_line::Context;
use crate::execution::{ModeAsked, Workers};
use crate::exit::{Exit, Failure};
use crate::output::{Integer, Report};
use crate::serve::access::Role;
use crate::serve::logging::{self, LogFormat, LogLevel};
use crate::serve::settings::{Layer, Settings, Sourced, key, text};
use crate::serve::{self, Setup, config};

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    settings: SettingsArguments,
}

// A comment, as clap takes documentation of flattened arguments for that of the verb: the settings of `serve` as flags.
#[derive(Debug, Args)]
pub(crate) struct SettingsArguments {
    /// Data directory
    #[arg(long = "data-dir", value_name = "DIR")]
    data_directory: Option<PathBuf>,
    /// Address that gRPC is served on; port 0 takes any that is free [default: 127.0.0.1:7400]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address that metrics, health, version and profiles are served on, over HTTP; nowhere if missing
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Tells the chain from others: 0x and 64 hex digits. Said when the directory is made, it is its log's for good
    /// [default: the log's; zeros for a new one]
    #[arg(long, value_name = "HEX", value_parser = text::chain_id)]
    chain_id: Option<Address>,
    /// Refuse calls that are not signed, whoever submits them; it needs a chain id
    #[arg(long)]
    require_signatures: bool,
    /// Roles, with commas between them, of whoever shows neither token nor certificate, and acts as those who signed its calls
    #[arg(long, value_name = "ROLES", value_parser = text::roles)]
    public: Option<HashSet<Role>>,
    /// Configuration file, TOML; each setting is a key of it, and an environment variable PHALANX_…
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Let whoever reaches an address that is not loopback do everything, if no principal is configured
    #[arg(long)]
    allow_public_without_authentication: bool,
    /// Calls after which a batch is cut [default: 16384]
    #[arg(long, value_name = "N", value_parser = super::run::batch_size)]
    batch_size: Option<usize>,
    /// Threads that may execute calls; results never depend on it [default: the cores of this machine]
    #[arg(long, value_name = "N", value_parser = Workers::parse)]
    workers: Option<Workers>,
    /// Threads that serve connections. With one, on two cores that clients share, single requests are answered a sixth faster, and hostile
    /// clients slow the others more [default: half of the cores, two at least]
    #[arg(long, value_name = "N", value_parser = text::connection_threads)]
    connection_threads: Option<usize>,
    /// How calls are executed; results never depend on it [default: auto]
    #[arg(long, value_enum)]
    mode: Option<ModeAsked>,
    /// Least severe events that are written to standard error [default: info]
    #[arg(long, value_enum, value_name = "LEVEL")]
    log: Option<LogLevel>,
    /// How events are written [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Where spans of batches and requests are sent, by OTLP over gRPC: http://HOST:PORT; nowhere if missing. It needs a phalanx that
    /// was built with the feature opentelemetry
    #[arg(long, value_name = "URL", value_parser = text::otlp_endpoint)]
    otlp_endpoint: Option<Uri>,
    /// Certificate chain, PEM; a file that changes is read again, as on SIGHUP
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Authorities of client certificates, PEM
    #[arg(long, value_name = "FILE")]
    tls_client_authorities: Option<PathBuf>,
}

impl SettingsArguments {
    /// These flags upon environment, files and defaults.
    ///
    /// # Errors
    /// Exit code 2: a file or variable that cannot be understood.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let allow_public = self.allow_public_without_authentication.then_some(true);
        let require_signatures = self.require_signatures.then_some(true);
        let flags = Layer {
            data_directory: Sourced::of_flag(self.data_directory.clone(), key::data_directory),
            listen: Sourced::of_flag(self.listen, key::listen),
            admin: Sourced::of_flag(self.admin, key::admin),
            allow_public: Sourced::of_flag(allow_public, key::allow_public),
            chain_id: Sourced::of_flag(self.chain_id, key::chain_id),
            require_signatures: Sourced::of_flag(require_signatures, key::require_signatures),
            public: Sourced::of_flag(self.public.clone(), key::public),
            batch_size: Sourced::of_flag(self.batch_size, key::batch_size),
            workers: Sourced::of_flag(self.workers, key::workers),
            connection_threads: Sourced::of_flag(self.connection_threads, key::connection_threads),
            mode: Sourced::of_flag(self.mode, key::mode),
            log: Sourced::of_flag(self.log, key::log),
            log_format: Sourced::of_flag(self.log_format, key::log_format),
            otlp_endpoint: Sourced::of_flag(self.otlp_endpoint.clone(), key::otlp_endpoint),
            tls_certificate: Sourced::of_flag(self.tls_certificate.clone(), key::tls_certificate),
            tls_key: Sourced::of_flag(self.tls_key.clone(), key::tls_key),
            tls_client_authorities: Sourced::of_flag(self.tls_client_authorities.clone(), key::tls_client_authorities),
            principals: Vec::new(),
        };
        Settings::read(flags, self.config.as_deref())
    }
}

/// What is printed when the server takes requests.
#[derive(Serialize)]
struct Serving {
    /// Where gRPC is served.
    endpoint: String,
    /// Where operators look, if anywhere.
    admin: Option<String>,
    /// The height that the log led to.
    height: Integer,
    /// Whether whoever connects may do everything.
    open: bool,
}

impl Report for Serving {
    const SCHEMA: &'static str = "phalanx.serve/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "serving gRPC on {}, at height {}", self.endpoint, self.height.0)?;
        self.admin.iter().try_for_each(|admin| writeln!(out, "metrics, health, version and profiles on {admin}"))
    }
}

pub(crate) fn execute(arguments: &ServeArguments, context: &Context) -> Result<Exit, Failure> {
    let settings = arguments.settings.settings()?;
    let setup = setup(&settings, settings.data_directory()?.to_owned())?;
    logging::start(settings.log(), settings.log_format())?;
    settings.files().iter().for_each(|file| tracing::info!(file = %file.display(), "configuration read"));
    if !setup.listen.ip().is_loopback() && setup.tls.is_none() {
        tracing::warn!(address = %setup.listen, "served without TLS: tokens and calls can be read on their way");
    }
    let open = setup.access.is_open();
    context.interrupt.hold();
    let scheme = if setup.tls.is_some() { "https" } else { "http" };
    serve::serve(setup, context, &|started| {
        let endpoint = format!("{scheme}://{}", started.address);
        let admin = started.admin.map(|address| format!("http://{address}"));
        context.output.print(&Serving { endpoint, admin, height: Integer(started.height), open })
    })
}

/// Refuses settings that `serve` would refuse in any data directory.
///
/// # Errors
/// Exit code 2.
pub(crate) fn check(settings: &Settings) -> Result<(), Failure> {
    setup(settings, PathBuf::new()).map(|_| ())
}

/// What settings come to, checked against each other.
fn setup(settings: &Settings, data_directory: PathBuf) -> Result<Setup, Failure> {
    let mode = settings.mode().of_engine();
    let listen = settings.listen();
    let tls = settings.tls()?;
    let (chain_id, require_signatures) = (settings.chain_id(), settings.require_signatures());
    if require_signatures && chain_id.is_none() {
        return Err(Failure::usage(
            "require_signatures needs a chain_id: calls that are signed for a chain without one are valid on all such chains",
            "say chain_id = \"0x…\", 64 hex digits that no other chain of yours has",
        ));
    }
    let principals: Vec<_> = settings.principals().cloned().collect();
    let certificates = tls.as_ref().is_some_and(|tls| tls.client_authorities.is_some());
    let access = config::access(&principals, settings.public(), certificates)?;
    if access.is_open() && !listen.ip().is_loopback() && !settings.allow_public() {
        return Err(Failure::usage(
            format_args!("{listen} is not loopback, and whoever reaches it could do everything"),
            "configure a [[principal]], listen on 127.0.0.1, or say --allow-public-without-authentication",
        ));
    }
    Ok(Setup {
        data_directory,
        listen,
        admin: settings.admin(),
        tls,
        access,
        chain_id,
        require_signatures,
        engine: phalanx_engine::Options { mode, ..settings.workers().options() },
        batch_calls: settings.batch_size(),
        connection_threads: settings.connection_threads(),
        otlp_endpoint: settings.otlp_endpoint()?,
    })
}
