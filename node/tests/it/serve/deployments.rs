//! What stands in `cluster-deploy`, held against the binary: settings and metrics; and what the image holds. Tools that judge the files better
//! than we do are asked where they are installed; a test that goes without one says so.

use phalanx_proto::v1;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::tempdir;

use super::access::{Authority, as_bearer, connect, write_tls};
use super::node::*;
use super::operation::get;
use crate::command::run;

fn deployed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cluster-deploy").join(path)
}

fn text_of(path: &str) -> String {
    fs::read_to_string(deployed(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A tool's answer; `None` if it is not installed, which is said.
fn asked(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            println!("skipped: {:?}: {error}", command.get_program());
            None
        }
    }
}

#[track_caller]
fn check(output: &Output) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
}

/// A metric that an expression asks for, with the labels that it must have.
type Asked = (String, Vec<(String, String)>);

/// The metrics of an expression. Labels that are matched by a pattern or a variable may have any value.
fn metrics_of(expression: &str) -> Vec<Asked> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(is_name) {
        let end = rest[start..].find(|character| !is_name(character)).map_or(rest.len(), |length| start + length);
        let (name, behind) = (&rest[start..end], &rest[end..]);
        if name.starts_with("phalanx_") || name.starts_with("process_") {
            let labels =
                behind.strip_prefix('{').and_then(|labels| labels.split_once('}')).map_or("", |(labels, _)| labels);
            let pairs = labels.split(',').filter_map(|label| label.split_once('='));
            let exact = pairs.filter(|(key, value)| !matches!(*key, "job" | "instance") && !value.starts_with('~'));
            let labels = exact.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect();
            found.push((name.to_owned(), labels));
        }
        rest = behind;
    }
    found
}

/// Every text under a key `expr` of a dashboard.
fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => fields.iter().for_each(|(key, value)| match value.as_str() {
            Some(text) if key == "expr" => found.push(text.to_owned()),
            _ => expressions(value, found),
        }),
        serde_json::Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn metrics_are_found_in_expressions() {
    let expression =
        "sum by (le) (rate(phalanx_a_bucket{le=\"1.5\",instance=~\"$instance\"}[5m])) / process_b{job=\"x\"} > up";
    let labels = vec![("le".to_owned(), "1.5".to_owned())];
    assert_eq!(metrics_of(expression), [("phalanx_a_bucket".to_owned(), labels), ("process_b".to_owned(), Vec::new())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn dashboard_and_alerts_ask_for_what_a_node_exposes() {
    let folder = tempdir().expect("a temporary directory");
    let (config, authority) = (folder.path().join("phalanx.toml"), Authority::new());
    fs::write(&config, write_tls(folder.path(), &authority)).expect("it is writable");
    let options = ["--config", config.to_str().expect("UTF-8"), "--admin", "127.0.0.1:0"];
    let served = Served::start(folder.path(), &options);
    // Histograms and gauges appear with their first value, so there is a call, and a refused one.
    let mut execution = v1::execution_service_client::ExecutionServiceClient::new(connect(&served, &authority, None));
    let request = |call| v1::SubmitRequest { call, ..v1::SubmitRequest::default() };
    let call = Some(token_call(&[7; 32], "transfer", ALICE, BOB, 1));
    execution.submit(as_bearer("any", request(call))).await.expect("it is taken in");
    execution.submit(request(None)).await.expect_err("there is no call");
    let admin = served.started["admin"].as_str().expect("text").strip_prefix("http://").expect("it is").to_owned();
    let metrics = tokio::task::spawn_blocking(move || get(&admin, "/metrics").1).await.expect("it does not panic");

    let dashboard = serde_json::from_str(&text_of("grafana/phalanx-overview.json")).expect("it is JSON");
    let mut asking = Vec::new();
    expressions(&dashboard, &mut asking);
    let panels = asking.len();
    let alerts = text_of("prometheus/alerts.yaml");
    asking.extend(alerts.lines().filter(|line| !line.trim_start().starts_with('#')).map(str::to_owned));
    let asked: BTreeSet<Asked> = asking.iter().flat_map(|expression| metrics_of(expression)).collect();
    assert!(panels > 20 && asked.len() > 20, "{panels} panels, {asked:?}");
    for (name, labels) in &asked {
        let exposed = metrics.lines().any(|line| {
            let is_it = line.strip_prefix(&**name).is_some_and(|rest| rest.starts_with(['{', ' ']));
            is_it && labels.iter().all(|(key, value)| line.contains(&format!("{key}=\"{value}\"")))
        });
        assert!(exposed, "{name} with {labels:?} is asked for, and not exposed:\n{metrics}");
    }
    // What is exposed of us is shown, so that a new metric is not forgotten there.
    let named: BTreeSet<_> = asked.iter().map(|(name, _)| &**name).collect();
    for kind in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = kind.split_once(' ').expect("a name and a kind");
        let shown = if kind == "histogram" { format!("{name}_bucket") } else { name.to_owned() };
        assert!(named.contains(&*shown), "{name} is on no panel and in no alert");
    }
}

/// The arguments of `serve` in a line of a file: a list as JSON has it, or words.
fn arguments_of_serve(line: &str) -> Option<Vec<String>> {
    let words: Vec<String> = match line.find('[') {
        Some(start) => serde_json::from_str(&line[start..]).ok()?,
        None => line.split_whitespace().map(str::to_owned).collect(),
    };
    let serve = words.iter().position(|word| word == "serve")?;
    Some(words[serve + 1..].to_vec())
}

#[test]
fn settings_of_every_deployment_are_understood() {
    let places = [
        ("systemd/phalanx.service", "ExecStart=", "phalanx.toml"),
        ("compose/compose.yaml", "command:", "phalanx.toml"),
        ("kustomize/base/stateful-set.yaml", "args:", "kustomize/base/phalanx.toml"),
        ("kustomize/base/stateful-set.yaml", "args:", "kustomize/overlays/production/phalanx.toml"),
        ("container/Dockerfile", "CMD ", "phalanx.toml"),
    ];
    for (file, begins, config) in places {
        let text = text_of(file);
        let line = text.lines().map(str::trim).find(|line| line.starts_with(begins)).expect("it is there");
        let config = deployed(config).to_str().expect("UTF-8").to_owned();
        let mut arguments = arguments_of_serve(line).expect("it serves");
        for argument in &mut arguments {
            if argument == "/etc/phalanx/phalanx.toml" {
                argument.clone_from(&config);
            }
        }
        let shown = run(["config", "show", "--origin"].into_iter().map(str::to_owned).chain(arguments)).with_code(0);
        let has_config = file != "container/Dockerfile";
        assert_eq!(shown.stdout.contains("data_dir = \"/var/lib/phalanx\""), has_config, "{file}: {}", shown.stdout);
    }
    let image = text_of("container/Dockerfile");
    assert!(image.contains("ENV PHALANX_DATA_DIR=/var/lib/phalanx PHALANX_LOG_FORMAT=json"), "settings of the image");
}

#[test]
fn the_image_holds_a_static_binary_and_nothing_else() {
    let image = text_of("container/Dockerfile");
    let (build, last) = image.split_once("\nFROM scratch\n").expect("the last stage begins with nothing");
    // The C library is in the binary: there is none in the image.
    for part in ["RUSTFLAGS=\"-C target-feature=+crt-static\" cargo build", "--target x86_64-unknown-linux-gnu"] {
        assert!(build.contains(part), "{part}: {build}");
    }
    let instructions: Vec<_> =
        last.lines().filter(|line| line.starts_with(|first: char| first.is_uppercase())).collect();
    let copied: Vec<_> = instructions.iter().filter_map(|line| line.strip_prefix("COPY --from=build ")).collect();
    assert_eq!(
        copied,
        [
            "/source/target/x86_64-unknown-linux-gnu/release/phalanx /usr/bin/phalanx",
            "--chown=65532:65532 /empty /var/lib/phalanx",
        ]
    );
    // There is no shell that could run anything, and no list of users.
    assert!(!instructions.iter().any(|line| line.starts_with("RUN ") || line.starts_with("ADD ")), "{last}");
    assert!(instructions.contains(&"USER 65532:65532") && instructions.contains(&"ENTRYPOINT [\"/usr/bin/phalanx\"]"));
}

#[test]
fn manifests_render() {
    for (folder, expected) in [
        ("kustomize/base", "image: phalanx:latest"),
        ("kustomize/overlays/production", "image: registry.example/phalanx:0.1.0"),
    ] {
        let Some(rendered) = asked(Command::new("kubectl").arg("kustomize").arg(deployed(folder))) else { return };
        check(&rendered);
        let text = String::from_utf8(rendered.stdout).expect("it is text");
        for part in
            [expected, "[[principal]]", "path: /readyz", "terminationGracePeriodSeconds: 60", "kind: NetworkPolicy"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn the_unit_is_valid_and_hardened() {
    let folder = tempdir().expect("a temporary directory");
    let unit = folder.path().join("phalanx.service");
    let text = text_of("systemd/phalanx.service").replace("/usr/bin/phalanx", env!("CARGO_BIN_EXE_phalanx"));
    fs::write(&unit, text).expect("it is writable");
    let Some(verified) = asked(Command::new("systemd-analyze").arg("verify").arg(&unit)) else { return };
    check(&verified);
    let ignored = String::from_utf8_lossy(&verified.stderr).lines().any(|line| line.contains("phalanx.service"));
    assert!(!ignored, "{verified:?}");
    // Exposure of at most 2 of 10.
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold=20", "--no-pager"]).arg(&unit);
    check(&asked(&mut security).expect("it is installed"));
}
