//! The command line: verbs, global options, and how the command ends.

use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::exit::{EXIT_CODES, Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{Color, Format, Output};
use crate::verbs::remote::{call, deploy, load, receipt, subscribe};
use crate::verbs::{
    backup, bench, compiler, completions, config, contract, doctor, key, log, run, serve, state, version,
};

/// Executes WebAssembly contracts; results are byte for byte those of running the same calls one after another.
#[derive(Debug, Parser)]
#[command(name = "phalanx", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// Heading of the options that every verb takes.
const GLOBAL: &str = "Global options";

#[derive(Debug, Args)]
struct Global {
    /// How the result is printed on standard output; everything else goes to standard error
    #[arg(short, long, global = true, value_enum, default_value = "human", value_name = "FORMAT", help_heading = GLOBAL)]
    output: Format,
    /// Whether messages are coloured; auto heeds NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", help_heading = GLOBAL)]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Measure what this machine executes, and check the results
    Bench(bench::BenchArguments),
    /// Deploy and execute a file of calls, in a data directory that is created or continued
    Run(run::RunArguments),
    /// Serve gRPC from a data directory that is created or continued, until SIGTERM or SIGINT
    ///
    /// Each setting is an environment variable and a key of configuration files too: --data-dir is PHALANX_DATA_DIR and data_dir, and
    /// so on. A flag wins over the environment, that over the file that --config or PHALANX_CONFIG names, that over
    /// ./phalanx.toml, that over phalanx/config.toml in $XDG_CONFIG_HOME (or ~/.config). `phalanx config show --origin` prints what
    /// applies, and why.
    Serve(Box<serve::ServeArguments>),
    /// Deploy a module on a node
    Deploy(deploy::DeployArguments),
    /// Execute a call on a node; exits 1 if its receipt says that it failed
    Call(call::CallArguments),
    /// Say what a call would do on a node, and change nothing
    Simulate(call::CallArguments),
    /// Ask a contract on a node; whatever it writes is dropped
    Query(call::CallArguments),
    /// Print a receipt that a node keeps
    Receipt(receipt::ReceiptArguments),
    /// Print the calls of a node with their receipts, as NDJSON, those that are there and those to come
    Subscribe(subscribe::SubscribeArguments),
    /// Load a node with transfers, check what it answers, and print rate and latencies; or add up such reports
    ///
    /// The transfers are of a token that it deploys itself; the principal needs the roles deploy, submit and read, and any sender.
    /// A generator uses one core. Several of them can run at once, and `phalanx load merge` adds up their reports.
    Load(Box<load::LoadArguments>),
    /// Check, print and export the log of a data directory; nothing on disk changes
    #[command(subcommand)]
    Log(log::LogVerb),
    /// Copy what a data directory cannot make again into a folder; a node may be using the directory meanwhile
    ///
    /// The backup holds every call that was durable when this began, up to the height that is printed. It is made of the log alone:
    /// receipts, state and machine code are made again when the restored directory is opened.
    Backup(backup::BackupArguments),
    /// Make a data directory from a backup, which is checked before anything is written
    Restore(backup::RestoreArguments),
    /// Read the state that the log of a data directory leads to
    #[command(subcommand)]
    State(state::StateVerb),
    /// Make, build, test, measure, compare and check contracts
    #[command(subcommand)]
    Contract(contract::ContractVerb),
    /// Examine whether this machine and a data directory are fit for a node; nothing on disk changes
    ///
    /// It takes the flags of `serve` and looks at what `serve` would use. It exits 1 if a check fails, 4 if the log is damaged, and 0 with
    /// warnings.
    Doctor(Box<doctor::DoctorArguments>),
    /// Print the configuration of `serve`
    #[command(subcommand)]
    Config(config::ConfigVerb),
    /// Make and show keys that sign calls
    #[command(subcommand)]
    Key(key::KeyVerb),
    /// Compile modules for the node that started this
    #[command(hide = true)]
    Compiler(compiler::CompilerArguments),
    /// Print versions
    Version,
    /// Print a completion script for a shell
    Completions(completions::CompletionsArguments),
}

/// The data directory that a verb reads.
#[derive(Debug, Args)]
pub(crate) struct DataDirectory {
    /// Data directory
    #[arg(long = "data-dir", value_name = "DIR")]
    pub(crate) path: PathBuf,
}

/// What verbs share besides their own arguments.
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) interrupt: Interrupt,
}

/// Runs the command and answers its exit code.
pub(crate) fn run() -> ExitCode {
    // Parse errors are coloured too, so this option is read before there is anything to parse.
    let color = color_asked();
    let choice = match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    let parsed = CommandLine::command().color(choice).try_get_matches();
    let CommandLine { global, verb } = match parsed.and_then(|matches| CommandLine::from_arg_matches(&matches)) {
        Ok(command_line) => command_line,
        // Help and version are such errors too; clap knows their stream and exit code (2 for wrong usage).
        Err(error) => error.exit(),
    };
    let output = Output::new(global.output, color);
    let ended = Interrupt::listen()
        .map_err(|error| Failure::failed(format_args!("signals: {error}"), "this is a fault of the system: report it"))
        .and_then(|interrupt| execute(&verb, &Context { output, interrupt }));
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if failure.exit != Exit::Ok {
                output.fail(&failure);
            }
            failure.exit.into()
        }
    }
}

fn execute(verb: &Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Bench(arguments) => bench::execute(arguments, context),
        Verb::Run(arguments) => run::execute(arguments, context),
        Verb::Serve(arguments) => serve::execute(arguments, context),
        Verb::Deploy(arguments) => deploy::execute(arguments, context),
        Verb::Call(arguments) => call::call(arguments, context),
        Verb::Simulate(arguments) => call::simulate(arguments, context),
        Verb::Query(arguments) => call::query(arguments, context),
        Verb::Receipt(arguments) => receipt::execute(arguments, context),
        Verb::Subscribe(arguments) => subscribe::execute(arguments, context),
        Verb::Load(arguments) => load::execute(arguments, context),
        Verb::Log(verb) => log::execute(verb, context),
        Verb::Backup(arguments) => backup::back_up(arguments, context),
        Verb::Restore(arguments) => backup::restore(arguments, context),
        Verb::State(verb) => state::execute(verb, context),
        Verb::Contract(verb) => contract::execute(verb, context),
        Verb::Doctor(arguments) => doctor::execute(arguments, context),
        Verb::Config(verb) => config::execute(verb, context),
        Verb::Key(verb) => key::execute(verb, context),
        Verb::Compiler(arguments) => compiler::execute(arguments),
        Verb::Version => version::execute(context),
        Verb::Completions(arguments) => completions::execute(arguments, context),
    }
}

fn color_asked() -> Color {
    let arguments: Vec<String> = env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let joined = arguments.iter().filter_map(|argument| argument.strip_prefix("--color="));
    let split = arguments.windows(2).filter(|pair| pair[0] == "--color").map(|pair| &*pair[1]);
    joined.chain(split).next().and_then(|value| Color::from_str(value, false).ok()).unwrap_or(Color::Auto)
}
