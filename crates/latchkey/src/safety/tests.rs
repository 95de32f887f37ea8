use super::*;
use crate::config::listen::ListenFlags;
use facts::PrivateFile;
use std::path::Path;

const SAFE: &str = r#"
data_dir = "/data"
[api]
listen = "0.0.0.0:8600"
behind_proxy = ["10.0.0.0/8"]
address_from = "forwarded"
[console]
listen = "127.0.0.1:8601"
origin = "https://console.example.com"
[ops]
listen = "127.0.0.1:8602"
[keys]
encryption_key_file = "/etc/kek"
audit_key_file = "/etc/audit.pem"
[mail]
host = "mail.example.com"
from = "keys@example.com"
[venue]
log = "durable"
[operators.ann]
token_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
"#;

const PRIVATE: Access = Access { mode: 0o600, foreign: false };
const OPEN: Access = Access { mode: 0o640, foreign: false };

fn private(fact: FileFact) -> PrivateFile {
    PrivateFile { field: "[operators.bob] token_file".into(), path: "/etc/bob".into(), fact }
}

fn facts() -> Facts {
    Facts {
        data_dir: PathFact { path: "/data".into(), fact: FileFact::Folder(Access { mode: 0o700, foreign: false }) },
        key_file: PathFact { path: "/etc/kek".into(), fact: FileFact::File(PRIVATE) },
        audit_key_file: PathFact { path: "/etc/audit.pem".into(), fact: FileFact::File(PRIVATE) },
        private: vec![private(FileFact::File(PRIVATE))],
    }
}

fn config(text: &str) -> Config {
    Config::parse("c".into(), text.into(), Path::new("/"), &ListenFlags::default()).unwrap()
}

/// What is found once pieces of the safe configuration are replaced.
fn found(edits: &[(&str, &str)]) -> Vec<Unsafe> {
    let mut text = SAFE.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    check(&config(&text), &facts())
}

fn found_with(change: impl FnOnce(&mut Facts)) -> Vec<Unsafe> {
    let mut facts = facts();
    change(&mut facts);
    check(&config(SAFE), &facts)
}

#[test]
fn a_safe_configuration_has_no_reason() {
    assert_eq!(found(&[]), []);
    let tls = "[api.tls]\ncertificate = \"c\"\nkey = \"k\"\n[console]";
    assert_eq!(found(&[("behind_proxy = [\"10.0.0.0/8\"]\naddress_from = \"forwarded\"", ""), ("[console]", tls)]), []);
    assert_eq!(
        found(&[("0.0.0.0:8600", "[::1]:8600"), ("behind_proxy = [\"10.0.0.0/8\"]\naddress_from = \"forwarded\"", "")]),
        []
    );
    assert_eq!(found_with(|facts| facts.data_dir.fact = FileFact::Missing), [], "it is made private at the start");
}

#[test]
fn a_public_listener_needs_tls_or_a_listed_proxy() {
    let api = [Unsafe::PublicApi("0.0.0.0:8600".parse().unwrap())];
    assert_eq!(found(&[("behind_proxy = [\"10.0.0.0/8\"]\naddress_from = \"forwarded\"", "")]), api);
    let [unsafe_api] = api.clone();
    assert_eq!(found(&[("[\"10.0.0.0/8\"]", "[]")]), [unsafe_api, Unsafe::ProxyWord("api")]);
    let console = [Unsafe::PublicConsole("192.0.2.1:8601".parse().unwrap())];
    assert_eq!(found(&[("127.0.0.1:8601", "192.0.2.1:8601")]), console);
    let listed = "192.0.2.1:8601\"\nbehind_proxy = [\"192.0.2.9\"]\naddress_from = \"x-forwarded-for\"\n#";
    assert_eq!(found(&[("127.0.0.1:8601", listed)]), []);
}

#[test]
fn proxies_and_their_word_come_together() {
    let word = "address_from = \"forwarded\"";
    assert_eq!(found(&[(word, "")]), [Unsafe::ProxyWord("api")]);
    assert_eq!(found(&[(word, "address_from = \"proxy-protocol\"")]), []);
    let console = |lines: &str| found(&[("127.0.0.1:8601\"", &format!("127.0.0.1:8601\"\n{lines}"))]);
    assert_eq!(console("behind_proxy = [\"192.0.2.9\"]"), [Unsafe::ProxyWord("console")]);
    assert_eq!(console("address_from = \"forwarded\""), [Unsafe::ProxyWord("console")]);
    let preamble = console("behind_proxy = [\"192.0.2.9\"]\naddress_from = \"proxy-protocol\"");
    assert_eq!(preamble, [Unsafe::ConsolePreamble]);
}

#[test]
fn ops_for_other_machines_needs_tls() {
    assert_eq!(found(&[("127.0.0.1:8602", "[::]:8602")]), [Unsafe::PublicOps("[::]:8602".parse().unwrap())]);
    let tls = "[ops.tls]\ncertificate = \"c\"\nkey = \"k\"\n[keys]";
    assert_eq!(found(&[("127.0.0.1:8602", "[::]:8602"), ("[keys]", tls)]), []);
}

#[test]
fn a_world_file_is_refused() {
    assert_eq!(found(&[("data_dir", "world = \"w.toml\"\ndata_dir")]), [Unsafe::WorldFile]);
}

#[test]
fn sandbox_calls_need_a_sandbox() {
    let calls = ("log = \"durable\"", "sandbox_calls = true");
    assert_eq!(found(&[calls]), [Unsafe::SandboxCalls]);
    assert_eq!(found(&[calls, ("[operators", "[sandbox]\nenabled = false\n[operators")]), [Unsafe::SandboxCalls]);
    assert_eq!(found(&[calls, ("[operators", "[sandbox]\nenabled = true\n[operators")]), []);
    assert_eq!(found(&[("[operators", "[sandbox]\nenabled = true\n[operators")]), [], "nothing calls it");
}

/// Both key files are judged alike.
fn found_with_key(field: &'static str, change: impl FnOnce(&mut PathFact)) -> Vec<Unsafe> {
    found_with(|facts| {
        change(if field == "audit_key_file" { &mut facts.audit_key_file } else { &mut facts.key_file });
    })
}

#[test]
fn a_key_lies_outside_the_data_and_is_private() {
    for (field, own) in [("encryption_key_file", "/etc/kek"), ("audit_key_file", "/etc/audit.pem")] {
        let of = |path: &str, problem| [Unsafe::KeyFile { field, path: path.into(), problem }];
        let inside = found_with_key(field, |file| file.path = "/data/sub/key".into());
        assert_eq!(inside, of("/data/sub/key", KeyFileProblem::InsideData));
        assert_eq!(found_with_key(field, |file| file.path = "/data-keys/kek".into()), [], "a neighbour is outside");
        let foreign = Access { mode: 0o600, foreign: true };
        for (fact, problem) in [
            (FileFact::File(OPEN), KeyFileProblem::Open(OPEN)),
            (FileFact::File(foreign), KeyFileProblem::Open(foreign)),
            (FileFact::Missing, KeyFileProblem::Missing),
            (FileFact::Folder(PRIVATE), KeyFileProblem::NotAFile),
            (FileFact::Other, KeyFileProblem::NotAFile),
        ] {
            assert_eq!(found_with_key(field, |file| file.fact = fact), of(own, problem));
        }
    }
}

#[test]
fn data_that_others_reach_is_refused() {
    for mode in [0o750, 0o705, 0o710, 0o701, 0o777] {
        let access = Access { mode, foreign: false };
        let open = found_with(|facts| facts.data_dir.fact = FileFact::Folder(access));
        assert_eq!(open, [Unsafe::DataOpen { path: "/data".into(), access }], "{mode:o}");
    }
    let file = found_with(|facts| facts.data_dir.fact = FileFact::File(PRIVATE));
    assert_eq!(file, [Unsafe::DataNotAFolder("/data".into())]);
}

#[test]
fn the_log_is_durable() {
    assert_eq!(found(&[("\"durable\"", "\"buffered\"")]), [Unsafe::LogNotDurable]);
}

#[test]
fn the_console_is_reached_over_https() {
    let plain = found(&[("https://console.example.com", "http://console.example.com")]);
    assert_eq!(plain, [Unsafe::PlainOrigin("http://console.example.com".into())]);
    let unsaid = found(&[("origin = \"https://console.example.com\"", "")]);
    assert_eq!(unsaid, [Unsafe::PlainOrigin("http://localhost:8601".into())]);
}

#[test]
fn somebody_operates_it() {
    let (table, _) = SAFE.split_at(SAFE.find("[operators").unwrap());
    assert_eq!(check(&config(table), &facts()), [Unsafe::NoOperator]);
}

#[test]
fn a_file_with_a_secret_is_private() {
    for (fact, expected) in [
        (FileFact::File(OPEN), "is open to other users (mode 0640)"),
        (FileFact::Missing, "does not exist"),
        (FileFact::Other, "is not a file"),
    ] {
        let PrivateFile { field, path, .. } = private(fact);
        let problem = Unsafe::PrivateFile { field, path, problem: expected.into() };
        assert_eq!(found_with(|facts| facts.private = vec![private(fact)]), [problem]);
    }
}

#[test]
fn every_named_secret_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{SAFE}[operators.bob]\ntoken_file = \"bob\"\n[api.tls]\ncertificate = \"c\"\nkey = \"api\"\n\
         [ops.tls]\ncertificate = \"c\"\nkey = \"ops\"\n"
    );
    let text = text.replacen("\nfrom =", "\nuser = \"u\"\npassword_file = \"pw\"\nfrom =", 1);
    let config = Config::parse("c".into(), text, folder.path(), &ListenFlags::default()).unwrap();
    let facts = facts::read(&config).unwrap();
    let fields: Vec<_> = facts.private.iter().map(|file| file.field.as_str()).collect();
    assert_eq!(fields, ["[operators.bob] token_file", "[api.tls] key", "[ops.tls] key", "[mail] password_file"]);
    assert!(facts.private.iter().all(|file| file.fact == FileFact::Missing));
}

#[test]
fn letters_leave_this_machine_under_tls() {
    let mail = |host: &str, tls: &str| {
        found(&[("host = \"mail.example.com\"", &format!("host = \"{host}\"\ntls = \"{tls}\""))])
    };
    for (host, tls) in [("mail.example.com", "starttls"), ("mail.example.com", "implicit"), ("127.0.0.1", "none")] {
        assert_eq!(mail(host, tls), [], "{host} {tls}");
    }
    assert_eq!(mail("mail.example.com", "none"), [Unsafe::PlainMail("mail.example.com".into())]);
}

#[test]
fn a_code_that_the_policy_asks_for_can_be_sent() {
    let no_mail = ("[mail]\nhost = \"mail.example.com\"\nfrom = \"keys@example.com\"\n", "");
    let missing = |fields: &[&'static str], channel, table| -> Vec<Unsafe> {
        fields.iter().map(|field| Unsafe::NoChannel { field, channel, table }).collect()
    };
    let by_mail = ["step_up_withdrawals", "step_up_controls_off", "first_factor"];
    assert_eq!(found(&[no_mail]), missing(&by_mail, "e-mail", "mail"));
    let without = "[policy]\nstep_up_withdrawals = \"factor\"\nstep_up_controls_off = \"factor\"\nfirst_factor = \"password\"\n[api]";
    assert_eq!(found(&[no_mail, ("[api]", without)]), []);
    let by_sms = "[policy]\nstep_up_widening = \"factor-and-sms\"\n[api]";
    assert_eq!(found(&[("[api]", by_sms)]), missing(&["step_up_widening"], "text message", "sms"));
    let sms = ("[operators", "[sms]\ncommand = [\"send\"]\n[operators");
    assert_eq!(found(&[("[api]", by_sms), sms]), []);
}

#[test]
fn a_wide_window_is_for_the_demo() {
    let wide = found(&[("[api]", "[policy]\nrecv_window_max_ms = 60001\n[api]")]);
    assert_eq!(wide, [Unsafe::RecvWindow(60_001)]);
}

#[test]
fn every_reason_is_named_at_once() {
    let mut facts = facts();
    facts.key_file = PathFact { path: "/data/kek".into(), fact: FileFact::File(OPEN) };
    facts.data_dir.fact = FileFact::Folder(Access { mode: 0o755, foreign: false });
    let text = r#"
world = "w.toml"
data_dir = "/data"
api.listen = "0.0.0.0:1"
console.listen = "0.0.0.0:2"
ops.listen = "0.0.0.0:3"
keys = { encryption_key_file = "/data/kek", audit_key_file = "/etc/audit.pem" }
venue = { log = "buffered", sandbox_calls = true }
policy.recv_window_max_ms = 120000
"#;
    let reasons: Vec<String> = check(&config(text), &facts).iter().map(ToString::to_string).collect();
    assert_eq!(reasons.len(), 15, "{reasons:#?}");
    for fragment in [
        "[api] listen",
        "[console] listen",
        "[ops] listen",
        "world file",
        "sandbox",
        "inside the data",
        "chmod 600",
        "chmod 700",
        "durable",
        "https://",
        "operator",
    ] {
        assert!(reasons.iter().any(|reason| reason.contains(fragment)), "{fragment}: {reasons:#?}");
    }
}
