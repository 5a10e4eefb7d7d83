//! `phalanx version`.

use phalanx_engine::PROTOCOL_VERSION;
use phalanx_engine::prepare::PASS_VERSION;
use serde::Serialize;
use std::io::{self, Write};

use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Report, print_rows};

#[derive(Serialize)]
struct Version {
    version: &'static str,
    /// Of the rules that make results.
    protocol_version: u32,
    /// Of the preparation pass, a part of the rules.
    pass_version: u32,
    target: String,
    debug_build: bool,
}

impl Report for Version {
    const SCHEMA: &'static str = "phalanx.version/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let build = if self.debug_build { ", debug build" } else { "" };
        print_rows(
            out,
            &[
                ("phalanx", self.version.to_owned()),
                ("protocol", self.protocol_version.to_string()),
                ("pass", self.pass_version.to_string()),
                ("target", format!("{}{build}", self.target)),
            ],
        )
    }
}

pub(crate) fn execute(context: &Context) -> Result<Exit, Failure> {
    context.output.print(&Version {
        version: env!("CARGO_PKG_VERSION"),
        protocol_version: PROTOCOL_VERSION,
        pass_version: PASS_VERSION,
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        debug_build: cfg!(debug_assertions),
    })?;
    Ok(Exit::Ok)
}
