//! Certificates that change while a node runs.

use phalanx_proto::v1;
use phalanx_proto::v1::query_service_client::QueryServiceClient;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::tempdir;
use tonic::transport::Channel;

use super::access::{Authority, connect, write_tls};
use super::node::*;
use super::operation::get;
use crate::command::on_directory;

/// Waits until so many reloads ended like this. A file that is read by chance between signal and look is read twice.
async fn wait_for_reloads(admin: &str, result: &str, count: u64) {
    let series = format!("phalanx_tls_reloads_total{{result=\"{result}\"}} ");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let address = admin.to_owned();
        let metrics =
            tokio::task::spawn_blocking(move || get(&address, "/metrics").1).await.expect("it does not panic");
        let reloads = metrics.lines().find_map(|line| line.strip_prefix(&*series)).expect("it is there from the start");
        if reloads.parse::<u64>().expect("a number") >= count {
            return;
        }
        assert!(Instant::now() < deadline, "{reloads} {result} within a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn is_answered(channel: Channel) -> bool {
    QueryServiceClient::new(channel).get_server_info(v1::GetServerInfoRequest {}).await.is_ok()
}

fn write_server(folder: &Path, (certificate, key): (String, String)) {
    fs::write(folder.join("server.pem"), certificate).expect("it is writable");
    fs::write(folder.join("server.key"), key).expect("it is writable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn new_connections_see_a_new_certificate_and_old_ones_live_on() {
    let folder = tempdir().expect("a temporary directory");
    let config = folder.path().join("phalanx.toml");
    let (old, new) = (Authority::new(), Authority::new());
    fs::write(&config, write_tls(folder.path(), &old)).expect("it is writable");
    let options = ["--config", config.to_str().expect("UTF-8"), "--admin", "127.0.0.1:0", "--log-format", "json"];
    let served = Served::start(folder.path(), &options);
    let admin = served.started["admin"].as_str().expect("text").strip_prefix("http://").expect("it is").to_owned();
    let before = connect(&served, &old, None);
    assert!(is_answered(before.clone()).await);

    // A key that is gone is complained of without a signal.
    fs::remove_file(folder.path().join("server.key")).expect("it is there");
    wait_for_reloads(&admin, "failed", 1).await;

    // A key of another certificate: those in use stay, and it is said.
    let (_, other_key) = old.sign("localhost");
    fs::write(folder.path().join("server.key"), other_key).expect("it is writable");
    let hangup = Command::new("kill").args(["-HUP", &served.process().to_string()]).status();
    assert!(hangup.expect("kill is installed").success());
    wait_for_reloads(&admin, "failed", 2).await;
    assert!(is_answered(connect(&served, &old, None)).await);

    // A pair that works is found without a signal.
    write_server(folder.path(), new.sign("localhost"));
    wait_for_reloads(&admin, "loaded", 1).await;
    assert!(is_answered(connect(&served, &new, None)).await);
    assert!(!is_answered(connect(&served, &old, None)).await, "the old certificate is gone");
    assert!(is_answered(before).await, "a connection keeps the certificate that it began with");

    // And one with a signal.
    write_server(folder.path(), old.sign("localhost"));
    let hangup = Command::new("kill").args(["-HUP", &served.process().to_string()]).status();
    assert!(hangup.expect("kill is installed").success());
    wait_for_reloads(&admin, "loaded", 2).await;
    assert!(is_answered(connect(&served, &old, None)).await);

    let ended = served.end();
    let complaints: Vec<serde_json::Value> =
        ended.stderr.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect();
    assert!(!complaints.is_empty());
    for complaint in complaints {
        assert_eq!(complaint["message"], "certificates not reloaded, those before stay in use");
        assert!(complaint["error"].as_str().expect("text").contains("server.key"), "{complaint}");
    }
}

#[test]
fn doctor_looks_at_what_a_node_would_show() {
    let folder = tempdir().expect("a temporary directory");
    let config = folder.path().join("phalanx.toml");
    let (authority, other) = (Authority::new(), Authority::new());
    fs::write(&config, write_tls(folder.path(), &authority)).expect("it is writable");
    let examine = |code| {
        let options = ["-o", "json", "--listen", "127.0.0.1:0", "--config", config.to_str().expect("UTF-8")];
        let report = on_directory(&["doctor"], &folder.path().join("data"), &options).with_code(code);
        let report = report.json("phalanx.doctor/1");
        let checks = report["checks"].as_array().expect("a list");
        let found = checks.iter().find(|finding| finding["check"] == "certificates").expect("it was looked at");
        (found["status"].clone(), found["measured"].as_str().expect("text").to_owned())
    };
    let (status, measured) = examine(0);
    assert!(status == "ok" && measured.starts_with("certificate and key belong together; "), "{measured}");
    fs::write(folder.path().join("server.key"), other.sign("localhost").1).expect("it is writable");
    let (status, measured) = examine(1);
    assert!(status == "fail" && measured.contains("server.key: "), "{measured}");
    fs::remove_file(folder.path().join("server.key")).expect("it is there");
    let (status, measured) = examine(1);
    assert!(status == "fail" && measured.contains("server.key: "), "{measured}");
}
