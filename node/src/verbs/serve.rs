//! `phalanx serve`.

use clap::Args;
use phalanx_engine::Address;
use serde::Serialize;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::command_line::{Context, DataDirectory};
use crate::execution::{ModeAsked, Workers};
use crate::exit::{Exit, Failure};
use crate::hex::parse_address;
use crate::output::{Integer, Report};
use crate::serve::config::Config;
use crate::serve::{self, Setup};

/// Where gRPC is served if nothing else is said.
const LISTEN_DEFAULT: &str = "127.0.0.1:7400";

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    data_directory: DataDirectory,
    /// Address that gRPC is served on; port 0 takes any that is free [default: 127.0.0.1:7400]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address that metrics, health and version are served on, over HTTP; nowhere if missing
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Tells the chain from others: 0x and 64 hex digits. Said when the directory is made, it is its log's for good
    /// [default: the log's; zeros for a new one]
    #[arg(long, value_name = "HEX", value_parser = parse_address)]
    chain_id: Option<Address>,
    /// Configuration file, TOML: listen, admin, chain_id, require_signatures, public, and the tables tls and principal
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Let whoever reaches an address that is not loopback do everything, if no principal is configured
    #[arg(long)]
    allow_public_without_authentication: bool,
    /// Calls after which a batch is cut
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = super::run::batch_size)]
    batch_size: usize,
    #[command(flatten)]
    workers: Workers,
    /// How calls are executed; results never depend on it
    #[arg(long, value_enum, default_value = "auto")]
    mode: ModeAsked,
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
        self.admin.iter().try_for_each(|admin| writeln!(out, "metrics, health and version on {admin}"))
    }
}

pub(crate) fn execute(arguments: &ServeArguments, context: &Context) -> Result<Exit, Failure> {
    let mode = arguments.mode.of_engine()?;
    let mut config = arguments.config.as_deref().map_or_else(|| Ok(Config::default()), Config::read)?;
    let listen = arguments.listen.or(config.listen);
    let listen = listen.unwrap_or_else(|| LISTEN_DEFAULT.parse().expect("the default is an address"));
    let chain_id = arguments.chain_id.or(config.chain_id);
    let require_signatures = config.require_signatures;
    if require_signatures && chain_id.is_none() {
        return Err(Failure::usage(
            "require_signatures needs a chain_id: calls that are signed for a chain without one are valid on all such chains",
            "say chain_id = \"0x…\", 64 hex digits that no other chain of yours has",
        ));
    }
    let access = config.access()?;
    let open = access.is_open();
    if open && !listen.ip().is_loopback() && !arguments.allow_public_without_authentication {
        return Err(Failure::usage(
            format_args!("{listen} is not loopback, and whoever reaches it could do everything"),
            "configure a [[principal]], listen on 127.0.0.1, or say --allow-public-without-authentication",
        ));
    }
    if !listen.ip().is_loopback() && config.tls.is_none() {
        context.output.warn(&format!("{listen} is served without [tls]: tokens and calls can be read on their way"));
    }
    let setup = Setup {
        data_directory: arguments.data_directory.path.clone(),
        listen,
        admin: arguments.admin.or(config.admin),
        tls: config.tls,
        access,
        chain_id,
        require_signatures,
        engine: phalanx_engine::Options { mode, ..arguments.workers.options() },
        batch_calls: arguments.batch_size,
    };
    context.interrupt.hold();
    let scheme = if setup.tls.is_some() { "https" } else { "http" };
    serve::serve(setup, context, &|started| {
        let endpoint = format!("{scheme}://{}", started.address);
        let admin = started.admin.map(|address| format!("http://{address}"));
        context.output.print(&Serving { endpoint, admin, height: Integer(started.height), open })
    })
}
