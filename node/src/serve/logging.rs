//! Events of a running node, on standard error: for people as text, for machines as a JSON object a line.
//!
//! Only this command's own events are written. Those of the libraries below may quote what a stranger sent, tokens among
//! it. Nothing is written on the path of a call; what calls are refused for is counted, and reported by [`refusals`](super::refusals).

use clap::ValueEnum;
use std::io::stderr;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::exit::Failure;

/// Least severe events that are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogLevel {
    /// None
    Off,
    /// The node stops, or cannot do what it was asked
    Error,
    /// Something that an operator should look at
    Warn,
    /// Starts, ends, reloads
    Info,
    /// What else may help to find a fault
    Debug,
}

/// How events are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

impl LogLevel {
    /// Its name in settings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            LogLevel::Off => "off",
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            LogLevel::Off => LevelFilter::OFF,
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
        }
    }
}

impl LogFormat {
    /// Its name in settings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}

/// Begins to write events, in this process.
pub(crate) fn start(level: LogLevel, format: LogFormat) -> Result<(), Failure> {
    let ours = || Targets::new().with_target("phalanx", level.filter());
    let layer = tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(false);
    let started = match format {
        LogFormat::Text => tracing_subscriber::registry().with(layer.with_filter(ours())).try_init(),
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            tracing_subscriber::registry().with(layer.with_filter(ours())).try_init()
        }
    };
    started.map_err(|error| Failure::failed(format_args!("events: {error}"), "report it"))
}
