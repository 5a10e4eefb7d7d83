//! What a service manager is told.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use tempfile::tempdir;

use super::node::*;

#[test]
fn the_manager_hears_of_start_life_and_end() {
    let folder = tempdir().expect("a temporary directory");
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("it is a new name");
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("it is open");
    let variables = [("NOTIFY_SOCKET", path.to_str().expect("UTF-8")), ("WATCHDOG_USEC", "200000")];
    let served = Served::start_in(folder.path(), &[], &variables);
    let next = || {
        let mut message = [0; 4_096];
        let length = manager.recv(&mut message).expect("something comes within a minute");
        String::from_utf8(message[..length].to_vec()).expect("it is text").trim().to_owned()
    };
    assert_eq!(next(), "READY=1");
    // The cutter says that it lives, and again.
    assert_eq!([next(), next(), next()], ["WATCHDOG=1"; 3]);
    assert_eq!(served.end().code, 0);
    let rest: Vec<_> = std::iter::repeat_with(next).take_while(|message| message != "STOPPING=1").collect();
    assert!(rest.iter().all(|message| message == "WATCHDOG=1"), "{rest:?}");
}
