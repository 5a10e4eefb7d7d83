//! Tokens, certificates, roles and senders.

use phalanx_proto::v1;
use phalanx_proto::v1::execution_service_client::ExecutionServiceClient;
use phalanx_proto::v1::query_service_client::QueryServiceClient;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use tempfile::tempdir;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::node::*;
use crate::command::run;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn principal(name: &str, roles: &str, senders: &str, rest: &str) -> String {
    format!("[[principal]]\nname = \"{name}\"\nroles = {roles}\nsenders = {senders}\n{rest}\n")
}

pub(super) fn token_line(token: &str) -> String {
    format!("token_sha256 = \"{}\"", hex(&Sha256::digest(token)))
}

pub(super) fn as_bearer<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("it is text"));
    request
}

fn transfer(sender: [u8; 32]) -> v1::SubmitRequest {
    let call = Some(token_call(&[7; 32], "transfer", sender, BOB, 1));
    v1::SubmitRequest { call, ..v1::SubmitRequest::default() }
}

#[track_caller]
fn check(refused: Result<impl std::fmt::Debug, Status>, code: Code, reason: &str) {
    let refused = refused.expect_err("it is refused");
    assert_eq!(refused.code(), code, "{refused}");
    assert_eq!(refused.get_details_error_info().expect("it has one").reason, reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn tokens_bind_principals_to_roles_and_senders() {
    let folder = tempdir().expect("a temporary directory");
    let config = folder.path().join("phalanx.toml");
    let alice = format!("[\"0x{}\"]", hex(&ALICE));
    let text = [
        principal("billing", "[\"submit\"]", &alice, &token_line("billing-token")),
        principal("auditor", "[\"read\"]", "[]", &token_line("auditor-token")),
        principal("owner", "[\"read\", \"submit\", \"deploy\"]", "\"any\"", &token_line("owner-token")),
    ];
    fs::write(&config, text.concat()).expect("it is writable");
    let served = Served::start(folder.path(), &["--config", config.to_str().expect("UTF-8")]);
    assert_eq!(served.started["open"], false);
    let (mut execution, mut query) = (served.execution(), served.query());
    check(execution.submit(transfer(ALICE)).await, Code::Unauthenticated, "UNAUTHENTICATED");
    check(
        execution.submit(as_bearer("billing-tokem", transfer(ALICE))).await,
        Code::Unauthenticated,
        "UNAUTHENTICATED",
    );
    let mut basic = as_bearer("", transfer(ALICE));
    basic.metadata_mut().insert("authorization", "Basic Zm9v".parse().expect("it is text"));
    check(execution.submit(basic).await, Code::Unauthenticated, "UNAUTHENTICATED");

    assert!(execution.submit(as_bearer("billing-token", transfer(ALICE))).await.is_ok());
    check(execution.submit(as_bearer("billing-token", transfer(BOB))).await, Code::PermissionDenied, "SENDER");
    let mut columns = transfers(&[7; 32], 3, ALICE, BOB);
    columns.senders = [ALICE, ALICE, BOB].concat().into();
    let batch = v1::SubmitBatchRequest {
        calls: Some(v1::submit_batch_request::Calls::Columns(columns)),
        ..v1::SubmitBatchRequest::default()
    };
    check(execution.submit_batch(as_bearer("billing-token", batch)).await, Code::PermissionDenied, "SENDER");
    let info = || v1::GetServerInfoRequest {};
    check(query.get_server_info(as_bearer("billing-token", info())).await, Code::PermissionDenied, "ROLE");
    check(execution.submit(as_bearer("auditor-token", transfer(ALICE))).await, Code::PermissionDenied, "ROLE");
    assert_eq!(query.get_server_info(as_bearer("auditor-token", info())).await.expect("it may").into_inner().height, 1);

    // To call the system contract is to deploy, whichever way.
    let deploy = v1::DeployRequest { sender: ALICE.to_vec().into(), ..v1::DeployRequest::default() };
    check(execution.deploy(as_bearer("billing-token", deploy.clone())).await, Code::PermissionDenied, "ROLE");
    let mut upgrade = transfer(ALICE);
    upgrade.call.as_mut().expect("set").contract = vec![0; 32].into();
    check(execution.submit(as_bearer("billing-token", upgrade)).await, Code::PermissionDenied, "ROLE");
    assert!(execution.deploy(as_bearer("owner-token", deploy)).await.is_ok());
}

/// An authority, and what it has signed.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Authority {
        let mut params = CertificateParams::new([]).expect("it is valid");
        // A name of its own: OpenSSL takes a certificate for self-signed if its issuer has the same.
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("there is randomness");
        Authority(CertifiedIssuer::self_signed(params, key).expect("it is valid"))
    }

    /// A certificate and its key, both PEM.
    pub(super) fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("there is randomness");
        let params = CertificateParams::new([name.to_owned()]).expect("it is valid");
        (params.signed_by(&key, &self.0).expect("it is valid").pem(), key.serialize_pem())
    }
}

pub(super) fn write_tls(folder: &Path, authority: &Authority) -> String {
    let (certificate, key) = authority.sign("localhost");
    for (name, text) in [("server.pem", certificate), ("server.key", key), ("ca.pem", authority.0.pem())] {
        fs::write(folder.join(name), text).expect("it is writable");
    }
    "[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\nclient_authorities = \"ca.pem\"\n".to_owned()
}

pub(super) fn connect(
    served: &Served,
    authority: &Authority,
    client: Option<(String, String)>,
) -> tonic::transport::Channel {
    let mut tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.0.pem())).domain_name("localhost");
    if let Some((certificate, key)) = client {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let endpoint = Endpoint::from_shared(served.endpoint.clone()).expect("it is an address");
    endpoint.tls_config(tls).expect("it is valid").connect_lazy()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn certificates_bind_principals_too() {
    let folder = tempdir().expect("a temporary directory");
    let config = folder.path().join("phalanx.toml");
    let authority = Authority::new();
    let alice = format!("[\"0x{}\"]", hex(&ALICE));
    let text = [
        write_tls(folder.path(), &authority),
        principal("billing", "[\"submit\"]", &alice, "certificate = \"billing.example\""),
        principal("auditor", "[\"read\"]", "[]", &token_line("auditor-token")),
    ];
    fs::write(&config, text.concat()).expect("it is writable");
    let served = Served::start(folder.path(), &["--config", config.to_str().expect("UTF-8")]);
    assert!(served.endpoint.starts_with("https://"), "{}", served.endpoint);

    let billing = connect(&served, &authority, Some(authority.sign("billing.example")));
    let mut execution = ExecutionServiceClient::new(billing);
    assert!(execution.submit(transfer(ALICE)).await.is_ok());
    check(execution.submit(transfer(BOB)).await, Code::PermissionDenied, "SENDER");
    let stranger = connect(&served, &authority, Some(authority.sign("stranger.example")));
    check(
        ExecutionServiceClient::new(stranger).submit(transfer(ALICE)).await,
        Code::Unauthenticated,
        "UNAUTHENTICATED",
    );
    // Another authority's certificate is refused by the handshake.
    let forged = connect(&served, &authority, Some(Authority::new().sign("billing.example")));
    assert!(ExecutionServiceClient::new(forged).submit(transfer(ALICE)).await.is_err());
    // A token does without a certificate, but not without TLS.
    let tokens = connect(&served, &authority, None);
    let request = as_bearer("auditor-token", v1::GetServerInfoRequest {});
    assert!(QueryServiceClient::new(tokens).get_server_info(request).await.is_ok());
    let plain = Endpoint::from_shared(served.endpoint.replace("https", "http")).expect("it is an address");
    let request = as_bearer("auditor-token", v1::GetServerInfoRequest {});
    assert!(QueryServiceClient::new(plain.connect_lazy()).get_server_info(request).await.is_err());
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let folder = tempdir().expect("a temporary directory");
    let config = folder.path().join("phalanx.toml");
    let data = folder.path().join("data");
    for (text, expected) in [
        ("lisen = \"127.0.0.1:1\"", "unknown field `lisen`"),
        ("[tls]\ncertificate = \"no.pem\"\nkey = \"no.key\"", "no.pem"),
        ("[[principal]]\nname = \"a\"\nroles = [\"submit\"]\n", "neither token_sha256 nor certificate"),
    ] {
        fs::write(&config, text).expect("it is writable");
        let arguments =
            ["serve", "--data-dir", data.to_str().expect("UTF-8"), "--config", config.to_str().expect("UTF-8")];
        let ended = run(arguments).with_code(2);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
}
