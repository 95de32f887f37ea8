use super::*;

const GOOD: &str = r#"
data_dir = "data"
profile = "binance-2026"

[policy]
request_weight_per_minute = 2400

[api]
listen = "0.0.0.0:8600"
names = ["api.example.com"]
behind_proxy = ["10.0.0.0/8", "fd00::/8", "192.0.2.1"]
[api.tls]
certificate = "/etc/latchkey/api.pem"
key = "api.key"

[console]
listen = "localhost:8701"
origin = "https://console.example.com"

[ops]
listen = "127.0.0.1:8702"

[keys]
encryption_key_file = "/etc/latchkey/kek"
audit_key_file = "audit.pem"
audit_former_keys = ["audit-1.pub.pem"]

[venue]
kind = "embedded"
log = "buffered"

[sandbox]
enabled = true

[operators.ann]
token_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
[operators.bob]
token_file = "bob.token"

[log]
filter = "debug"

[mail]
host = "mail.example.com"
user = "latchkey"
password_file = "mail.password"
from = "Latchkey <keys@example.com>"

[sms]
command = ["send-sms", "--quiet"]
timeout_seconds = 3
"#;

fn parse(text: &str) -> Result<Config, Problem> {
    Config::parse("c.toml".into(), text.into(), Path::new("/etc/l"), &ListenFlags::default())
}

#[test]
fn every_field_arrives() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.data_dir, Path::new("/etc/l/data"));
    assert_eq!((config.policy.request_weight_per_minute, config.policy.orders_per_10s), (2400, 50));
    assert_eq!(config.listeners.api.to_string(), "0.0.0.0:8600");
    assert_eq!(config.listeners.console.to_string(), "127.0.0.1:8701");
    assert_eq!(config.api_names(), ["api.example.com"]);
    assert_eq!(config.ops_names(), ["127.0.0.1", "localhost"]);
    assert_eq!(config.api.tls.unwrap().key, Path::new("/etc/l/api.key"));
    assert_eq!(config.api.behind_proxy.len(), 3);
    assert_eq!(config.console.origin.to_string(), "https://console.example.com");
    assert_eq!(config.keys.encryption_key_file, Path::new("/etc/latchkey/kek"));
    assert_eq!(config.keys.audit_key_file, Path::new("/etc/l/audit.pem"));
    assert_eq!(config.keys.audit_former_keys, [Path::new("/etc/l/audit-1.pub.pem")]);
    assert_eq!((config.venue.log, config.sandbox.enabled), (VenueLog::Buffered, true));
    let mail = config.mail.unwrap();
    assert_eq!((mail.host.as_str(), mail.port(), mail.tls), ("mail.example.com", 587, mail::MailTls::Starttls));
    assert_eq!(mail.password_file.as_deref(), Some(Path::new("/etc/l/mail.password")));
    let sms = config.sms.unwrap();
    assert_eq!((sms.command.len(), sms.timeout().as_secs()), (2, 3));
    assert_eq!(config.operators["bob"], OperatorCredential::File("/etc/l/bob.token".into()));
    assert!(matches!(config.operators["ann"], OperatorCredential::Sha256(_)));
    assert_eq!(config.log.filter, "debug");
}

#[test]
fn what_is_not_said_has_the_published_default() {
    let config = parse("data_dir = \"/d\"\n[keys]\nencryption_key_file = \"/k\"\naudit_key_file = \"/a\"\n").unwrap();
    assert_eq!(config.listeners, Listeners::default());
    assert_eq!(config.policy, Policy::default());
    assert_eq!(config.console.origin.to_string(), "http://localhost:8601");
    assert_eq!(
        (config.venue.log, config.venue.sandbox_calls, config.sandbox.enabled),
        (VenueLog::Durable, false, false)
    );
    assert!(config.world.is_none() && config.operators.is_empty());
    assert!(config.mail.is_none() && config.sms.is_none());
    assert_eq!(config.log.filter, "info");
}

#[test]
fn flags_win_over_the_file() {
    let flags = ListenFlags { api: Some("127.0.0.1:1".parse().unwrap()), ..ListenFlags::default() };
    let config = Config::parse("c".into(), GOOD.into(), Path::new("."), &flags).unwrap();
    assert_eq!(config.listeners.api.to_string(), "127.0.0.1:1");
    assert_eq!(config.listeners.ops.to_string(), "127.0.0.1:8702");
}

#[test]
fn records_are_kept_as_configured() {
    let text = format!(
        "{GOOD}\n[records]\nqueue = 4096\nflush_ms = 100\nsegment_mib = 8\nproven_days = 30\nproven_mib = 1024\n\
         unproven_days = 2\nunproven_mib = 64\nunproven_per_minute = 5\nreads_percent = 60\nunproven_percent = 20\n"
    );
    let records = parse(&text).unwrap().records;
    assert_eq!((records.queue, records.flush_every.as_millis(), records.segment_bytes), (4096, 100, 8 << 20));
    assert_eq!((records.proven.age.as_secs(), records.proven.bytes), (30 * 86_400, 1 << 30));
    assert_eq!((records.unproven.age.as_secs(), records.unproven.bytes), (2 * 86_400, 64 << 20));
    assert_eq!(records.unproven_per_key, 5);
    let shares = records.shares;
    assert_eq!((shares.changes, shares.reads, shares.unproven), (100, 60, 20));
    let usual = parse(GOOD).unwrap();
    assert_eq!(usual.records, RecordSettings::new(&usual.data_dir.join("calls")));
}

/// Replaces one piece of the good file and expects the problem.
fn check(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    let problem = parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(problem.starts_with(expected), "{problem}\nexpected: {expected}");
}

#[test]
fn a_problem_names_file_line_and_field() {
    check("data_dir", "data_folder", "c.toml:2:1: data_folder: unknown field `data_folder`");
    check("names =", "name =", "c.toml:10:1: [api] name: unknown field `name`");
    check("request_weight_per_minute = 2400", "weight = 1", "c.toml:6:1: [policy] weight: unknown field `weight`");
    check("2400", "0", "c.toml:6:1: [policy] request_weight_per_minute: policy field `request_weight_per_minute`");
    check("2400", "\"x\"", "c.toml:6:29: [policy] request_weight_per_minute: invalid type");
    check("\"0.0.0.0:8600\"", "8600", "c.toml:9:10: [api] listen: invalid type");
    check("\"0.0.0.0:8600\"", "\"8600\"", "c.toml:9:10: [api] listen: write an address and a port");
    check("10.0.0.0/8", "10.0.0.1/8", "c.toml:11:17: [api] behind_proxy: `10.0.0.1/8` has bits set");
    check("10.0.0.0/8", "0.0.0.0/1", "c.toml:11:17: [api] behind_proxy: `0.0.0.0/1` holds the unspecified");
    check("https://console.example.com", "https://127.0.0.1", "c.toml:18:10: [console] origin: an origin has a host");
    check("\"buffered\"", "\"sometimes\"", "c.toml:30:7: [venue] log: unknown variant `sometimes`");
    check("\"embedded\"", "\"proxied\"", "c.toml:29:8: [venue] kind: unknown variant `proxied`");
    check("0123456789abcdef\"", "0123456789abcdeg\"", "c.toml:36:16: [operators.ann] token_sha256: must be the 64 hex");
    check("token_file = \"bob.token\"", "", "c.toml:37:1: [operators.bob]: an operator has either");
    check("\"binance-2026\"", "\"binance\"", "c.toml:3:11: profile: unknown variant `binance`");
    check(
        "[keys]\nencryption_key_file = \"/etc/latchkey/kek\"\naudit_key_file = \"audit.pem\"\naudit_former_keys = [\"audit-1.pub.pem\"]",
        "",
        "c.toml:1:1: missing field `keys`",
    );
    check("enabled = true", "enabled = true\nenabled = true", "c.toml:34:1: [sandbox] enabled: duplicate key");
    check("user = \"latchkey\"\n", "", "c.toml:43:1: [mail]: `user` and `password_file` belong together");
    check("[\"send-sms\", \"--quiet\"]", "[]", "c.toml:49:1: [sms]: `command` names no program");
    let records = |fields: &str, expected: &str| check("[log]", &format!("[records]\n{fields}\n[log]"), expected);
    records("queue = 10", "c.toml:41:9: [records] queue: must be 1024 to 4194304");
    records("flush_ms = 0", "c.toml:41:12: [records] flush_ms: must be 10 to 10000");
    records("reads_percent = 101", "c.toml:41:17: [records] reads_percent: must be 1 to 100");
    records("reads_percent = 40", "c.toml:41:17: [records] reads_percent: `unproven_percent` is at most");
    records("proven_mib = 32", "c.toml:41:14: [records] proven_mib: must be at least 4 times `segment_mib`");
    records("proven_days = 0", "c.toml:41:15: [records] proven_days: must be 1 to 3650");
    records("que = 4096", "c.toml:41:1: [records] que: unknown field");
    check("[log]", "[log", "c.toml:40:5: [log: unclosed table");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problem = Config::load(Path::new("/nowhere/c.toml"), &ListenFlags::default()).unwrap_err().to_string();
    assert!(problem.starts_with("/nowhere/c.toml: cannot be read"), "{problem}");
}

#[test]
fn tokens_of_operators_are_hashed_and_short_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bob.token");
    let text = GOOD.replace("bob.token", path.to_str().unwrap());
    let config = parse(&text).unwrap();
    let refused = |config: &Config| config.operator_hashes().unwrap_err().to_string();
    assert!(refused(&config).contains("operator `bob`"));
    std::fs::write(&path, "short\n").unwrap();
    assert!(refused(&config).contains("operator `bob`"));
    let token = "t".repeat(TOKEN_MIN);
    std::fs::write(&path, format!("{token}\n")).unwrap();
    let hashes = config.operator_hashes().unwrap();
    assert_eq!(hashes["bob"], latchkey_crypto::digest::sha256(token.as_bytes()));
    assert_eq!(hashes["ann"][..2], [0x01, 0x23]);
}
