//! A served node: the built binary on a free port, ended with its test.

use phalanx_proto::v1;
use phalanx_proto::v1::execution_service_client::ExecutionServiceClient;
use phalanx_proto::v1::query_service_client::QueryServiceClient;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tonic::transport::{Channel, Endpoint};

use crate::command::{Ended, module, on_directory, phalanx};

pub(crate) const ISSUER: [u8; 32] = [1; 32];
pub(crate) const ALICE: [u8; 32] = [2; 32];
pub(crate) const BOB: [u8; 32] = [3; 32];
pub(crate) const GAS: u32 = 50_000;

/// A running node.
pub(crate) struct Served {
    child: Child,
    pub(crate) data: PathBuf,
    pub(crate) endpoint: String,
    pub(crate) started: serde_json::Value,
}

impl Served {
    /// Serves the folder `data` of a folder, with options.
    pub(crate) fn start(folder: &Path, options: &[&str]) -> Served {
        Served::start_in(folder, options, &[])
    }

    /// The same, with variables in its environment.
    pub(crate) fn start_in(folder: &Path, options: &[&str], variables: &[(&str, &str)]) -> Served {
        let data = folder.join("data");
        let listen: &[&str] = if options.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let mut child = phalanx()
            .args(["serve", "-o", "json", "--data-dir"])
            .arg(&data)
            .args(listen)
            .args(options)
            // What starts and ends is nothing to look at, unless a test asks for it by a flag.
            .env("PHALANX_LOG", "warn")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it is readable");
        let started: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("it does not start: {}", text(child.stderr.take()));
        });
        let endpoint = started["endpoint"].as_str().expect("text").to_owned();
        Served { child, data, endpoint, started }
    }

    /// Id of the node's process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(self.endpoint.clone()).expect("it is an address").connect_lazy()
    }

    pub(crate) fn execution(&self) -> ExecutionServiceClient<Channel> {
        ExecutionServiceClient::new(self.channel())
    }

    pub(crate) fn query(&self) -> QueryServiceClient<Channel> {
        QueryServiceClient::new(self.channel())
    }

    /// Asks the node to end, and waits until it has.
    pub(crate) fn end(mut self) -> Ended {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill is installed").success());
        let status = self.child.wait().expect("it ends");
        let code = status.code().expect("it ends by itself");
        Ended { code, stdout: String::new(), stderr: text(self.child.stderr.take()) }
    }

    /// Ends the node as a power cut would end it, but for what the kernel still writes.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn text(stream: Option<impl std::io::Read>) -> String {
    let mut text = String::new();
    if let Some(mut stream) = stream {
        stream.read_to_string(&mut text).expect("the command prints UTF-8");
    }
    text
}

/// The log of a node that has ended is whole, and executes to what was sealed.
pub(crate) fn verify(data: &Path) -> serde_json::Value {
    let verified = on_directory(&["log", "verify"], data, &["-o", "json"]).with_code(0);
    assert_eq!(verified.stderr, "", "the log was closed");
    verified.json("phalanx.log.verify/1")
}

pub(crate) fn token_module() -> Vec<u8> {
    std::fs::read(module("token.wasm")).expect("it is built")
}

/// Deploys the token.
pub(crate) async fn deploy_token(served: &Served) -> Vec<u8> {
    let request = v1::DeployRequest {
        sender: ISSUER.to_vec().into(),
        module: token_module().into(),
        ..v1::DeployRequest::default()
    };
    let deployed = served.execution().deploy(request).await.expect("it is taken in").into_inner();
    assert_eq!(deployed.receipt.expect("it has one").outcome, Some(v1::Outcome::Ok.into()), "{}", deployed.explanation);
    deployed.contract.to_vec()
}

/// A call of a method with an account and an amount.
pub(crate) fn token_call(token: &[u8], method: &str, sender: [u8; 32], to: [u8; 32], amount: u128) -> v1::Call {
    v1::Call {
        contract: token.to_vec().into(),
        method: method.to_owned(),
        sender: sender.to_vec().into(),
        arguments: [&to[..], &amount.to_le_bytes()].concat().into(),
        gas_limit: GAS.into(),
        ..v1::Call::default()
    }
}

/// Submits a call and waits until it is durable.
pub(crate) async fn submit(served: &Served, call: v1::Call) -> v1::SubmitResponse {
    let request = v1::SubmitRequest { call: Some(call), ..v1::SubmitRequest::default() };
    served.execution().submit(request).await.expect("it is taken in").into_inner()
}

pub(crate) fn outcome(receipt: Option<&v1::Receipt>) -> v1::Outcome {
    let code = receipt.expect("there is one").outcome.expect("it has one");
    v1::Outcome::try_from(code).expect("it is known")
}

/// Asks for an account's balance.
pub(crate) async fn balance(served: &Served, token: &[u8], owner: [u8; 32]) -> u128 {
    let call = v1::Call {
        contract: token.to_vec().into(),
        method: "balance_of".to_owned(),
        sender: ALICE.to_vec().into(),
        arguments: owner.to_vec().into(),
        gas_limit: GAS.into(),
        ..v1::Call::default()
    };
    let answer = served
        .query()
        .query(v1::QueryRequest { call: Some(call), height: None })
        .await
        .expect("it is answered")
        .into_inner();
    let receipt = answer.receipt.expect("there is one");
    assert_eq!(receipt.outcome, Some(v1::Outcome::Ok.into()));
    u128::from_le_bytes(receipt.return_bytes[..].try_into().expect("16 bytes"))
}

/// `count` transfers of 1 from one account to another, in columns.
pub(crate) fn transfers(token: &[u8], count: u32, from: [u8; 32], to: [u8; 32]) -> v1::CallColumns {
    v1::CallColumns {
        targets: vec![v1::Target { contract: token.to_vec().into(), method: "transfer".to_owned() }],
        calls: count,
        senders: from.to_vec().into(),
        gas_limits: GAS.to_le_bytes().to_vec().into(),
        arguments: [&to[..], &1u128.to_le_bytes()].concat().repeat(count as usize).into(),
        ..v1::CallColumns::default()
    }
}
