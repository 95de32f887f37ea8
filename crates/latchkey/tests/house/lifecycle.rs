use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::desk::Desk;
use crate::server::{Server, arguments, instant, run, wall_us};
use crate::signed::Key;
use crate::wire::{Answer, Wire, ask, get};
use crate::world::{House, WORLD, house, trader};

/// A value of the credentials file's entries.
fn operator_token(data: &Path) -> String {
    let text = std::fs::read(data.join("credentials.json")).expect("credentials");
    let list: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let found = list.as_array().expect("a list").iter().find_map(|entry| entry.get("operatorToken")?.as_str());
    found.expect("an operator's token").to_owned()
}

fn place(server: &Server, client_order_id: &str) -> Answer {
    let parameters = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000&newClientOrderId={client_order_id}"
    );
    trader().call(server.api, "POST", "/api/v3/order", &parameters)
}

fn query(server: &Server, client_order_id: &str) -> Answer {
    let parameters = format!("symbol=BTCUSDT&origClientOrderId={client_order_id}");
    trader().call(server.api, "GET", "/api/v3/order", &parameters)
}

#[test]
fn the_ready_line_names_three_doors_that_accept() {
    let House { mut server, folder: _folder, .. } = house();
    let fields: Vec<_> = server.ready.split(' ').collect();
    let [word, api, console, ops, ..] = fields[..] else { panic!("{}", server.ready) };
    assert_eq!(word, "ready");
    assert_eq!(api, format!("api=http://{}", server.api));
    assert_eq!(console, format!("console=http://localhost:{}", server.console.port()));
    assert_eq!(ops, format!("ops=http://{}", server.ops));
    assert_ne!(server.api.port(), 0);
    assert_eq!(get(server.api, "/api/v3/ping", "").status, 200);
    let page = ask(server.console, &format!("GET / HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", server.console.port()));
    assert_eq!(page.status, 200);
    let health = get(server.ops, "/health", "");
    assert_eq!((health.status, health.text().trim()), (200, "ok"));
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    assert!(!server.log().contains("ERROR") && !server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn a_restart_keeps_what_was_answered() {
    let House { mut server, world, folder } = house();
    let placed = place(&server, "before-the-stop");
    assert_eq!(placed.status, 200, "{}", placed.text());
    let balances = |server: &Server| trader().call(server.api, "GET", "/api/v3/account", "").json()["balances"].clone();
    let before = balances(&server);
    let token = operator_token(&server.data);
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());

    let mut again = Server::start(folder.path(), &world);
    let found = query(&again, "before-the-stop");
    assert_eq!(found.status, 200, "{}", found.text());
    assert_eq!(found.json()["orderId"], placed.json()["orderId"]);
    assert_eq!(found.json()["status"], "NEW");
    assert_eq!(balances(&again), before);
    assert_eq!(operator_token(&again.data), token);
    assert_eq!(get(again.ops, "/ops/v1/policy", &format!("Authorization: Bearer {token}\r\n")).status, 200);
    assert_eq!(place(&again, "after-the-start").status, 200);
    assert_eq!(again.stop().code(), Some(0), "{}", again.log());
}

#[test]
fn a_demo_that_found_its_port_taken_starts_on_its_folder_later() {
    let folder = TempDir::new().expect("a folder");
    let world = folder.path().join("world.toml");
    std::fs::write(&world, WORLD).expect("a world file");
    let data = folder.path().join("data");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut first = arguments(&data, &world);
    let api = first.iter().position(|argument| argument == "--api").expect("a flag") + 1;
    first[api] = taken.local_addr().expect("its address").to_string();
    let refused = run(&first.iter().map(String::as_str).collect::<Vec<_>>());
    assert_ne!(refused.status.code(), Some(0));
    assert!(refused.stderr.contains("another one is running"), "{}", refused.stderr);

    let mut server = Server::start(folder.path(), &world);
    assert_eq!(place(&server, "on-the-second-try").status, 200);
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
}

#[test]
fn a_used_folder_refuses_another_world_and_a_second_server() {
    let House { mut server, world, folder } = house();
    let text = |arguments: Vec<String>| arguments;
    let second = text(arguments(&server.data, &world));
    let second = run(&second.iter().map(String::as_str).collect::<Vec<_>>());
    assert_ne!(second.status.code(), Some(0));
    assert_eq!(second.stdout, "");
    assert!(second.stderr.contains("data folder"), "{}", second.stderr);
    assert_eq!(get(server.api, "/api/v3/ping", "").status, 200, "the first one is not disturbed");
    assert_eq!(server.stop().code(), Some(0));

    let other = folder.path().join("other.toml");
    std::fs::write(&other, WORLD.replace("vip = 9", "vip = 8")).expect("a world file");
    let refused = text(arguments(&server.data, &other));
    let refused = run(&refused.iter().map(String::as_str).collect::<Vec<_>>());
    assert_ne!(refused.status.code(), Some(0));
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("another world"), "{}", refused.stderr);
    assert!(refused.stderr.contains(server.data.to_str().expect("UTF-8")), "{}", refused.stderr);
}

#[test]
fn every_door_checks_the_name_that_it_is_called_by() {
    let House { server, folder: _folder, .. } = house();
    let named = |to, path: &str, host: &str| ask(to, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let doors = [(server.api, "/api/v3/ping"), (server.console, "/"), (server.ops, "/health")];
    for (to, path) in doors {
        assert_eq!(named(to, path, "localhost").status, 200, "{path}");
        for foreign in ["evil.example", "localhost.evil.example", "192.0.2.1", "metadata.google.internal:80"] {
            let answer = named(to, path, foreign);
            assert_eq!(answer.status, 421, "{path} as {foreign}: {}", answer.text());
        }
        let without = ask(to, &format!("GET {path} HTTP/1.1\r\n\r\n"));
        assert_eq!(without.status, 400, "{path}: {}", without.text());
        let twice = ask(to, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"));
        assert_eq!(twice.status, 400, "{path}: {}", twice.text());
    }
}

#[test]
fn people_and_operators_doors_refuse_a_foreign_origin() {
    let House { server, folder: _folder, .. } = house();
    let console = format!("localhost:{}", server.console.port());
    let asked = |to, host: &str, path: &str, origin: &str| {
        ask(to, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n")).status
    };
    let ops = server.ops.to_string();
    for foreign in ["http://evil.example", "null", "https://localhost", "http://localhost.evil.example"] {
        assert_eq!(asked(server.console, &console, "/", foreign), 403, "{foreign}");
        assert_eq!(asked(server.ops, &ops, "/health", foreign), 403, "{foreign}");
    }
    assert_eq!(asked(server.console, &console, "/", &format!("http://{console}")), 200);
    assert_eq!(asked(server.ops, &ops, "/health", &format!("http://{ops}")), 200);
}

#[test]
fn a_visit_to_the_consoles_address_is_sent_on_to_its_name() {
    let House { server, folder: _folder, .. } = house();
    let answer = get(server.console, "/a?b=c", "");
    assert_eq!(answer.status, 307, "{}", answer.text());
    let origin = format!("http://localhost:{}/a?b=c", server.console.port());
    assert_eq!(answer.header("location"), Some(origin.as_str()));
}

#[test]
fn operators_routes_open_to_the_token_alone() {
    let House { server, folder: _folder, .. } = house();
    let token = operator_token(&server.data);
    let with = |header: &str| get(server.ops, "/ops/v1/accounts", header).status;
    assert_eq!(with(&format!("Authorization: Bearer {token}\r\n")), 200);
    for wrong in ["", "Authorization: Bearer\r\n", "Authorization: Bearer x\r\n", "Authorization: Basic eDp5\r\n"] {
        assert_eq!(with(wrong), 401, "{wrong}");
    }
    assert_eq!(with(&format!("Authorization: Bearer {token}x\r\n")), 401);
    assert_eq!(with(&format!("Authorization: Bearer {}\r\n", token.to_lowercase())), 401);
    for path in ["/ops/v1/accounts/100000001/keys", "/ops/v1/audit", "/ops/v1/policy", "/ops/v1/venue/state-hash"] {
        assert_eq!(get(server.ops, path, "").status, 401, "{path}");
        assert_eq!(get(server.ops, path, &format!("Authorization: Bearer {token}\r\n")).status, 200, "{path}");
    }
    for open in ["/health", "/metrics"] {
        assert_eq!(get(server.ops, open, "").status, 200, "{open}");
    }
    let accounts = get(server.ops, "/ops/v1/accounts", &format!("Authorization: Bearer {token}\r\n")).text();
    assert!(!accounts.contains("argon2") && !accounts.contains("$"), "{accounts}");
}

#[test]
fn a_signal_lets_open_connections_end() {
    let House { mut server, folder: _folder, .. } = house();
    let mut idle = Wire::open(server.api);
    idle.send(format!("GET /api/v3/ping HTTP/1.1\r\nHost: {}\r\n\r\n", server.api).as_bytes());
    assert_eq!(idle.answer().expect("an answer").status, 200);
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    assert!(idle.answer().is_none());
}

#[test]
fn a_world_that_is_wrong_is_refused_by_its_line() {
    let folder = TempDir::new().expect("a folder");
    let world = folder.path().join("world.toml");
    let data = folder.path().join("data");
    let cases = [
        ("vip = 9", "vip = \"nine\"", "vip"),
        ("kyc = \"verified-plus\"", "kyc = \"royal\"", "royal"),
        ("seed = 1", "seed = 1\nspeed = 2", "speed"),
        ("Secret0001", "Secret-001", "secret_key"),
        ("\"spot-and-margin-trading\"", "\"everything\"", "everything"),
    ];
    for (from, to, named) in cases {
        let text = WORLD.replacen(from, to, 1);
        assert_ne!(text, WORLD, "{from}");
        std::fs::write(&world, &text).expect("a world file");
        let arguments = arguments(&data, &world);
        let ended = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ended.status.code(), Some(1), "{to}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{to}");
        assert!(ended.stderr.contains(named) && ended.stderr.contains("world.toml:"), "{to}: {}", ended.stderr);
        assert!(!data.join("credentials.json").exists(), "{to}: a refused world leaves nothing");
    }
}

#[test]
fn the_command_line_explains_itself() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for verb in ["demo", "serve", "keygen", "sign", "call"] {
        assert!(help.stdout.contains(verb), "{verb}: {}", help.stdout);
        let of_verb = run(&[verb, "--help"]);
        assert_eq!(of_verb.status.code(), Some(0), "{verb}: {}", of_verb.stderr);
        assert!(of_verb.stdout.contains("Usage: latchkey"), "{verb}: {}", of_verb.stdout);
    }
    assert_eq!(run(&["--version"]).status.code(), Some(0));
    for wrong in [&["dance"][..], &["--dance"], &["demo", "--dance"], &["serve"], &["demo", "--api", "nowhere"], &[]] {
        let ended = run(wrong);
        assert_eq!(ended.status.code(), Some(2), "{wrong:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("Usage") || ended.stderr.contains("--help"), "{wrong:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{wrong:?}");
    }
    let public = run(&["demo", "--api", "0.0.0.0:0"]);
    assert_eq!(public.status.code(), Some(1));
    assert!(public.stderr.contains("latchkey serve"), "{}", public.stderr);
}

#[test]
fn a_key_whose_days_are_over_is_refused_and_its_owner_is_told() {
    const SECRET: &str = "SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret0077";
    let name = format!("{:Z<60}0077", "Forgotten");
    let made = jiff::Timestamp::from_microsecond(wall_us() - 4 * 86_400_000_000).expect("a time");
    let key = format!(
        "\n[[account.key]]\nlabel = \"forgotten\"\ntype = \"hmac\"\npermissions = [\"reading\"]\napi_key = \"{name}\"\n\
         secret_key = \"{SECRET}\"\ncreated = \"{made}\"\n"
    );
    let short = WORLD.replacen("[policy]\n", "[policy]\nunrestricted_key_days = 3\n", 1);
    assert_ne!(short, WORLD);
    let folder = TempDir::new().expect("a folder");
    let world = folder.path().join("world.toml");
    std::fs::write(&world, format!("{short}{key}")).expect("a world file");
    let server = Server::start(folder.path(), &world);
    let refused = Key::hmac(&name, SECRET).call(server.api, "GET", "/api/v3/account", "");
    assert_eq!((refused.status, refused.code()), (401, Some(-2015)), "{}", refused.text());
    let ops = Desk::ops(&server, &operator_token(&server.data));
    let deadline = instant() + Duration::from_secs(30);
    let letter = loop {
        let letters = ops.get("/ops/v1/mailbox").json();
        let ended = letters["messages"].as_array().expect("messages").iter().find_map(|letter| {
            letter["text"].as_str().filter(|text| text.contains("The key \"forgotten\" has ended")).map(str::to_owned)
        });
        if let Some(letter) = ended {
            break letter;
        }
        assert!(instant() < deadline, "no letter: {letters}");
    };
    assert!(letter.contains("its life without an IP list is over"), "{letter}");
    let uid = ops.get("/ops/v1/accounts?email=alice@example.com").json()["accounts"][0]["uid"].clone();
    let keys = ops.get(&format!("/ops/v1/accounts/{uid}/keys")).json();
    let key = keys["keys"].as_array().expect("keys").iter().find(|key| key["label"] == "forgotten").cloned();
    assert_eq!(key.expect("the key")["state"], "expired", "it is written down");
}
