//! `phalanx deploy`.

use clap::Args;
use phalanx_client::Client;
use phalanx_engine::{SYSTEM_CONTRACT, deploy_arguments, deploy_gas};
use phalanx_proto::v1;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

use super::signing::{CallAs, Caller};
use super::{PrintedReceipt, Remote, failure, read_module};
use crate::calls_file::salt_of;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::output::{Integer, Report, print_rows};

#[derive(Debug, Args)]
pub(crate) struct DeployArguments {
    #[command(flatten)]
    remote: Remote,
    /// The module
    #[arg(value_name = "WASM")]
    module: PathBuf,
    /// Who deploys may upgrade later
    #[command(flatten)]
    call_as: CallAs,
    /// Name of the contract: another one makes another contract of the same module, as in a calls file
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Serialize)]
struct Deployed {
    /// The contract's id; `null` if the deploy failed.
    contract: Option<String>,
    height: Integer,
    index: u32,
    #[serde(flatten)]
    receipt: PrintedReceipt,
    #[serde(skip_serializing_if = "String::is_empty")]
    explanation: String,
}

impl Report for Deployed {
    const SCHEMA: &'static str = "phalanx.deploy/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![("height", self.height.0.to_string()), ("outcome", self.receipt.outcome.to_owned())];
        rows.extend(self.contract.iter().map(|contract| ("contract", contract.clone())));
        if !self.explanation.is_empty() {
            rows.push(("why", self.explanation.clone()));
        }
        print_rows(out, &rows)
    }
}

pub(crate) fn execute(arguments: &DeployArguments, context: &Context) -> Result<Exit, Failure> {
    let module = read_module(&arguments.module)?;
    let salt = arguments.name.as_deref().map_or([0; 32], salt_of);
    let report = arguments.remote.ask(async |client| {
        let caller = arguments.call_as.caller(&client).await?;
        let answer = match caller.signs() {
            false => client.deploy(caller.address(), &salt, module).await.map_err(|error| failure(&error))?,
            true => deploy_signed(&client, &caller, &salt, &module).await?,
        };
        let position = answer.position.unwrap_or_default();
        Ok(Deployed {
            contract: (!answer.contract.is_empty()).then(|| hex(&answer.contract)),
            height: Integer(position.height),
            index: position.index,
            receipt: PrintedReceipt::new(answer.receipt.as_ref(), "deploy", None)?,
            explanation: answer.explanation,
        })
    })?;
    context.output.print(&report)?;
    Ok(report.receipt.exit())
}

/// Deploys by the call that a deploy is, which can be signed.
async fn deploy_signed(
    client: &Client,
    caller: &Caller,
    salt: &[u8; 32],
    module: &[u8],
) -> Result<v1::DeployResponse, Failure> {
    let mut call = v1::Call {
        contract: SYSTEM_CONTRACT.to_vec().into(),
        method: "deploy".to_owned(),
        arguments: deploy_arguments(salt, module).into(),
        gas_limit: deploy_gas(module.len()),
        ..v1::Call::default()
    };
    caller.sign(&mut call)?;
    let answer = client.submit(call).await.map_err(|error| failure(&error))?;
    let deployed = answer.receipt.as_ref().filter(|receipt| receipt.outcome == Some(v1::Outcome::Ok.into()));
    Ok(v1::DeployResponse {
        contract: deployed.map(|receipt| receipt.return_bytes.clone()).unwrap_or_default(),
        position: answer.position,
        receipt: answer.receipt,
        explanation: answer.explanation,
        acknowledgement: answer.acknowledgement,
        repeated: answer.repeated,
        ordered: None,
    })
}
