//! `phalanx config show`: which value applies, and where it came from.

use serde_json::Value;
use std::fs;
use tempfile::tempdir;

use crate::command::{Ended, phalanx};

fn origin_of<'a>(shown: &'a Value, key: &str) -> (&'a Value, &'a Value) {
    let settings = shown["settings"].as_array().expect("a list");
    let setting = settings.iter().find(|setting| setting["key"] == key).expect("every setting is there");
    (&setting["value"], &setting["origin"])
}

#[test]
fn each_value_says_where_it_came_from() {
    let folder = tempdir().expect("a temporary directory");
    let token = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let named = "# the node's\nlisten = \"127.0.0.1:7500\"\nadmin = \"127.0.0.1:7501\"\nbatch_size = 100\n\
                 require_signatures = true\n\n[[principal]]\nname = \"billing\"\nroles = [\"submit\"]\n\
                 senders = \"signed\"\ntoken_sha256 = \""
        .to_owned()
        + token
        + "\"\n";
    fs::write(folder.path().join("node.toml"), named).expect("it is writable");
    fs::write(folder.path().join("phalanx.toml"), "mode = \"serial\"\nbatch_size = 7\n").expect("it is writable");
    let users = folder.path().join("home/phalanx");
    fs::create_dir_all(&users).expect("it is writable");
    fs::write(users.join("config.toml"), "mode = \"pipe\"\nlog = \"debug\"\n").expect("it is writable");
    let chain = format!("0x{}", "ab".repeat(32));
    let show = |rest: &[&str]| {
        let mut command = phalanx();
        command.args(["config", "show", "--config", "node.toml", "--listen", "127.0.0.1:7600"]).args(rest);
        command.args(["--chain-id", &chain]).env("PHALANX_PUBLIC", "submit,read");
        command.current_dir(folder.path()).env("XDG_CONFIG_HOME", folder.path().join("home"));
        command.env("PHALANX_ADMIN", "127.0.0.1:7601").env("PHALANX_LISTEN", "127.0.0.1:7602");
        Ended::of(command.output().expect("the binary starts")).with_code(0)
    };
    let shown = show(&["--origin", "-o", "json"]).json("phalanx.config/1");
    let users = users.join("config.toml");
    for (key, value, origin) in [
        ("listen", Value::from("127.0.0.1:7600"), serde_json::json!({"kind": "flag", "name": "--listen"})),
        ("admin", "127.0.0.1:7601".into(), serde_json::json!({"kind": "environment", "name": "PHALANX_ADMIN"})),
        ("batch_size", 100.into(), serde_json::json!({"kind": "file", "path": "node.toml", "line": 4})),
        ("chain_id", chain.as_str().into(), serde_json::json!({"kind": "flag", "name": "--chain-id"})),
        ("require_signatures", true.into(), serde_json::json!({"kind": "file", "path": "node.toml", "line": 5})),
        ("public", vec!["read", "submit"].into(), serde_json::json!({"kind": "environment", "name": "PHALANX_PUBLIC"})),
        ("mode", "serial".into(), serde_json::json!({"kind": "file", "path": "phalanx.toml", "line": 1})),
        ("log", "debug".into(), serde_json::json!({"kind": "file", "path": users, "line": 2})),
        ("log_format", "text".into(), serde_json::json!({"kind": "default"})),
        ("otlp_endpoint", Value::Null, serde_json::json!({"kind": "default"})),
        ("tls.key", Value::Null, serde_json::json!({"kind": "default"})),
    ] {
        assert_eq!(origin_of(&shown, key), (&value, &origin), "{key}");
    }
    assert_eq!(shown["principals"][0]["origin"]["line"], 7);
    assert_eq!(shown["principals"][0]["senders"], "signed");
    assert_eq!(shown["principals"][0]["token_sha256"], "redacted");
    assert_eq!(shown["files"].as_array().map(Vec::len), Some(3));

    let human = show(&["--origin"]);
    assert!(human.stdout.contains("mode = \"serial\"  # phalanx.toml:1\n"), "{}", human.stdout);
    assert!(human.stdout.contains("[[principal]]  # node.toml:7\nname = \"billing\"\n"), "{}", human.stdout);
    for ended in [&human, &show(&["-o", "json"])] {
        assert!(!ended.stdout.contains(token) && !ended.stderr.contains(token));
    }
    // Printed as a configuration file that says the same.
    let again = human.stdout.replace("# token_sha256 is redacted", &format!("token_sha256 = \"{token}\""));
    fs::write(folder.path().join("again.toml"), again).expect("it is writable");
    let mut command = phalanx();
    command.args(["config", "show", "--config", "again.toml"]).current_dir(folder.path());
    let again = Ended::of(command.output().expect("the binary starts")).with_code(0);
    assert_eq!(again.stdout, show(&[]).stdout);
    assert!(human.stdout.contains(&format!("chain_id = \"{chain}\"  # --chain-id\n")), "{}", human.stdout);
    assert!(human.stdout.contains("public = [\"read\",\"submit\"]  # PHALANX_PUBLIC\n"), "{}", human.stdout);
}

#[test]
fn settings_that_serve_would_refuse_are_refused() {
    let folder = tempdir().expect("a temporary directory");
    let with = |name: &str, value: &str, arguments: &[&str]| {
        let mut command = phalanx();
        command.args(["config", "show"]).args(arguments).env(name, value).current_dir(folder.path());
        Ended::of(command.output().expect("the binary starts")).with_code(2).stderr
    };
    let cases = [
        (with("PHALANX_LISTEN", "here", &[]), "PHALANX_LISTEN: here: invalid socket address"),
        (with("PHALANX_WORKERS", "0", &[]), "PHALANX_WORKERS: 0 is not in 1..=1024"),
        (with("PHALANX_LISTEN", "0.0.0.0:7400", &[]), "0.0.0.0:7400 is not loopback"),
        (with("PHALANX_CHAIN_ID", "0xab", &[]), "PHALANX_CHAIN_ID: 0xab: a chain id is 0x and 64 hex digits"),
        (with("PHALANX_PUBLIC", "read,write", &[]), "PHALANX_PUBLIC: write is none of read, submit, deploy"),
        (with("PHALANX_REQUIRE_SIGNATURES", "true", &[]), "require_signatures needs a chain_id"),
        (with("PHALANX_CONFIG", "missing.toml", &[]), "missing.toml: No such file"),
        (
            with("PHALANX_OTLP_ENDPOINT", "https://collector:4317", &[]),
            "PHALANX_OTLP_ENDPOINT: https://collector:4317: a collector is http://HOST:PORT",
        ),
        (with("PHALANX_TLS_KEY", "a.key", &[]), "TLS is set in part (PHALANX_TLS_KEY): tls.certificate is missing"),
    ];
    for (found, expected) in cases {
        assert!(found.contains(expected), "{found}");
    }
    if cfg!(not(feature = "opentelemetry")) {
        let found = with("PHALANX_LOG", "info", &["--otlp-endpoint", "http://127.0.0.1:4317"]);
        assert!(
            found.contains("otlp_endpoint is set (--otlp-endpoint), and this phalanx was built without"),
            "{found}"
        );
    }
    fs::write(folder.path().join("phalanx.toml"), "lisen = \"127.0.0.1:1\"\n").expect("it is writable");
    let found = with("PHALANX_LOG", "info", &[]);
    assert!(found.contains("unknown field `lisen`") && found.contains("did you mean `listen`?"), "{found}");
}
