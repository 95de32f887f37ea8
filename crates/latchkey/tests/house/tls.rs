//! Owner, operator and program over TLS: the api and ops listeners speak it themselves, the console behind a proxy that
//! does.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latchkey_crypto::digest::{sha256, to_hex};
use latchkey_crypto::sign::Signer;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::desk::{code_command, command, fed_command, totp_code};
use crate::serve::PostOffice;
use crate::server::Server;

const TOKEN: &str = "an-operators-token-that-is-made-for-this-test-alone";

/// A value of ASN.1 with its tag and length.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).expect("a short value").to_be_bytes();
    let mut value = vec![tag];
    match length {
        [0, short @ 0..0x80] => value.push(short),
        [0, byte] => value.extend([0x81, byte]),
        long => value.extend([[0x82].as_slice(), &long].concat()),
    }
    value.extend(content);
    value
}

/// A certificate of `localhost` that signs itself, and its private key: X.509 (RFC 5280) with Ed25519 (RFC 8410).
fn certificate() -> (String, String) {
    const SEQUENCE: u8 = 0x30;
    const OID: u8 = 0x06;
    let signer = Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(7));
    let algorithm = der(SEQUENCE, &[&der(OID, &[&[0x2b, 0x65, 0x70]])]);
    let common_name = der(SEQUENCE, &[&der(OID, &[&[0x55, 0x04, 0x03]]), &der(0x0c, &[b"made for a test"])]);
    let name = der(SEQUENCE, &[&der(0x31, &[&common_name])]);
    let validity = der(SEQUENCE, &[&der(0x17, &[b"200101000000Z"]), &der(0x18, &[b"20991231235959Z"])]);
    let names = der(SEQUENCE, &[&der(0x82, &[b"localhost"]), &der(0x87, &[&[127, 0, 0, 1]])]);
    let alternative_names = der(SEQUENCE, &[&der(OID, &[&[0x55, 0x1d, 0x11]]), &der(0x04, &[&names])]);
    let body = der(
        SEQUENCE,
        &[
            &der(0xa0, &[&der(0x02, &[&[2]])]),
            &der(0x02, &[&[1]]),
            &algorithm,
            &name,
            &validity,
            &name,
            &signer.public_key().expect("a pair").to_der(),
            &der(0xa3, &[&der(SEQUENCE, &[&alternative_names])]),
        ],
    );
    let signature = STANDARD.decode(signer.sign(&[&body]).expect("signed")).expect("base64");
    let whole = der(SEQUENCE, &[&body, &algorithm, &der(0x03, &[&[0], &signature])]);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(whole));
    (pem, signer.private_pem().expect("a key").expect("a pair").expose().to_owned())
}

fn private(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("written");
}

/// A proxy that speaks TLS and hands everything on in plain text, as one in front of a console does.
struct Proxy {
    at: SocketAddr,
    behind: mpsc::Sender<SocketAddr>,
}

impl Proxy {
    fn open(certificate: &Path, key: &Path) -> Self {
        let acceptor = TlsAcceptor::from(latchkey::listen::tls(certificate, key).expect("a certificate"));
        let (tell_at, at) = mpsc::channel();
        let (behind, told) = mpsc::channel::<SocketAddr>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                tell_at.send(listener.local_addr().expect("bound")).expect("it is awaited");
                let Ok(behind) = told.recv() else { return };
                while let Ok((stream, _)) = listener.accept().await {
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        let mut plain = TcpStream::connect(behind).await.expect("the console");
                        let mut stream = acceptor.accept(stream).await.expect("a handshake");
                        // Whoever ends the connection first ends both.
                        let _ = copy_bidirectional(&mut stream, &mut plain).await;
                    });
                }
            });
        });
        Self { at: at.recv().expect("a port"), behind }
    }
}

struct House {
    folder: TempDir,
    server: Server,
    office: PostOffice,
    console: String,
}

impl House {
    fn open() -> Self {
        let folder = TempDir::new().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::DirBuilder::new().mode(0o700).create(at("keys")).expect("a folder");
        let (certificate, key) = certificate();
        fs::write(at("keys/cert.pem"), certificate).expect("a file");
        private(&at("keys/cert.key"), &key);
        private(&at("keys/encryption.key"), &format!("{}\n", "5a".repeat(32)));
        let signer = Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(3));
        private(&at("keys/audit.pem"), signer.private_pem().expect("a key").expect("a pair").expose());
        private(&at("keys/operator.token"), TOKEN);
        let proxy = Proxy::open(&at("keys/cert.pem"), &at("keys/cert.key"));
        let console = format!("https://localhost:{}", proxy.at.port());
        let office = PostOffice::open();
        let tls = "certificate = \"keys/cert.pem\"\nkey = \"keys/cert.key\"\n";
        let config = format!(
            "data_dir = \"data\"\n[policy]\nfirst_factor = \"password\"\n[api]\nlisten = \"127.0.0.1:0\"\n[api.tls]\n{tls}\
             [console]\nlisten = \"127.0.0.1:0\"\norigin = \"{console}\"\n[ops]\nlisten = \"127.0.0.1:0\"\n\
             imports = true\n[ops.tls]\n{tls}[keys]\nencryption_key_file = \"keys/encryption.key\"\n\
             audit_key_file = \"keys/audit.pem\"\n[operators.carol]\ntoken_sha256 = \"{}\"\n\
             [mail]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"keys@example.com\"\n",
            to_hex(&sha256(TOKEN.as_bytes())),
            office.port,
        );
        fs::write(at("latchkey.toml"), config).expect("a configuration");
        let server = Server::serve(folder.path(), &at("latchkey.toml"));
        proxy.behind.send(server.console).expect("it waits");
        Self { folder, server, office, console }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    fn owner(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
        let (session, certificates) = (self.text("session.json"), self.text("keys/cert.pem"));
        let mut words = arguments.to_vec();
        words.extend(["--session", &session, "--trusted-certificates", &certificates]);
        let password = ("LATCHKEY_PASSWORD", "a password of bob's own");
        command(&words, &environment.iter().copied().chain([password]).collect::<Vec<_>>(), "")
    }

    fn operator(&self, arguments: &[&str], is_trusted: bool) -> (i32, String, String) {
        let (ops, token) = (format!("https://localhost:{}", self.server.ops.port()), self.text("keys/operator.token"));
        let certificates = self.text("keys/cert.pem");
        let mut words = arguments.to_vec();
        words.extend(["--ops", &ops, "--token-file", &token]);
        if is_trusted {
            words.extend(["--trusted-certificates", &certificates]);
        }
        command(&words, &[], "")
    }
}

#[test]
fn operators_reach_every_verb_over_tls() {
    let house = House::open();
    assert!(house.server.ready.contains(" ops=https://"), "{}", house.server.ready);
    let create = ["account", "create", "bob@example.com", "--kyc", "verified-plus", "--deposited", "true"];
    let strange = house.operator(&create, false);
    assert!(strange.0 == 1 && strange.1.is_empty(), "the public certificates do not vouch for it: {strange:?}");
    assert_eq!(house.operator(&create, true).0, 0);
    let file = house.text("keys.tsv");
    let api_key = "TlsTlsTlsTlsTlsTlsTlsTlsTlsTlsTlsTlsTlsTlsTlsTlsTlsTlsTlsTls0001";
    let row = format!("bob@example.com\tbot\thmac\t{api_key}\t{}\t127.0.0.1\n", api_key.to_ascii_uppercase());
    fs::write(&file, format!("# latchkey keys 1\naccount\tlabel\ttype\tapi_key\tsecret_key\tips\n{row}"))
        .expect("a file");
    let verbs: [&[&str]; 6] = [
        &["account", "list"],
        &["key", "list", "--account", "bob@example.com"],
        &["token", "list"],
        &["audit", "export"],
        &["audit", "head"],
        &["audit", "key"],
    ];
    for verb in verbs {
        let done = house.operator(verb, true);
        assert_eq!(done.0, 0, "{verb:?}: {done:?}");
    }
    let imported = house.operator(&["import", "keys", &file], true);
    assert!(imported.0 == 1 && imported.2.contains("factor"), "asked over TLS, refused by a rule: {imported:?}");
}

#[test]
fn an_owner_gets_to_a_signed_call_over_tls() {
    let house = House::open();
    let create = ["account", "create", "bob@example.com", "--kyc", "verified-plus", "--deposited", "true"];
    assert_eq!(house.operator(&create, true).0, 0);
    let office = house.office.clone();
    let (mail, feeder) = fed_command(&house.path("code"), move || office.code("Subject: Choose your password"));
    let login = ["login", "--console", &house.console, "--email", "bob@example.com", "--new-password"];
    let login: Vec<&str> = login.iter().copied().chain(["--email-code-command", &mail]).collect();
    let signed_in = house.owner(&login, &[]);
    feeder.join().expect("a code was sent");
    assert_eq!(signed_in.0, 0, "{signed_in:?}");
    let (seed, words) = (house.text("seed"), code_command(&house.path("seed")));
    let enrolled = house.owner(&["factor", "totp", "--secret-out", &seed, "--totp-command", &words], &[]);
    assert_eq!(enrolled.0, 0, "{enrolled:?}");

    let key = house.text("signer.pem");
    let public = command(&["keygen", "--type", "ed25519", "--out", &key], &[], "");
    fs::write(house.path("signer.pub.pem"), &public.1).expect("a file");
    let create =
        ["key", "create", "bot", "--ips", "127.0.0.1", "--json", "--public-key", &house.text("signer.pub.pem")];
    let code = totp_code(&fs::read_to_string(&seed).expect("the seed's file"), 1);
    let made = house.owner(&create, &[("LATCHKEY_TOTP", &code)]);
    assert_eq!(made.0, 0, "{made:?}");
    let made: Value = serde_json::from_str(&made.1).expect("JSON");

    let profiles = house.path("profiles.toml");
    let profile = |certificates: &str| {
        format!(
            "base_url = \"https://localhost:{}\"\napi_key = {}\nkey_type = \"ed25519\"\n\
             secret_file = \"signer.pem\"\n{certificates}\n",
            house.server.api.port(),
            made["key"]["apiKey"],
        )
    };
    let trusting = profile("trusted_certificates = \"keys/cert.pem\"");
    private(&profiles, &format!("[profile.bot]\n{trusting}[profile.public]\n{}", profile("")));
    let run = |verb: &[&str], profile: &str| {
        let words = ["--profile", profile, "--profiles", profiles.to_str().expect("UTF-8")];
        command(&verb.iter().copied().chain(words).collect::<Vec<_>>(), &[], "")
    };
    let call = ["call", "--json", "GET", "/api/v3/account"];
    let answered = run(&call, "bot");
    assert_eq!(answered.0, 0, "{answered:?}");
    let answer: Value = serde_json::from_str(&answered.1).expect("JSON");
    assert_eq!(answer["status"], 200, "{answer}");
    assert_ne!(run(&call, "public").0, 0, "the public certificates do not vouch for it");
    let well = run(&["doctor", "--trusted-certificates", &house.text("keys/cert.pem")], "public");
    assert_eq!(well.0, 0, "{well:?}");
}
