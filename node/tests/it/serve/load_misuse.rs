//! Wrong usage of the load generator: exit code 2, with the flag, the value and the limit, and no load.

use phalanx_proto::v1;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::tempdir;

use super::node::*;
use crate::command::run;

#[test]
fn every_flag_refuses_what_it_does_not_take() {
    // Nobody listens there: what is refused is refused before anybody connects.
    let nobody = "http://127.0.0.1:9";
    let cases: [(&[&str], &str); 46] = [
        (&["--form", "rows"], "columns, calls, submit"),
        (&["--connections", "0"], "0 is not in 1..=65536"),
        (&["--connections", "2"], "there are 1 streams to spread over them"),
        (&["--connections", "9", "--tasks", "8"], "there are 8 tasks"),
        (&["--streams", "0"], "0 is not in"),
        (&["--streams", "65537"], "65537 is not in 1..=65536"),
        (&["--streams", "2", "--tasks", "2"], "cannot be used with"),
        (&["--tasks", "none"], "invalid"),
        (&["--batch", "0"], "0 is not in 1..=65536"),
        (&["--batch", "65537"], "65537 is not in 1..=65536"),
        (&["--in-flight", "0"], "0 is not in 1..=1000"),
        (&["--in-flight", "2", "--tasks", "2"], "cannot be used with"),
        (&["--ack", "ordered"], "durable, executed"),
        (&["--receipts", "json"], "canonical, messages"),
        (&["--ids"], "calls of --form columns have none"),
        (&["--retries", "1"], "a stream waits for room"),
        (&["--retries", "1001", "--tasks", "1"], "1001 is not in 0..=1000"),
        (&["--timeout", "0"], "it must be above 0"),
        (&["--form", "submit", "--streams", "2"], "single requests, say --tasks"),
        (&["--form", "submit", "--batch", "2"], "1 call a request"),
        (&["--form", "submit", "--receipts", "canonical"], "Submit answers a message"),
        (&["--form", "submit", "--in-flight", "2"], "it is for streams"),
        (&["--accounts", "1"], "1 is not in 2..=10000000"),
        (&["--skew=-1"], "--skew must be a number from 0 on, not -1"),
        (&["--skew", "NaN"], "--skew must be a number from 0 on"),
        (&["--seed=-1"], "--seed"),
        (&["--prepared", "0"], "0 is not in 1..=10000000"),
        (&["--readers", "0"], "0 is not in 1..=65536"),
        (&["--reader-senders", "2"], "--readers <N>"),
        (&["--reader-senders", "101", "--readers", "1", "--accounts", "100"], "there are 100 accounts"),
        (&["--reader-pause", "1"], "--readers <N>"),
        (&["--reader-pause", "0", "--readers", "1"], "it must be above 0"),
        (&["--queries", "0"], "it must be above 0 and at most 1000000"),
        (&["--queries", "1000001"], "1000001 queries a second: it must be above 0"),
        (&["--queries", "0.5", "--duration", "1"], "none is made within --duration"),
        (&["--duration", "0"], "it must be above 0 and at most 86400"),
        (&["--duration", "86401"], "86401 seconds: it must be above 0 and at most 86400"),
        (&["--duration", "soon"], "`soon` is not a number of seconds"),
        (&["--rate", "0"], "it must be above 0 and at most 1000000000"),
        (&["--rate", "inf"], "it must be above 0"),
        (&["--rate", "1", "--duration", "1"], "4096 calls take longer than the 1 seconds"),
        (&["--rate", "2000000", "--batch", "1"], "above 1000000 a second"),
        (&["--window=-1"], "-1 seconds: it must be above 0"),
        (&["--min-rate", "NaN"], "it must be above 0"),
        (&["--max-p99", "0"], "it must be above 0"),
        (&["--server-pid", "4294967295"], "--server-pid 4294967295: there is no such process"),
    ];
    for (rest, expected) in cases {
        let ended = run([&["load", "--endpoint", nobody], rest].concat());
        assert_eq!((ended.code, &*ended.stdout), (2, ""), "{rest:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{rest:?}: {}", ended.stderr);
        assert!(ended.stderr.lines().count() >= 2, "{rest:?}: {}", ended.stderr);
    }
    for rest in [&["merge"][..], &["merge", "--min-rate", "0", "file"], &["--batch", "2", "merge", "file"], &["split"]]
    {
        let ended = run([&["load"], rest].concat());
        assert_eq!((ended.code, &*ended.stdout), (2, ""), "{rest:?}: {}", ended.stderr);
    }
    let ended = run(["load", "--endpoint", nobody]).with_code(3);
    assert!(ended.stderr.contains("check the endpoint"), "{}", ended.stderr);
}

#[tokio::test]
async fn what_passes_a_limit_of_the_node_is_refused_by_its_name_before_anything_is_deployed() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let cases: [(&[&str], &str); 6] = [
        (&["--tasks", "300", "--connections", "2"], "150 is above the node's limit connection_streams of 128"),
        (&["--tasks", "2000", "--connections", "1025"], "1025 is above the node's limit connections of 1024"),
        (&["--readers", "129"], "--readers: 129 is above the node's limit subscribers of 128"),
        (&["--readers", "1", "--reader-senders", "257"], "257 is above the node's limit filter_entries of 256"),
        (
            &["--tasks", "1009", "--connections", "1009", "--queries", "10"],
            "with those of readers and queries: 1025 is above the node's limit connections of 1024",
        ),
        (&["--in-flight", "33"], "--in-flight: 33 is above the node's limit stream_credits of 32"),
    ];
    for (rest, expected) in cases {
        let ended = run([&["load", "--endpoint", &served.endpoint], rest].concat()).with_code(2);
        assert!(ended.stderr.contains(expected) && ended.stdout.is_empty(), "{}", ended.stderr);
    }
    let past = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs() - 10;
    let late = ["load", "--endpoint", &served.endpoint, "--start-at", &past.to_string()];
    let ended = run(late).with_code(2);
    assert!(ended.stderr.contains("s ago"), "{}", ended.stderr);
    let info = served.query().get_server_info(v1::GetServerInfoRequest {}).await.expect("it is answered");
    assert_eq!(info.into_inner().height, 0);
}
