//! Keys from files, over the operators' door and by the command line.

use std::fs;

use latchkey_crypto::sign::Signer;
use serde_json::{Value, json};

use crate::audit::holds;
use crate::desk::{Desk, command, demo_token, scoped_token};
use crate::signed::Key;
use crate::wire::{Answer, ask};
use crate::world::{House, house, house_with};

const HEAD: &str =
    "# latchkey keys 1\naccount\tlabel\ttype\tapi_key\tsecret_key\tpublic_key\tpermissions\tips\tcreated\n";
const SECRET: &str = "ImportedImportedImportedImportedImportedImportedImportedSecret01";

fn name(number: u32) -> String {
    format!("{:Z<56}{number:08}", "Imported")
}

/// A line for an HMAC key of the world's account.
fn hmac(number: u32, permissions: &str, ips: &str) -> String {
    format!("alice@example.com\tkey {number}\thmac\t{}\t{SECRET}\t\t{permissions}\t{ips}\t\n", name(number))
}

/// A pair: the private key in PEM, and the public one as a file has it.
fn pair() -> (String, String) {
    let signer = Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(9));
    let pem = signer.public_key().expect("a pair").to_pem();
    let public = pem.lines().filter(|line| !line.starts_with('-')).collect();
    (signer.private_pem().expect("a key").expect("a pair").expose().to_owned(), public)
}

fn send(house: &House, token: &str, query: &str, file: &str) -> Answer {
    let (to, length) = (house.server.ops, file.len());
    ask(
        to,
        &format!(
            "POST /ops/v1/imports/keys{query} HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: text/tab-separated-values\r\nContent-Length: {length}\r\n\r\n{file}"
        ),
    )
}

fn keys(desk: &Desk) -> Vec<Value> {
    let uid =
        desk.get("/ops/v1/accounts?email=alice@example.com").json()["accounts"][0]["uid"].as_i64().expect("a uid");
    desk.get(&format!("/ops/v1/accounts/{uid}/keys")).json()["keys"].as_array().expect("keys").clone()
}

#[test]
fn imported_keys_sign_calls_and_stand_in_one_audit_record() {
    let house = house();
    let token = demo_token(&house.server.data);
    let desk = Desk::ops(&house.server, &token);
    let (private, public) = pair();
    let file = format!(
        "{HEAD}{}alice@example.com\tpair\ted25519\t{}\t\t{public}\treading,spot-and-margin-trading\t127.0.0.0/24\t\n",
        hmac(1, "reading", "127.0.0.1"),
        name(2),
    );
    let done = send(&house, &token, "", &file);
    assert_eq!(done.status, 200, "{}", done.text());
    let done = done.json();
    assert_eq!((&done["stored"], &done["batches"][0]["keys"]), (&json!(2), &json!(2)));
    assert_eq!((&done["batches"][0]["firstLine"], &done["batches"][0]["lastLine"]), (&json!(3), &json!(4)));

    for key in [Key::hmac(&name(1), SECRET), Key::pem(&name(2), &private)] {
        let answer = key.call(house.server.api, "GET", "/api/v3/account", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";
    let api = house.server.api;
    assert_eq!(Key::pem(&name(2), &private).call(api, "POST", "/api/v3/order", order).status, 200);
    assert_ne!(Key::hmac(&name(1), SECRET).call(api, "POST", "/api/v3/order", order).status, 200);

    let sequence = done["batches"][0]["sequence"].as_u64().expect("a number");
    let record = desk.get(&format!("/ops/v1/audit?account=0&after={}", sequence - 1)).json()["records"][0].clone();
    assert_eq!((&record["sequence"], &record["event"]["action"]), (&json!(sequence), &json!("keys-imported")));
    assert_eq!(record["event"]["after"][0]["import"]["digest"], done["batches"][0]["digest"]);
    assert_eq!(record["event"]["who"]["operator"], "demo");
    holds(&house, &desk);
    assert!(!house.server.log().contains(SECRET), "{}", house.server.log());
    for file in fs::read_dir(&house.server.data).expect("the data folder").flatten() {
        if file.file_name().to_string_lossy().starts_with("latchkey.db") {
            let bytes = fs::read(file.path()).expect("a file");
            assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{file:?}");
        }
    }
}

#[test]
fn a_line_that_a_rule_refuses_is_named_and_its_batch_leaves_nothing() {
    let house = house();
    let token = demo_token(&house.server.data);
    let desk = Desk::ops(&house.server, &token);
    let before = keys(&desk).len();
    let good = hmac(1, "reading", "127.0.0.1");
    let many: String = (10..41).map(|number| hmac(number, "reading", "127.0.0.1")).collect();
    let taken = format!("alice@example.com\tx\thmac\t{}\t{SECRET}\t\t\t127.0.0.1\t\n", crate::world::trader().api_key);
    let ed = |public: &str, permissions: &str, ips: &str| {
        format!("alice@example.com\tx\ted25519\t{}\t\t{public}\t{permissions}\t{ips}\t\n", name(5))
    };
    let cases = [
        (ed(&pair().1, "reading,withdrawals", "unrestricted"), 4, "withdrawals"),
        (hmac(2, "reading,fix-api-trade", "127.0.0.1"), 4, "fix-api-trade"),
        (hmac(2, "reading", "0.0.0.0"), 4, "the IP list is refused"),
        (hmac(2, "reading", SECRET), 4, "the IP list is refused: an entry is not an IP address"),
        (ed("AAAA", "", "127.0.0.1"), 4, "the public key is refused"),
        (taken, 4, "the API key is already taken"),
        (hmac(1, "reading", "127.0.0.1"), 4, "the API key is already taken"),
        (hmac(2, "reading", "127.0.0.1").replace("alice@", "nobody@"), 4, "`account` is not one"),
        (hmac(2, "reading", "127.0.0.1").replace("alice@example.com", "999999"), 4, "there is no such account"),
        (hmac(2, "reading", "127.0.0.1").replace("\t\n", "\t2099-01-01T00:00:00Z\n"), 4, "the time of creation"),
        (hmac(2, "reading", "127.0.0.1").replace(SECRET, "short"), 4, "`secret_key` is not a secret key"),
        ("too\tfew\n".to_owned(), 4, "it has 2 cells"),
        (many, 4 + 30 - u64::try_from(before).expect("few") - 1, "the account already has 30 keys"),
    ];
    for (line, number, reason) in cases {
        let refused = send(&house, &token, "", &format!("{HEAD}{good}{line}"));
        let said = refused.json();
        assert_eq!(refused.status, 422, "{reason}: {}", refused.text());
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        assert_eq!(
            (&said["line"], &said["stored"], &said["batches"]),
            (&json!(number), &json!(0), &json!([])),
            "{reason}"
        );
        assert!(said["detail"].as_str().expect("a text").starts_with(&format!("line {number}: ")), "{said}");
        assert!(refused.text().contains(reason), "{reason}: {}", refused.text());
        assert!(!refused.text().contains(SECRET), "{}", refused.text());
    }
    assert_eq!(keys(&desk).len(), before, "nothing of any batch is there");
    let audit = desk.get("/ops/v1/audit?account=0").json();
    let noted = audit["records"].as_array().expect("records").iter();
    let noted: Vec<_> = noted.filter_map(|record| record["event"]["outcome"]["refused"].as_str()).collect();
    assert_eq!(noted.len(), 13, "{audit}");
    assert!(noted.iter().any(|text| text.contains("line 4: the API key is already taken")));
    assert!(!audit.to_string().contains(SECRET) && !house.server.log().contains(SECRET));
    holds(&house, &desk);
}

/// Owners of a world that may have keys.
fn owners(count: u32) -> String {
    let owner = |number: u32| {
        format!(
            "\n[[account]]\nemail = \"u{number}@example.com\"\nkyc = \"verified-plus\"\ndeposited = true\n\
             totp = \"JBSWY3DPEHPK3PXP\"\n"
        )
    };
    (0..count).map(owner).collect()
}

#[test]
fn batches_before_a_refused_line_stay_and_the_import_goes_on_after_them() {
    let house = house_with(&owners(40));
    let token = demo_token(&house.server.data);
    let desk = Desk::ops(&house.server, &token);
    let lines: Vec<String> = (0..1_040_u32)
        .map(|number| hmac(number, "", "127.0.0.1").replace("alice@", &format!("u{}@", number % 40)))
        .collect();
    let broken = lines[1_039].replace("127.0.0.1", "");
    let file = format!("{HEAD}{}{broken}", lines[..1_039].concat());
    let refused = send(&house, &token, "", &file);
    let said = refused.json();
    assert_eq!((refused.status, &said["line"], &said["stored"]), (422, &json!(1_042), &json!(1_000)), "{said}");
    assert_eq!((&said["batches"][0]["lastLine"], &said["batches"][1]), (&json!(1_002), &Value::Null));
    let read =
        |number: u32| Key::hmac(&name(number), SECRET).call(house.server.api, "GET", "/api/v3/account", "").status;
    assert_eq!((read(999), read(1_000)), (200, 401), "the second batch is not there");

    let mended = format!("{HEAD}{}", lines.concat());
    let rest = send(&house, &token, "?fromLine=1003", &mended);
    assert_eq!((rest.status, &rest.json()["stored"]), (200, &json!(40)), "{}", rest.text());
    assert_eq!(read(1_039), 200);
    let again = send(&house, &token, "", &mended);
    assert!(again.status == 422 && again.json()["line"] == 3, "{}", again.text());
    holds(&house, &desk);
}

#[test]
fn a_token_for_something_else_imports_nothing() {
    let house = house();
    let desk = Desk::ops(&house.server, &demo_token(&house.server.data));
    let file = format!("{HEAD}{}", hmac(1, "reading", "127.0.0.1"));
    let other = scoped_token(&desk, &["accounts:write", "keys:hold", "tokens", "venue"]);
    let refused = send(&house, &other, "", &file);
    assert!(refused.status == 403 && refused.text().contains("imports"), "{}", refused.text());
    let own = scoped_token(&desk, &["imports"]);
    assert_eq!(send(&house, &own, "", &file).status, 200);
    assert_eq!(Desk::ops(&house.server, &own).get("/ops/v1/accounts").status, 403);
}

#[test]
fn the_command_line_imports_a_file_or_what_comes_in() {
    let house = house();
    let credentials = house.server.data.join("credentials.json");
    let credentials = credentials.to_str().expect("UTF-8");
    let path = house.folder.path().join("keys.tsv");
    let run = |file: &str, more: &[&str], input: &str| {
        let words = [&["import", "keys", file, "--credentials", credentials], more].concat();
        command(&words, &[], input)
    };
    fs::write(&path, format!("{HEAD}{}", hmac(1, "reading", "127.0.0.1"))).expect("a file");
    let file = path.to_str().expect("UTF-8");
    let (code, out, err) = run(file, &[], "");
    assert!(code == 0 && out.contains("3-3") && out.ends_with("1 keys stored\n"), "{out}{err}");
    let (code, out, err) = run(file, &[], "");
    assert!(code == 1 && out.is_empty() && err.contains("line 3: the API key is already taken"), "{out}{err}");
    assert!(!err.contains(SECRET), "{err}");
    let piped = format!("{HEAD}{}{}", hmac(1, "reading", "127.0.0.1"), hmac(2, "reading", "127.0.0.1"));
    let (code, out, err) = run("-", &["--from-line", "4", "--json"], &piped);
    assert_eq!(code, 0, "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON")["batches"][0]["firstLine"], 4);
    assert_eq!(Key::hmac(&name(2), SECRET).call(house.server.api, "GET", "/api/v3/account", "").status, 200);
    let missing = run("/nowhere/keys.tsv", &[], "");
    assert!(missing.0 == 1 && missing.2.contains("cannot read"), "{missing:?}");
}
