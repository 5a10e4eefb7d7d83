use super::*;
use crate::serve::settings::origin::Origin;

fn of_file(text: &str) -> Result<Layer, Failure> {
    file::parse(Path::new("/etc/phalanx/phalanx.toml"), text)
}

#[test]
fn an_upper_layer_wins_and_keeps_its_origin() {
    let text = "listen = \"127.0.0.1:1\"\n\n[tls]\ncertificate = \"a.pem\"\nkey = \"/keys/a.key\"\n";
    let below = of_file(text).expect("it is whole");
    let flags = Layer { listen: Sourced::of_flag("127.0.0.1:2".parse().ok(), key::listen), ..Layer::default() };
    let settings = Settings { layer: flags.upon(below).upon(defaults()), files: Vec::new() };
    assert_eq!(settings.listen().port(), 2);
    let origin = |set: &Option<Sourced<PathBuf>>| set.as_ref().map(|set| set.origin.to_string());
    let layer = &settings.layer;
    assert_eq!(layer.listen.as_ref().map(|set| set.origin.to_string()).as_deref(), Some("--listen"));
    assert_eq!(origin(&layer.tls_certificate).as_deref(), Some("/etc/phalanx/phalanx.toml:4"));
    assert_eq!(origin(&layer.tls_key).as_deref(), Some("/etc/phalanx/phalanx.toml:5"));
    let tls = settings.tls().expect("it is whole").expect("it is set");
    // Paths are relative to the file that has them.
    assert_eq!(tls.certificate, Path::new("/etc/phalanx/a.pem"));
    assert_eq!(tls.key, Path::new("/keys/a.key"));
    assert_eq!(layer.mode.as_ref().map(|set| set.origin.clone()), Some(Origin::Default));
}

#[test]
fn principals_of_the_topmost_file_are_all_there_are() {
    let principal = |name: &str| format!("\n[[principal]]\nname = \"{name}\"\nroles = [\"read\"]\n");
    let upper = of_file(&[principal("a"), principal("b")].concat()).expect("it is whole");
    let lower = of_file(&principal("c")).expect("it is whole");
    let lines: Vec<_> = upper.principals.iter().map(|set| set.origin.to_string()).collect();
    assert_eq!(lines, ["/etc/phalanx/phalanx.toml:2", "/etc/phalanx/phalanx.toml:6"]);
    let names = |layer: Layer| layer.principals.iter().map(|set| set.value.shown().name.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(upper.upon(lower)), ["a", "b"]);
    assert_eq!(names(Layer::default().upon(of_file(&principal("c")).expect("it is whole"))), ["c"]);
}

#[test]
fn what_a_file_may_not_say_is_named_with_its_place() {
    let cases = [
        ("lisen = \"127.0.0.1:1\"", "unknown field `lisen`", "did you mean `listen`?"),
        ("[tls]\ncertifcate = \"a\"", "unknown field `certifcate`", "did you mean `certificate`?"),
        ("batch_size = 0", "phalanx.toml:1: a batch has 1 to", ""),
        ("\nworkers = 5000", "phalanx.toml:2: 5000 is not in 1..=1024", ""),
        ("connection_threads = 0", "phalanx.toml:1: 0 is not in 1..=256", ""),
        ("mode = \"fast\"", "phalanx.toml:1: fast is none of auto, serial, pipe, optimistic, hinted", ""),
        ("log = \"loud\"", "phalanx.toml:1: loud is none of off, error, warn, info, debug", ""),
        ("listen = \"here\"", "phalanx.toml:1: ", ""),
        ("\nchain_id = \"0xab\"", "phalanx.toml:2: 0xab: a chain id is 0x and 64 hex digits", ""),
        ("public = [\"write\"]", "unknown variant `write`, expected one of `read`, `submit`, `deploy`", ""),
        ("require_signature = true", "unknown field `require_signature`", "did you mean `require_signatures`?"),
    ];
    for (text, cause, fix) in cases {
        let failure = of_file(text).expect_err("it is refused");
        assert!(failure.cause.contains(cause), "{}", failure.cause);
        assert!(failure.fix.contains(fix), "{}", failure.fix);
    }
    // What stands in the place of a hash may be the token itself, and the journal is read by others.
    for text in ["\ntoken = \"let-me-in\"", "[[principal]]\ntoken_sha256 = \"let-me-in\"", "\ntoken = \"let-me-in"] {
        let cause = of_file(text).expect_err("it is refused").cause;
        assert!(cause.contains("phalanx.toml:2: ") && !cause.contains("let-me-in"), "{cause}");
    }
}

#[test]
fn half_of_tls_is_refused() {
    for (text, missing) in [
        ("tls.certificate = \"a\"", "tls.key is missing"),
        ("tls.key = \"a\"", "tls.certificate is missing"),
        ("tls.client_authorities = \"a\"", "tls.certificate is missing"),
    ] {
        let settings = Settings { layer: of_file(text).expect("it is TOML"), files: Vec::new() };
        let cause = settings.tls().expect_err("it is refused").cause;
        assert!(cause.contains(missing) && cause.contains("phalanx.toml:1"), "{cause}");
    }
}
