//! Verbs that ask a node.

pub(crate) mod call;
pub(crate) mod deploy;
pub(crate) mod load;
pub(crate) mod receipt;
mod signing;
pub(crate) mod subscribe;

use clap::Args;
use phalanx_client::{Client, ClientError, ClientTls, Options};
use phalanx_engine::{Address, Outcome};
use phalanx_proto::v1;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use tonic::Code;

use crate::abi::Abi;
use crate::exit::{Exit, Failure};
use crate::hex::{hex, parse_address};

/// The node that is asked, and who asks.
#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// Address of the node
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7400")]
    endpoint: String,
    /// File with the bearer token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Authority of the node's certificate, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Client certificate, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Key of the client certificate, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

impl Remote {
    /// The node's address.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Connects, and runs what asks.
    pub(super) fn ask<T>(&self, body: impl AsyncFnOnce(Client) -> Result<T, Failure>) -> Result<T, Failure> {
        let options = self.options()?;
        block_on(async { body(self.connect(options).await?).await })
    }

    /// Who asks, read from the files.
    pub(super) fn options(&self) -> Result<Options, Failure> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|error| {
                Failure::usage(format_args!("{}: {error}", path.display()), "name a file that is readable")
            })
        };
        let token = self.token_file.as_ref().map(read).transpose()?;
        let token = token.map(|token| String::from_utf8_lossy(token.trim_ascii()).into_owned());
        let identity = self.certificate.as_ref().zip(self.key.as_ref());
        let identity = identity.map(|(certificate, key)| Ok((read(certificate)?, read(key)?))).transpose()?;
        let tls = ClientTls { authority: self.ca.as_ref().map(read).transpose()?, identity, domain: None };
        Ok(Options { token, tls, ..Options::default() })
    }

    /// Makes a connection.
    pub(super) async fn connect(&self, options: Options) -> Result<Client, Failure> {
        Client::connect(self.endpoint.clone(), options).await.map_err(|error| failure(&error))
    }
}

/// Runs what asks, on this thread.
pub(super) fn block_on<T>(asking: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::failed(error, "raise the limit of open files"))?.block_on(asking)
}

/// Sorts a client's error into an exit code.
pub(super) fn failure(error: &ClientError) -> Failure {
    match error {
        ClientError::Connection(_) => {
            Failure::new(Exit::Connection, error, "check the endpoint, the certificates, and that the node runs")
        }
        ClientError::Refused { code, .. } => match code {
            Code::InvalidArgument => Failure::usage(error, "correct the field that is named"),
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => {
                Failure::new(Exit::Connection, error, "try again later")
            }
            Code::Unauthenticated => Failure::failed(error, "say --token-file, or --certificate and --key"),
            _ => Failure::failed(error, "the reason in capitals says what to change"),
        },
        ClientError::Unsignable(_) => Failure::usage(error, "correct the field that is named"),
        ClientError::Answer(_) | ClientError::Credits(_) | ClientError::Randomness(_) => {
            Failure::failed(error, "report it")
        }
    }
}

/// A receipt as it is printed.
#[derive(Serialize)]
pub(super) struct PrintedReceipt {
    outcome: &'static str,
    gas_used: u64,
    #[serde(rename = "return")]
    returned: String,
    /// By the ABI; `null` where it does not decode.
    return_decoded: Option<serde_json::Value>,
    events: Vec<PrintedEvent>,
}

#[derive(Serialize)]
struct PrintedEvent {
    /// Text, or 0x-hex where it is none.
    topic: String,
    data: String,
    data_decoded: Option<serde_json::Value>,
}

impl PrintedReceipt {
    /// A receipt of a method, decoded as far as there is an ABI.
    pub(super) fn new(
        receipt: Option<&v1::Receipt>,
        method: &str,
        abi: Option<&Abi>,
    ) -> Result<PrintedReceipt, Failure> {
        let missing =
            || Failure::failed("the node answered no receipt, or an outcome that is not known here", "use its version");
        let receipt = receipt.ok_or_else(missing)?;
        let code = receipt.outcome.and_then(|code| u8::try_from(code).ok());
        let outcome = code.and_then(Outcome::from_code).ok_or_else(missing)?;
        let event = |event: &v1::Event| PrintedEvent {
            topic: std::str::from_utf8(&event.topic).map_or_else(|_| hex(&event.topic), str::to_owned),
            data: hex(&event.data),
            data_decoded: abi.and_then(|abi| abi.decode_event(&event.topic, &event.data)),
        };
        Ok(PrintedReceipt {
            outcome: outcome.name(),
            gas_used: receipt.gas_used,
            returned: hex(&receipt.return_bytes),
            return_decoded: abi.and_then(|abi| abi.decode_return(method.as_bytes(), outcome, &receipt.return_bytes)),
            events: receipt.events.iter().map(event).collect(),
        })
    }

    /// 1 unless the call did what it was to do.
    pub(super) fn exit(&self) -> Exit {
        if self.outcome == Outcome::Ok.name() { Exit::Ok } else { Exit::Failed }
    }

    /// Lines for people.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let returned = self.return_decoded.as_ref().map_or_else(|| self.returned.clone(), ToString::to_string);
        let mut rows = vec![("outcome", self.outcome.to_owned()), ("gas used", self.gas_used.to_string())];
        if self.returned != "0x" {
            rows.push(("return", returned));
        }
        for PrintedEvent { topic, data, data_decoded } in &self.events {
            let data = data_decoded.as_ref().map_or_else(|| data.clone(), ToString::to_string);
            rows.push(("event", format!("{topic} {data}")));
        }
        rows
    }
}

/// The ABI of a contract; `None` if it has none.
pub(super) async fn abi_of(client: &Client, contract: &Address) -> Result<Option<Abi>, ClientError> {
    let contract = client.contract(contract).await?;
    Ok((!contract.abi.is_empty()).then(|| Abi::parse(contract.abi.as_bytes())))
}

/// An address of the command line.
pub(super) fn address(text: &str) -> Result<Address, String> {
    parse_address(text)
}

/// Reads a module.
pub(super) fn read_module(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::usage(format_args!("{}: {error}", path.display()), "name a Wasm module"))
}
