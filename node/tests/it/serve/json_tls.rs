//! JSON within TLS: over what the handshake agrees on, as the principal that the certificate or token names.

use phalanx_engine::PROTOCOL_VERSION;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::tempdir;

use super::access::{Authority, principal, token_line, write_tls};
use super::json::answer_of;
use super::node::*;

const INFO: &str = "/phalanx.v1.QueryService/GetServerInfo";

/// A client that trusts the node's authority and offers protocols.
fn client(folder: &Path, offered: &[&str], identity: Option<(String, String)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(folder.join("ca.pem")).expect("it was written");
    roots.add(authority).expect("it is a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("they are known").with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("it is PEM");
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("it is PEM");
            builder.with_client_auth_cert(vec![certificate], key).expect("they belong together")
        }
    };
    config.alpn_protocols = offered.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Shakes hands; the connection, and what is to be spoken.
fn connect(served: &Served, config: Arc<ClientConfig>) -> (StreamOwned<ClientConnection, TcpStream>, Option<String>) {
    let address = served.endpoint.strip_prefix("https://").expect("it has TLS");
    let mut stream = TcpStream::connect(address).expect("it listens");
    let name = ServerName::try_from("localhost").expect("it is a name");
    let mut connection = ClientConnection::new(config, name).expect("it is set up");
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).expect("it shakes hands");
    }
    let agreed = connection.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned());
    (StreamOwned::new(connection, stream), agreed)
}

/// Asks for the server's information over HTTP/1.1.
fn ask(mut stream: impl Read + Write, headers: &str) -> (u16, Value) {
    let head = format!("POST {INFO} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}");
    let request = format!("{head}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}");
    stream.write_all(request.as_bytes()).expect("it is open");
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        // The length of the answer says where it ends, whether TLS is closed in order or not.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
        read => drop(read.expect("it is answered")),
    }
    let (status, body) = answer_of(bytes);
    (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {body}")))
}

fn serve(folder: &Path, authority: &Authority) -> Served {
    let config = folder.join("phalanx.toml");
    let text = [
        write_tls(folder, authority),
        principal("auditor", "[\"read\"]", "[]", "certificate = \"auditor.example\""),
        principal("reader", "[\"read\"]", "[]", &token_line("reader-token")),
        principal("billing", "[\"submit\"]", "[]", "certificate = \"billing.example\""),
    ];
    fs::write(&config, text.concat()).expect("it is writable");
    Served::start(folder, &["--config", config.to_str().expect("UTF-8")])
}

#[test]
fn http_1_is_spoken_where_it_is_agreed_on() {
    let folder = tempdir().expect("a temporary directory");
    let authority = Authority::new();
    let served = serve(folder.path(), &authority);
    let bearer = "Authorization: Bearer reader-token\r\n";
    for (offered, expected) in [(&["http/1.1"][..], Some("http/1.1")), (&[], None)] {
        let (stream, agreed) = connect(&served, client(folder.path(), offered, None));
        assert_eq!(agreed.as_deref(), expected);
        let (status, answer) = ask(stream, bearer);
        assert_eq!(
            (status, &answer["protocolVersion"]),
            (200, &Value::from(PROTOCOL_VERSION)),
            "{offered:?}: {answer}"
        );
    }
    // Who can do both speaks HTTP/2.
    let (_, agreed) = connect(&served, client(folder.path(), &["http/1.1", "h2"], None));
    assert_eq!(agreed.as_deref(), Some("h2"));
    // Nobody is let in for being within TLS.
    let (stream, _) = connect(&served, client(folder.path(), &["http/1.1"], None));
    let (status, answer) = ask(stream, "");
    assert_eq!((status, &answer["code"]), (401, &Value::from("unauthenticated")), "{answer}");
}

#[test]
fn certificates_name_principals_of_json_too() {
    let folder = tempdir().expect("a temporary directory");
    let authority = Authority::new();
    let served = serve(folder.path(), &authority);
    for (name, status) in [("auditor.example", 200), ("billing.example", 403), ("stranger.example", 401)] {
        let (stream, _) = connect(&served, client(folder.path(), &["http/1.1"], Some(authority.sign(name))));
        let (found, answer) = ask(stream, "");
        assert_eq!(found, status, "{name}: {answer}");
    }
}

#[test]
fn curl_speaks_both() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let folder = tempdir().expect("a temporary directory");
    let served = serve(folder.path(), &Authority::new());
    let port = served.endpoint.rsplit(':').next().expect("it has a port");
    let url = format!("https://localhost:{port}{INFO}");
    let resolve = format!("localhost:{port}:127.0.0.1");
    for (protocol, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let ended = Command::new("curl")
            .args(["-sS", protocol, "--resolve", &resolve, "-w", "%{stderr}%{http_version}", "--cacert"])
            .arg(folder.path().join("ca.pem"))
            .args([
                "-H",
                "content-type: application/json",
                "-H",
                "authorization: Bearer reader-token",
                "-d",
                "{}",
                &url,
            ])
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&ended.stderr);
        let answer: Value = serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{protocol}: {said}"));
        assert_eq!(
            (&answer["protocolVersion"], &*said),
            (&Value::from(PROTOCOL_VERSION), version),
            "{protocol}: {answer}"
        );
    }
}
