//! Message signatures (RFC 9421) as callers send them.

use latchkey_crypto::message::{MessageAlgorithm, content_sha_256};
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::sign::Signer;
use latchkey_protocol::message_signature::{Draft, RequestParts};

use crate::server::{Server, run, wall_us};
use crate::signed::{Key, stamped};
use crate::wire::{Answer, ask};
use crate::world::{House, house_with, trader};

const BOTH: u32 = 81;
/// The key that accepts nothing else.
pub(crate) const ONLY: u32 = 82;
const PASSES: (u16, Option<i64>) = (200, None);
const NOT_VALID: (u16, Option<i64>) = (400, Some(-1022));
const UNUSABLE: (u16, Option<i64>) = (400, Some(-1102));

fn told(answer: &Answer) -> (u16, Option<i64>) {
    (answer.status, answer.code())
}

/// A key of 64 digits.
pub(crate) fn name(number: u32) -> String {
    format!("{number:064}")
}

fn house() -> House {
    let key = |number: u32, accepts: &str| {
        format!(
            "\n[[account.key]]\nlabel = \"{accepts}\"\ntype = \"hmac\"\naccepts = \"{accepts}\"\nips = [\"127.0.0.1\"]\n\
             permissions = [\"reading\", \"spot-and-margin-trading\"]\n\
             api_key = \"{number:064}\"\nsecret_key = \"{number:064}\"\n"
        )
    };
    let public = pair().public_key().expect("a pair").to_pem();
    let ed25519 = format!(
        "\n[[account.key]]\nlabel = \"pair\"\ntype = \"ed25519\"\naccepts = \"message9421\"\nips = [\"127.0.0.1\"]\n\
         permissions = [\"reading\"]\napi_key = \"{}\"\npublic_key = \"\"\"\n{public}\"\"\"\n",
        name(83)
    );
    house_with(&(key(BOTH, "both") + &key(ONLY, "message9421") + &ed25519))
}

/// A key pair that is the same in every run.
fn pair() -> Signer {
    Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(9))
}

fn secret(number: u32) -> Signer {
    Signer::hmac(&SecretKey::parse(name(number)).expect("64 digits"))
}

/// A request and the fields that sign it, each of them free to be changed before it is sent.
#[derive(Clone)]
pub(crate) struct Message {
    method: String,
    host: String,
    path: String,
    query: String,
    pub(crate) body: String,
    digest: String,
    input: String,
    signature: String,
    more: String,
}

impl Message {
    pub(crate) fn new(server: &Server, key: u32, method: &str, path: &str, query: &str, body: &str) -> Self {
        let mut noise = [0; 16];
        fresh(&mut noise);
        Self::signed(server, &secret(key), &name(key), (method, path, query, body), wall_us() / 1_000_000, &noise)
    }

    fn signed(
        server: &Server,
        signer: &Signer,
        key_id: &str,
        (method, path, query, body): (&str, &str, &str, &str),
        created: i64,
        noise: &[u8; 16],
    ) -> Self {
        let host = server.api.to_string();
        let digest = format!("sha-256=:{}:", content_sha_256(body.as_bytes()));
        let nonce = format!("{:032x}", u128::from_be_bytes(*noise));
        let draft = Draft {
            has_content: !body.is_empty(),
            created,
            nonce: &nonce,
            key_id,
            algorithm: MessageAlgorithm::preferred(signer.key_type()).name(),
        };
        let parts = RequestParts { method, authority: &host, path, query: query.as_bytes() };
        let signature = signer.sign_message(&draft.base(&parts, &digest)).expect("a signature");
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: body.to_owned(),
            digest: if body.is_empty() { String::new() } else { format!("Content-Digest: {digest}\r\n") },
            input: format!("sig1={}", draft.params()),
            signature: format!("sig1=:{signature}:"),
            more: String::new(),
            host,
        }
    }

    pub(crate) fn send(&self, server: &Server) -> Answer {
        let Self { method, host, path, query, body, digest, input, signature, more } = self;
        let mark = if query.is_empty() { "" } else { "?" };
        let length = body.len();
        ask(
            server.api,
            &format!(
                "{method} {path}{mark}{query} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 {digest}Signature-Input: {input}\r\nSignature: {signature}\r\n{more}Content-Length: {length}\r\n\r\n{body}"
            ),
        )
    }
}

/// Fresh bytes for a nonce: the clock is fresh enough, and a count keeps two apart.
fn fresh(noise: &mut [u8; 16]) {
    use std::sync::atomic::{AtomicI64, Ordering};
    static COUNT: AtomicI64 = AtomicI64::new(0);
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    noise[..8].copy_from_slice(&wall_us().to_be_bytes());
    noise[8..].copy_from_slice(&count.to_be_bytes());
}

const ORDER: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";

#[test]
fn a_message_signature_is_as_good_as_the_other() {
    let house = house();
    let server = &house.server;
    for key in [BOTH, ONLY] {
        let read = Message::new(server, key, "GET", "/api/v3/account", "omitZeroBalances=true", "");
        assert_eq!(told(&read.send(server)), PASSES, "{}", read.send(server).text());
        let order = Message::new(server, key, "POST", "/api/v3/order", "", ORDER);
        let answer = order.send(server);
        assert_eq!(told(&answer), PASSES, "{}", answer.text());
        assert!(answer.header("x-latchkey-clock-ms").is_some());
        let mixed = Message::new(server, key, "POST", "/api/v3/order", "symbol=BTCUSDT", &ORDER[15..]);
        assert_eq!(told(&mixed.send(server)), PASSES, "{}", mixed.send(server).text());
        let none = Message::new(server, key, "GET", "/api/v3/account", "", "");
        assert_eq!(told(&none.send(server)), PASSES);
    }
    let mut noise = [0; 16];
    fresh(&mut noise);
    let parts = ("GET", "/api/v3/account", "", "");
    let pair = Message::signed(server, &pair(), &name(83), parts, wall_us() / 1_000_000, &noise);
    assert_eq!(told(&pair.send(server)), PASSES, "{}", pair.send(server).text());
    // The header with the key may stand beside it, if it names the same.
    let named = Message { more: format!("X-MBX-APIKEY: {}\r\n", name(83)), ..pair.clone() };
    assert_eq!(told(&named.send(server)), PASSES);
    let named = Message { more: format!("X-MBX-APIKEY: {}\r\n", name(ONLY)), ..pair };
    assert_eq!(told(&named.send(server)), UNUSABLE);
}

/// What is changed after signing, and what becomes of the call.
type Change = (&'static str, (u16, Option<i64>), fn(&mut Message));

#[test]
fn nothing_of_a_signed_request_can_be_changed() {
    let house = house();
    let server = &house.server;
    let changes: &[Change] = &[
        ("nothing", PASSES, |_| {}),
        ("the method", NOT_VALID, |m| m.method = "DELETE".to_owned()),
        ("the path", NOT_VALID, |m| m.path = "/api/v3/order/test".to_owned()),
        ("the query", NOT_VALID, |m| m.query = "newClientOrderId=b".to_owned()),
        ("the query's spelling", NOT_VALID, |m| m.query = "newClientOrderId=%61".to_owned()),
        ("no query", NOT_VALID, |m| m.query = String::new()),
        ("the authority", NOT_VALID, |m| m.host = m.host.replace("127.0.0.1", "localhost")),
        ("the body", NOT_VALID, |m| m.body = m.body.replace("BUY", "SEL")),
        ("the body and its digest", NOT_VALID, |m| {
            m.body = m.body.replace("40000", "40001");
            m.digest = format!("Content-Digest: sha-256=:{}:\r\n", content_sha_256(m.body.as_bytes()));
        }),
        ("another digest", NOT_VALID, |m| m.digest = m.digest.replace("sha-256=:", "sha-512=:AAAA:, sha-256=:")),
        ("no digest", UNUSABLE, |m| m.digest = String::new()),
        ("two digests", UNUSABLE, |m| m.digest = m.digest.repeat(2)),
        ("created", NOT_VALID, |m| {
            let at = m.input.find("created=").expect("there") + 8;
            let seconds: i64 = m.input[at..at + 10].parse().expect("seconds");
            m.input.replace_range(at..at + 10, &(seconds - 1).to_string());
        }),
        ("an end", NOT_VALID, |m| m.input.push_str(";expires=99999999999")),
        ("the nonce", NOT_VALID, |m| m.input = m.input.replace("nonce=\"", "nonce=\"0")),
        ("no nonce", UNUSABLE, |m| m.input = m.input.replace("nonce=\"", "tag=\"")),
        ("the key", NOT_VALID, |m| m.input = m.input.replace(&name(BOTH), &name(ONLY))),
        ("an unknown key", (401, Some(-2015)), |m| m.input = m.input.replace(&name(BOTH), &name(99))),
        ("no key", (401, Some(-2014)), |m| m.input = m.input.replace(&name(BOTH), "key")),
        ("the algorithm", NOT_VALID, |m| m.input = m.input.replace("hmac-sha256", "ed25519")),
        ("no algorithm", NOT_VALID, |m| m.input = m.input.replace(";alg=\"hmac-sha256\"", "")),
        ("less covered", UNUSABLE, |m| m.input = m.input.replace("\"@method\" ", "")),
        ("no digest covered", UNUSABLE, |m| m.input = m.input.replace(" \"content-digest\"", "")),
        ("more covered", NOT_VALID, |m| m.input = m.input.replace("(", "(\"content-type\" ")),
        ("what is not there covered", NOT_VALID, |m| m.input = m.input.replace("(", "(\"date\" ")),
        ("the order of what is covered", NOT_VALID, |m| {
            m.input = m.input.replace("\"@method\" \"@authority\"", "\"@authority\" \"@method\"");
        }),
        ("the signature", NOT_VALID, |m| m.signature = format!("sig1=:{}=:", "A".repeat(43))),
        ("the signature's shape", NOT_VALID, |m| m.signature = "sig1=:AAAA:".to_owned()),
        ("two signatures", UNUSABLE, |m| m.signature = format!("{0}, {0}", m.signature)),
        ("two signature fields", UNUSABLE, |m| m.more = format!("Signature: {}\r\n", m.signature)),
        ("no signature", UNUSABLE, |m| m.signature = String::new()),
    ];
    for (what, expected, change) in changes {
        let mut message = Message::new(server, BOTH, "POST", "/api/v3/order", "newClientOrderId=a", ORDER);
        change(&mut message);
        let answer = message.send(server);
        assert_eq!(told(&answer), *expected, "{what}: {}", answer.text());
        assert_eq!(answer.header("x-latchkey-clock-ms").is_some(), *expected == PASSES, "{what}");
        if *expected == PASSES {
            let cancel = trader().call(server.api, "DELETE", "/api/v3/openOrders", "symbol=BTCUSDT");
            assert_eq!(cancel.status, 200, "{}", cancel.text());
        }
    }
    let open = trader().call(server.api, "GET", "/api/v3/openOrders", "symbol=BTCUSDT");
    assert_eq!(open.text().trim(), "[]");
}

#[test]
fn what_a_key_accepts_is_not_told_to_who_cannot_sign() {
    let house = house();
    let server = &house.server;
    let changes: [fn(&mut Message); 3] = [
        |m| m.input = m.input.replace("hmac-sha256", "ed25519"),
        |m| m.input = m.input.replace("(", "(\"date\" "),
        |m| m.signature = "sig1=:AAAA:".to_owned(),
    ];
    // The last accepts the compatible scheme alone.
    for key in [&name(BOTH), &name(ONLY), &name(83), &trader().api_key] {
        for change in changes {
            let mut message = Message::new(server, BOTH, "GET", "/api/v3/account", "", "");
            message.input = message.input.replace(&name(BOTH), key);
            change(&mut message);
            assert_eq!(told(&message.send(server)), NOT_VALID, "{key}");
        }
    }
}

#[test]
fn a_request_carries_one_scheme_and_one_that_its_key_accepts() {
    let house = house();
    let server = &house.server;
    let (both, only) = (Key::hmac(&name(BOTH), &name(BOTH)), Key::hmac(&name(ONLY), &name(ONLY)));
    assert_eq!(told(&both.call(server.api, "GET", "/api/v3/account", "")), PASSES);
    assert_eq!(told(&only.call(server.api, "GET", "/api/v3/account", "")), NOT_VALID);
    // A key that was set to nothing accepts the compatible scheme alone.
    let credentials = trader();
    let message = {
        let secret = SecretKey::parse(format!("{}0001", "Secret".repeat(10))).expect("64 characters");
        let parts = ("GET", "/api/v3/account", "", "");
        let mut noise = [0; 16];
        fresh(&mut noise);
        let signer = Signer::hmac(&secret);
        Message::signed(server, &signer, &credentials.api_key, parts, wall_us() / 1_000_000, &noise)
    };
    assert_eq!(told(&message.send(server)), NOT_VALID);

    let not_both = (400, Some(-1106));
    let payload = stamped("");
    let query = format!("{payload}&signature={}", both.sign(&payload));
    let message = Message::new(server, BOTH, "GET", "/api/v3/account", &query, "");
    assert_eq!(told(&message.send(server)), not_both, "{}", message.send(server).text());
    let message = Message::new(server, BOTH, "GET", "/api/v3/account", &payload, "");
    assert_eq!(told(&message.send(server)), not_both);
    let message = Message::new(server, BOTH, "GET", "/api/v3/account", "signature=00", "");
    assert_eq!(told(&message.send(server)), not_both);
}

#[test]
fn created_and_its_window_decide_about_time() {
    let house = house();
    let server = &house.server;
    let at = |offset_s: i64, query: &str| {
        let mut noise = [0; 16];
        fresh(&mut noise);
        let created = wall_us() / 1_000_000 + offset_s;
        let parts = ("GET", "/api/v3/account", query, "");
        told(&Message::signed(server, &secret(BOTH), &name(BOTH), parts, created, &noise).send(server))
    };
    let not_in_time = (400, Some(-1021));
    assert_eq!(at(0, "recvWindow=60000"), PASSES);
    assert_eq!(at(-30, "recvWindow=60000"), PASSES);
    assert_eq!(at(-30, ""), not_in_time);
    assert_eq!(at(-62, "recvWindow=60000"), not_in_time);
    assert_eq!(at(30, "recvWindow=60000"), not_in_time);
    assert_eq!(at(0, "recvWindow=60001"), (400, Some(-1102)));
}

#[test]
fn a_nonce_is_used_once() {
    let house = house();
    let server = &house.server;
    let order = Message::new(server, BOTH, "POST", "/api/v3/order", "recvWindow=60000", ORDER);
    assert_eq!(told(&order.send(server)), PASSES);
    assert_eq!(told(&order.send(server)), (400, Some(-2010)));
    // Another request under the same nonce.
    let noise = [7; 16];
    let signed = |body: &str| {
        let parts = ("POST", "/api/v3/order", "", body);
        Message::signed(server, &secret(BOTH), &name(BOTH), parts, wall_us() / 1_000_000, &noise)
    };
    assert_eq!(told(&signed(ORDER).send(server)), PASSES);
    assert_eq!(told(&signed(&ORDER.replace("40000", "40001")).send(server)), (400, Some(-2010)));
    let read = Message::new(server, BOTH, "GET", "/api/v3/account", "", "");
    assert_eq!((told(&read.send(server)), told(&read.send(server))), (PASSES, PASSES));
}

#[test]
fn the_command_line_speaks_both_schemes() {
    let house = house();
    let server = &house.server;
    let url = format!("http://{}", server.api);
    let credentials = server.data.join("credentials.json");
    let credentials = credentials.to_str().expect("UTF-8");
    let call = |key: &str, scheme: &str| {
        let common = ["call", "--base-url", &url, "--credentials", credentials, "--key", key, "--scheme", scheme];
        let order = ["--body", "POST", "/api/v3/order/test"];
        let parameters: Vec<_> = ORDER.split('&').collect();
        let ended = run(&[&common[..], &order, &parameters].concat());
        (ended.status.code(), ended.stderr)
    };
    for (key, scheme, code) in [
        ("both", "compatible", 0),
        ("both", "rfc9421", 0),
        ("message9421", "rfc9421", 0),
        ("message9421", "compatible", 1),
        ("trader", "compatible", 0),
        ("trader", "rfc9421", 1),
    ] {
        let (status, notes) = call(key, scheme);
        assert_eq!(status, Some(code), "{key} by {scheme}: {notes}");
        assert_eq!(notes.contains("-1022"), code == 1, "{key} by {scheme}: {notes}");
    }

    // What `sign` prints are the fields of a request that passes.
    let target = format!("{url}/api/v3/account?omitZeroBalances=true");
    let ended = run(&["sign", "--credentials", credentials, "--key", "both", "--scheme", "rfc9421", "--url", &target]);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let fields = ended.stdout.replace('\n', "\r\n");
    let host = server.api;
    let request = format!("GET /api/v3/account?omitZeroBalances=true HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
    let answer = ask(host, &request);
    assert_eq!(told(&answer), PASSES, "{}", answer.text());
}
