//! Limits, bans and their headers, and that a restart is no way round them.

use std::path::Path;

use latchkey_admission::limiter::{Held, HeldCount};
use latchkey_store::guard_state::GuardState;
use tempfile::TempDir;

use crate::server::{Server, instant, wall_us};
use crate::signed::Key;
use crate::wire::{Answer, ask, get};
use crate::world::{WORLD, lender, reader, trader};

/// Longer than any write takes.
const WRITE: std::time::Duration = std::time::Duration::from_secs(20);

/// A server whose policy has these fields, and nothing else of the other tests' policy.
fn with_policy(folder: &Path, fields: &str) -> (Server, std::path::PathBuf) {
    with_world(folder, fields, "")
}

/// As [`with_policy`], with more keys of the last account.
pub(crate) fn with_world(folder: &Path, fields: &str, keys: &str) -> (Server, std::path::PathBuf) {
    let world = folder.join("world.toml");
    let (before, rest) = WORLD.split_once("[policy]").expect("a policy");
    let (_, market) = rest.split_once("[market]").expect("a market");
    std::fs::write(&world, format!("{before}[policy]\n{fields}\n[market]{market}{keys}")).expect("a world file");
    (Server::start(folder, &world), world)
}

fn ping(server: &Server) -> Answer {
    get(server.api, "/api/v3/ping", "")
}

fn number(answer: &Answer, header: &str) -> i64 {
    let value = answer.header(header).unwrap_or_else(|| panic!("no {header} in {}", answer.head));
    value.parse().expect("a number")
}

/// Sends pings until the address is banned; every answer on the way, the first 418 last.
fn until_banned(server: &Server) -> Vec<Answer> {
    let mut answers = Vec::new();
    while answers.len() < 500 {
        answers.push(ping(server));
        if answers.last().is_some_and(|answer| answer.status == 418) {
            return answers;
        }
    }
    panic!("never banned");
}

/// The end of the ban that the text names, in milliseconds.
fn banned_until(answer: &Answer) -> i64 {
    let text = answer.text();
    let (_, rest) = text.split_once("IP banned until ").expect("the words of the contract");
    rest.split_once('.').and_then(|(digits, _)| digits.parse().ok()).expect("a time")
}

/// Waits until what the server keeps of its limiter is as `wanted`, or until the minute is over.
fn kept(server: &Server, minute: i64, wanted: impl Fn(&Held) -> bool) -> bool {
    let deadline = instant() + WRITE;
    while instant() < deadline {
        if GuardState::new(&server.data).load().expect("a whole file").is_some_and(|kept| wanted(&kept.held)) {
            return true;
        }
        if this_minute() != minute {
            return false;
        }
        std::thread::yield_now();
    }
    panic!("not written within {WRITE:?}");
}

fn this_minute() -> i64 {
    wall_us() / 60_000_000
}

#[test]
fn refusals_say_when_to_come_back_and_lead_to_a_ban() {
    let folder = TempDir::new().expect("a folder");
    let (server, _) = with_policy(folder.path(), "request_weight_per_minute = 30");
    let answers = until_banned(&server);
    let (ban, before) = answers.split_last().expect("answers");
    let refused: Vec<_> = before.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 20, "{} refusals came before the ban", refused.len());
    assert!(before.iter().all(|answer| answer.status == 200 || answer.status == 429));
    for answer in before.iter().filter(|answer| answer.status == 200) {
        assert!((1..=30).contains(&number(answer, "x-mbx-used-weight-1m")));
        assert_eq!(number(answer, "x-mbx-used-weight"), number(answer, "x-mbx-used-weight-1m"));
        assert_eq!(answer.header("retry-after"), None);
    }
    for answer in &refused {
        assert_eq!(answer.code(), Some(-1003));
        assert!(answer.text().contains("current limit is 30 request weight per 1 MINUTE."), "{}", answer.text());
        assert!((1..=60).contains(&number(answer, "retry-after")));
        assert_eq!(number(answer, "x-mbx-used-weight-1m"), 30);
    }
    assert_eq!(ban.code(), Some(-1003));
    assert!((1..=120).contains(&number(ban, "retry-after")));
    let until = banned_until(ban);
    assert_eq!(banned_until(&ping(&server)), until, "a ban is not lengthened by asking");
    // Every path is refused; `/sapi` knows no 418.
    assert_eq!(get(server.api, "/nothing", "").status, 418);
    let sapi = get(server.api, "/sapi/v1/account/status", "");
    assert_eq!((sapi.status, sapi.code(), banned_until(&sapi)), (429, Some(-1003), until));
    // A body that never comes is not waited for.
    let head = format!("POST /api/v3/order HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\n\r\n", server.api);
    assert_eq!(ask(server.api, &head).status, 418);
    // Operators are not callers.
    assert_eq!(get(server.ops, "/health", "").status, 200);
}

#[test]
fn a_ban_holds_after_a_stop_and_after_a_kill() {
    let folder = TempDir::new().expect("a folder");
    let (mut server, world) = with_policy(folder.path(), "request_weight_per_minute = 30");
    let until = banned_until(until_banned(&server).last().expect("a ban"));
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());

    let again = Server::start(folder.path(), &world);
    let answer = ping(&again);
    assert_eq!((answer.status, banned_until(&answer)), (418, until), "{}", answer.text());
    // Dropping a server kills it: nothing is flushed, nothing is said.
    drop(again);
    let third = Server::start(folder.path(), &world);
    let answer = ping(&third);
    assert_eq!((answer.status, banned_until(&answer)), (418, until), "{}", answer.text());
}

#[test]
fn a_new_ban_and_the_counts_that_lead_to_it_outlive_a_kill() {
    let folder = TempDir::new().expect("a folder");
    let (server, world) = with_policy(folder.path(), "request_weight_per_minute = 100");
    // Weight that is used stays used, so long as its minute runs; a minute that turns meanwhile is tried again.
    let (minute, used) = loop {
        let minute = this_minute();
        let used = number(&ping(&server), "x-mbx-used-weight-1m");
        let is_kept = |held: &Held| {
            held.addresses.iter().filter_map(|of| of.weight).any(|weight| i64::from(weight.count) == used)
        };
        if kept(&server, minute, is_kept) {
            break (minute, used);
        }
    };
    drop(server);
    let server = Server::start(folder.path(), &world);
    let next = number(&ping(&server), "x-mbx-used-weight-1m");
    if this_minute() == minute {
        assert_eq!(next, used + 1);
    }
    // A ban is on disk at once.
    let until = banned_until(until_banned(&server).last().expect("a ban"));
    // Bans do not turn with the minute.
    let is_kept = |held: &Held| held.bans.iter().any(|ban| ban.banned && ban.mark_ms == until);
    while !kept(&server, this_minute(), is_kept) {}
    drop(server);
    let server = Server::start(folder.path(), &world);
    let answer = ping(&server);
    assert_eq!((answer.status, banned_until(&answer)), (418, until), "{}", answer.text());
}

#[test]
fn what_was_used_of_endpoints_and_keys_outlives_a_stop_and_a_kill() {
    let folder = TempDir::new().expect("a folder");
    let policy = "sapi_ip_weight_per_minute = 3\nsapi_uid_weight_per_minute = 3\nkey_weight_per_minute = 8";
    let (mut server, world) = with_policy(folder.path(), policy);
    let calls: [(Key, &str); 3] = [
        (trader(), "/sapi/v1/account/status"),
        (trader(), "/sapi/v1/margin/api-key-list"),
        (lender(), "/latchkey/v1/key"),
    ];
    let statuses = |server: &Server| calls.each_ref().map(|(key, path)| key.call(server.api, "GET", path, "").status);
    let is_kept = |held: &Held| {
        let full = |count: &HeldCount, limit| count.count == limit;
        held.endpoints_of_addresses.iter().any(|(_, count)| full(count, 3))
            && held.endpoints_of_accounts.iter().any(|(_, count)| full(count, 3))
            && held.keys.iter().any(|(_, count)| full(count, 8))
    };
    for is_killed in [false, true] {
        // A minute that turns on the way is tried again.
        loop {
            let minute = this_minute();
            while statuses(&server) != [429; 3] {}
            if is_killed {
                if !kept(&server, minute, is_kept) {
                    continue;
                }
                drop(server);
            } else {
                assert_eq!(server.stop().code(), Some(0), "{}", server.log());
            }
            server = Server::start(folder.path(), &world);
            let found = statuses(&server);
            if this_minute() == minute {
                assert_eq!(found, [429; 3], "killed: {is_killed}");
                break;
            }
        }
    }
}

#[test]
fn a_key_that_is_at_home_stays_so_over_a_restart_in_the_middle_of_a_flood() {
    let folder = TempDir::new().expect("a folder");
    let (mut server, world) = with_policy(folder.path(), "failed_verifications_per_minute = 2");
    let home = |server: &Server| trader().call(server.api, "GET", "/api/v3/account", "").status;
    assert_eq!(home(&server), 200);
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    let again = Server::start(folder.path(), &world);
    let forged = || {
        let query = format!("timestamp={}&signature={}", wall_us() / 1000, "0".repeat(64));
        reader().send(again.api, "GET", "/api/v3/account", &query, "").status
    };
    assert!((0..20).any(|_| forged() == 429), "strangers have used up what they may");
    assert_eq!(home(&again), 200);
}

#[test]
fn orders_beyond_the_count_are_refused_before_their_other_faults() {
    let folder = TempDir::new().expect("a folder");
    let policy = "orders_per_day = 1\nrequest_weight_per_minute = 77777\nraw_requests_per_5m = 88888";
    let (server, _) = with_policy(folder.path(), policy);
    let place = |quantity: &str| {
        let order = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity={quantity}&price=40000");
        trader().call(server.api, "POST", "/api/v3/order", &order)
    };
    let placed = place("0.001");
    assert_eq!((placed.status, number(&placed, "x-mbx-order-count-1d")), (200, 1), "{}", placed.text());
    assert_eq!(number(&placed, "x-mbx-order-count-10s"), 1);
    // Too small for the filter, and too large for the funds.
    for quantity in ["0.000000001", "0.00000001", "1000"] {
        let refused = place(quantity);
        let expected = if quantity.len() > 10 { (400, Some(-1111)) } else { (429, Some(-1015)) };
        assert_eq!((refused.status, refused.code()), expected, "{quantity}: {}", refused.text());
        if refused.status == 429 {
            assert!(refused.text().contains("current limit is 1 orders per 1 DAY."), "{}", refused.text());
            assert!((1..=86_400).contains(&number(&refused, "retry-after")));
        }
    }
    let limits = get(server.api, "/api/v3/exchangeInfo", "").json()["rateLimits"].clone();
    let announced: Vec<_> = limits.as_array().expect("a list").iter().map(|row| row["limit"].as_i64()).collect();
    assert_eq!(announced, [Some(77_777), Some(100), Some(1), Some(88_888)]);
    let counts = trader().call(server.api, "GET", "/api/v3/rateLimit/order", "").json();
    assert_eq!((counts[1]["limit"].as_i64(), counts[1]["count"].as_i64()), (Some(1), Some(1)));
}

#[test]
fn a_successful_order_gives_its_weight_back_where_the_profile_says_so() {
    let folder = TempDir::new().expect("a folder");
    let (server, _) = with_policy(folder.path(), "successful_order_weight = \"zero\"");
    let place = |price: &str| {
        let order = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price={price}");
        trader().call(server.api, "POST", "/api/v3/order", &order)
    };
    let placed = place("40000");
    assert_eq!((placed.status, number(&placed, "x-mbx-used-weight-1m")), (200, 0), "{}", placed.text());
    let refused = place("0");
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!(number(&refused, "x-mbx-used-weight-1m"), 1, "a refused one costs what is listed");
    let minute = this_minute();
    let again = number(&place("40001"), "x-mbx-used-weight-1m");
    assert!(again == 1 || this_minute() > minute, "{again}");
}

#[test]
fn budgets_of_sapi_are_each_endpoints_own() {
    let folder = TempDir::new().expect("a folder");
    let (server, _) = with_policy(folder.path(), "sapi_ip_weight_per_minute = 3\nsapi_uid_weight_per_minute = 3");
    let ask = |path: &str| trader().call(server.api, "GET", path, "");
    for (path, header) in [
        ("/sapi/v1/account/status", "x-sapi-used-ip-weight-1m"),
        ("/sapi/v1/margin/api-key-list", "x-sapi-used-uid-weight-1m"),
    ] {
        let answers: Vec<_> = (0..8).map(|_| ask(path)).collect();
        let refused = answers.iter().find(|answer| answer.status == 429).expect("a refusal");
        assert_eq!(refused.code(), Some(-1003), "{}", refused.text());
        assert!(refused.text().contains("current limit is 3 request weight per 1 MINUTE."), "{}", refused.text());
        assert!((1..=60).contains(&number(refused, "retry-after")));
        assert!(answers.iter().filter(|answer| answer.status == 200).all(|answer| number(answer, header) <= 3));
        assert!(answers.iter().all(|answer| answer.header("x-mbx-used-weight").is_none()));
    }
    assert_eq!(ask("/sapi/v1/account/info").status, 200);
    assert_eq!(ping(&server).status, 200);
}

#[test]
fn failed_verifications_stop_strangers_and_not_the_key_that_is_known_here() {
    let folder = TempDir::new().expect("a folder");
    let (server, _) = with_policy(folder.path(), "failed_verifications_per_minute = 5");
    let known = || trader().call(server.api, "GET", "/api/v3/account", "").status;
    assert_eq!(known(), 200);
    let forged = || {
        let signature = "0".repeat(64);
        let query = format!("timestamp={}&signature={signature}", wall_us() / 1000);
        reader().send(server.api, "GET", "/api/v3/account", &query, "")
    };
    let answers: Vec<_> = (0..30).map(|_| forged()).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("a refusal");
    assert_eq!(refused.code(), Some(-1003));
    assert!((1..=60).contains(&number(refused, "retry-after")));
    assert!(answers.iter().filter(|answer| answer.code() == Some(-1022)).count() >= 5);
    assert!(answers.iter().all(|answer| answer.status != 418), "they lead to no ban");
    assert_eq!(known(), 200);
}

/// What `run` finds on a server with this policy and these keys, all of it within one minute; a minute that turns
/// meanwhile is tried again on another server.
fn within_a_minute<T>(policy: &str, keys: &str, run: impl Fn(&Server) -> T) -> T {
    loop {
        let folder = TempDir::new().expect("a folder");
        let (server, _) = with_world(folder.path(), policy, keys);
        let minute = this_minute();
        let found = run(&server);
        if this_minute() == minute {
            return found;
        }
    }
}

/// A greedy key sends 100 calls of weight 1, then its neighbour sends 20; the answers of both.
fn greedy_and_neighbour(server: &Server) -> (Vec<Answer>, Vec<Answer>) {
    let call = |key: &Key| key.call(server.api, "GET", "/latchkey/v1/key", "");
    ((0..100).map(|_| call(&trader())).collect(), (0..20).map(|_| call(&reader())).collect())
}

fn passed(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[test]
fn one_key_behind_a_shared_address_does_not_starve_its_neighbour() {
    let policy = "request_weight_per_minute = 40\nkey_share_percent = 50\n";
    let (greedy, neighbour) = within_a_minute(policy, "", greedy_and_neighbour);
    assert_eq!((passed(&greedy), passed(&neighbour)), (20, 20));
    for refused in greedy.iter().filter(|answer| answer.status != 200) {
        assert_eq!((refused.status, refused.code()), (429, Some(-1003)), "{}", refused.text());
        assert!(refused.text().contains("current limit is 20 request weight per 1 MINUTE."), "{}", refused.text());
        assert!((1..=60).contains(&number(refused, "retry-after")));
        assert_eq!(number(refused, "x-mbx-used-weight-1m"), 20, "what it may not use is given back");
    }
    assert_eq!(number(neighbour.last().expect("answers"), "x-mbx-used-weight-1m"), 40);
}

#[test]
fn without_that_policy_who_comes_first_is_served_first() {
    // The 20 refusals that lead to a ban are not what is asked here.
    let policy = "request_weight_per_minute = 40\nban_after = 0\n";
    let (greedy, neighbour) = within_a_minute(policy, "", greedy_and_neighbour);
    assert_eq!((passed(&greedy), passed(&neighbour)), (40, 0));
}

#[test]
fn a_keys_own_budget_holds_over_addresses_and_families() {
    let keys = format!(
        "\n[[account.key]]\nlabel = \"roaming\"\ntype = \"hmac\"\npermissions = [\"reading\"]\n\
         api_key = \"{0:064}\"\nsecret_key = \"{0:064}\"\n",
        140
    );
    let roaming = Key::hmac(&format!("{:064}", 140), &format!("{:064}", 140));
    let (answers, neighbour) = within_a_minute("key_weight_per_minute = 12\n", &keys, |server| {
        let mut answers = Vec::new();
        for round in 0..10 {
            for path in ["/latchkey/v1/key", "/sapi/v1/account/status"] {
                answers.push(roaming.call_from([127, 0, 0, 1 + round], server.api, path));
            }
        }
        (answers, reader().call(server.api, "GET", "/latchkey/v1/key", ""))
    });
    assert_eq!(passed(&answers), 12);
    for refused in &answers[12..] {
        assert_eq!((refused.status, refused.code()), (429, Some(-1003)), "{}", refused.text());
        assert!(refused.text().contains("current limit is 12 request weight per 1 MINUTE."), "{}", refused.text());
    }
    assert_eq!(neighbour.status, 200, "another key of the same account has its own");
}

#[test]
fn a_tier_changes_the_limits_of_accounts_alone() {
    let folder = TempDir::new().expect("a folder");
    let policy = "orders_per_day = 1\n[policy.tier.high]\nvip_from = 5\norders_per_day = 3\n";
    let (server, _) = with_policy(folder.path(), policy);
    let counts = trader().call(server.api, "GET", "/api/v3/rateLimit/order", "").json();
    assert_eq!((counts[1]["limit"].as_i64(), counts[1]["count"].as_i64()), (Some(3), Some(0)));
    let place = |number: u32| {
        let order = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price={number}");
        trader().call(server.api, "POST", "/api/v3/order", &order)
    };
    (0..3).for_each(|n| assert_eq!(place(40_000 + n).status, 200));
    let refused = place(40_003);
    assert_eq!((refused.status, refused.code()), (429, Some(-1015)));
    assert!(refused.text().contains("current limit is 3 orders per 1 DAY."), "{}", refused.text());
    let announced = get(server.api, "/api/v3/exchangeInfo", "").json()["rateLimits"].clone();
    assert_eq!(announced[2]["limit"].as_i64(), Some(1));
}
