//! What a world is refused for, and at which line.

use super::*;

/// The line and the message of what is refused, in shape or by a rule. Nothing may then be left behind.
fn refused(text: &str) -> (usize, String) {
    let world = match parse(text) {
        Ok(world) => world,
        Err(problem) => return (problem.place.unwrap().line, problem.to_string()),
    };
    let folder = tempfile::tempdir().unwrap();
    populated(&world, folder.path(), |authority, made| {
        let Err(WorldError::Refused(problem)) = made else { panic!("not refused: {text}") };
        let (accounts, keys) = stored(authority);
        assert!(accounts.is_empty() && keys.is_empty(), "nothing is made of a world that is refused");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file is left behind");
        (problem.place.unwrap().line, problem.to_string())
    })
}

/// Replaces one piece of the good account and expects a problem at the line of `at` in the outcome.
fn check(from: &str, to: &str, at: &str, expected: &str) {
    assert!(ALICE.contains(from), "{from}");
    check_text(&ALICE.replacen(from, to, 1), at, expected);
}

/// Adds to the end of the good world.
fn check_more(more: &str, at: &str, expected: &str) {
    check_text(&format!("{ALICE}{more}"), at, expected);
}

fn check_text(text: &str, at: &str, expected: &str) {
    let (line, message) = refused(text);
    let wanted = text.lines().position(|line| line.contains(at)).unwrap() + 1;
    assert!(message.contains(expected), "{message}\nexpected: {expected}");
    assert_eq!(line, wanted, "{message}\nin: {text}");
}

#[test]
fn what_is_misspelt_is_named_with_its_line() {
    check("email", "mail", "mail", "[[account]] mail: unknown field `mail`");
    check("label", "name", "name", "[[account.key]] name: unknown field `name`");
    check("\nips =", "\nip =", "ip = [", "[[account.key]] ip: unknown field `ip`");
    check_more("[market]\nflows = 1\n", "flows", "[market] flows: unknown field `flows`");
    check_more("[policy]\nweight = 1\n", "weight", "[policy] weight: unknown field `weight`");
    check_more("[[market.symbol]]\nsymbol = \"BTCUSDT\"\nprize = \"1\"\n", "prize", "unknown field `prize`");
    check_more("[markets]\n", "[markets]", "unknown field `markets`");
    check("email = \"alice@example.com\"\n", "", "[[account]]", "missing field `email`");
    check("type = \"hmac\"\n", "", "[[account.key]]", "missing field `type`");
    check("vip = 9", "vip = 9\nvip = 8", "vip = 8", "duplicate key");
}

#[test]
fn values_of_another_shape_are_named_with_their_line() {
    check("vip = 9", "vip = \"nine\"", "vip", "invalid type");
    check("vip = 9", "vip = -1", "vip", "vip");
    check("alice@example.com", "alice", "email", "not an e-mail address");
    check("\"verified-plus\"", "\"very\"", "kyc", "unknown variant `very`");
    check("deposited = true", "deposited = \"yes\"", "deposited", "invalid type");
    check("[\"margin\"]", "[\"margins\"]", "products", "unknown variant `margins`");
    check("margin-special-key", "special-key", "terms", "unknown variant `special-key`");
    check("JBSWY3DPEHPK3PXP", "not base32!", "totp", "base32");
    check("vip = 9", "vip = 9\npassword = \"\"", "password", "a password has 1 to");
    check("vip = 9", "vip = 9\nresidence = \"Germany\"", "residence", "country code");
    check("vip = 9", "vip = 9\nportfolio_margin = \"max\"", "portfolio", "unknown variant `max`");
    check("vip = 9", "vip = 9\ncross_margin_pro = \"max\"", "cross_margin_pro", "unknown variant `max`");
    check("USDT = \"1000\"", "USDT = 1000.5", "spot", "a number in quotes");
    check("USDT = \"1000\"", "USDT = \"0.123456789\"", "spot", "at most eight decimals");
    check("USDT = \"1000\"", "usdt = \"1000\"", "spot", "`usdt` is no asset");
    check("type = \"hmac\"", "type = \"dsa\"", "type", "unknown key type: use `hmac`, `rsa` or `ed25519`");
    check("\"spot-and-margin-trading\"", "\"trading\"", "permissions", "unknown permission `trading`");
    check("[\"127.0.0.1\"]", "\"127.0.0.1\"", "ips", "invalid type");
    check("[\"127.0.0.1\"]", "[\"127.0.0.1, ::1\"]", "ips", "each entry is one address or network");
    check("ips =", "created = \"yesterday\"\nips =", "created", "2026-09-01T00:00:00Z");
    check("ips =", "created = 2026-09-01T00:00:00Z\nips =", "created", "a time in quotes");
    check("ips =", "symbols = [\"btcusdt\"]\nips =", "symbols", "`btcusdt` is no symbol");
    check("ips =", "api_key = \"short\"\nips =", "api_key", "64 letters and digits");
    check("[[account]]", "profile = \"other\"\n[[account]]", "profile", "unknown variant `other`");
    check("[[account]]", "format = 2\n[[account]]", "format", "format `2` is not known");
    check_more("[policy]\nkeys_per_account = 1\nspecial_key_vip_level = 10\n", "vip_level", "must be 0 to 9");
    check_more("[market]\nflow = \"wild\"\n", "flow", "unknown variant `wild`");
}

#[test]
fn secrets_are_not_repeated() {
    for (from, to) in [
        ("vip = 9", "vip = 9\npassword = [\"planted\"]"),
        ("JBSWY3DPEHPK3PXP", "planted!"),
        ("ips =", "secret_key = \"planted\"\nips ="),
        ("ips =", "secret_key = { planted = 1 }\nips ="),
    ] {
        let (_, message) = refused(&ALICE.replacen(from, to, 1));
        assert!(!message.contains("planted"), "{message}");
    }
}

#[test]
fn an_account_that_the_rules_refuse_is_named() {
    let again = "[[account]]\nemail = \"Alice@Example.com\"\n";
    check_more(again, "Alice@Example.com", "the e-mail address is already taken");
    let sub = "[[account]]\nemail = \"sub@example.com\"\nsub_of = \"nobody@example.com\"\n";
    check_more(sub, "nobody", "the master account does not exist");
    let chain = "[[account]]\nemail = \"b@x\"\nsub_of = \"alice@example.com\"\n[[account]]\nemail = \"c@x\"\nsub_of = \"b@x\"\n";
    check_more(chain, "sub_of = \"b@x\"", "a sub-account cannot have sub-accounts");
    check("vip = 9", "vip = 10", "vip", "VIP levels go from 0 to 9");
    check("USDT = \"1000\"", "USDT = \"0\"", "spot", "the opening balance of `USDT` must be above zero");
    check("products = [\"margin\"]", "", "cross =", "the account has no margin account");
    let early = "vip = 9\nopened = { futures = \"2026-08-01T00:00:00Z\" }";
    check("vip = 9", early, "opened", "not among the `products`");
    check("isolated.BTCUSDT", "isolated.XYZUSDT", "isolated", "`XYZUSDT` is not an isolated margin pair");
    check("isolated.BTCUSDT = { USDT", "isolated.BTCUSDT = { ETH", "isolated", "cannot hold `ETH`");
}

#[test]
fn a_key_that_the_rules_refuse_is_named() {
    check("verified-plus", "verified", "[[account.key]]", "the identity level must be `verified-plus`");
    check("totp = \"JBSWY3DPEHPK3PXP\"", "", "[[account.key]]", "a second factor must be enrolled first");
    check("deposited = true", "", "[[account.key]]", "the account needs a first deposit");
    check("label = \"bot\"", "label = \" \"", "label", "the label must not be empty");
    check("\"127.0.0.1\"", "\"127.0.0.1/8\"", "ips", "the IP list is refused: `127.0.0.1/8` has bits set");
    check("\"127.0.0.1\"", "\"300.0.0.1\"", "ips", "`300.0.0.1` is not an IP address");
    check("ips = [\"127.0.0.1\"]", "", "permissions", "the permission `spot-and-margin-trading`");
    check("ips =", "created = \"2027-01-01T00:00:00Z\"\nips =", "created", "the time of creation");
    check("[\"reading\", \"spot-and-margin-trading\"]", "[\"futures\"]", "permissions", "the permission `futures`");
    let open = "type = \"rsa\"\npermissions = [\"withdrawals\"]\n#";
    check(
        "type = \"hmac\"\npermissions = [\"reading\", \"spot-and-margin-trading\"]\nips",
        open,
        "permissions",
        "the permission `withdrawals`",
    );
    check("\"spot-and-margin-trading\"", "\"fix-api-trade\"", "permissions", "the permission `fix-api-trade`");
    let symbols: Vec<String> = (0..31).map(|n| format!("\"S{n}USDT\"")).collect();
    check("ips =", &format!("symbols = [{}]\nips =", symbols.join(",")), "symbols", "more than 30 symbols");
    let twice = format!(
        "[[account.key]]\nlabel = \"a\"\ntype = \"hmac\"\napi_key = \"{0}\"\n[[account.key]]\nlabel = \"b\"\ntype = \"hmac\"\napi_key  = \"{0}\"\n",
        "k".repeat(64)
    );
    check_more(&twice, "api_key  =", "the API key is already taken");
}

#[test]
fn the_thirty_first_key_is_one_too_many() {
    let more = |count: u32| {
        (2..=count).map(|n| format!("[[account.key]] # {n}.\nlabel = \"{n}\"\ntype = \"hmac\"\n")).collect::<String>()
    };
    let folder = tempfile::tempdir().unwrap();
    let full = parse(&format!("{ALICE}{}", more(30))).unwrap();
    assert_eq!(populated(&full, folder.path(), |_, made| keys(&made.ok().unwrap()).len()), 30);
    check_more(&more(31), "# 31.", "the account already has 30 keys");
}

#[test]
fn a_special_key_that_the_rules_refuse_is_named() {
    let special = "[[account.key]]\nlabel = \"s\"\ntype = \"hmac\"\nspecial = \"cross\"\nips = [\"127.0.0.1\"]\n";
    let check = |from: &str, to: &str, expected: &str| {
        assert!(ALICE.contains(from), "{from}");
        check_text(&format!("{}{special}", ALICE.replacen(from, to, 1)), "special = ", expected);
    };
    check("vip = 9", "vip = 6", "special keys need VIP level 7; the account has 6");
    check("terms = [\"margin-special-key\"]", "", "the terms of margin special keys must be signed");
    check("vip = 9", "vip = 9\nportfolio_margin = \"retail\"", "portfolio margin accounts cannot");
    check("vip = 9", "vip = 9\ncross_margin_pro = \"without-agreement\"", "Cross Margin Pro");
    let bare = "products = [\"margin\"]\nterms = [\"margin-special-key\"]\nspot = { USDT = \"1000\" }\ncross = { USDT = \"500\" }\nisolated.BTCUSDT = { USDT = \"100\" }";
    check(bare, "", "the account has no margin account");

    let more = |from: &str, to: &str, at: &str, expected: &str| {
        assert!(special.contains(from), "{from}");
        check_more(&special.replacen(from, to, 1), at, expected);
    };
    more("\"cross\"", "\"XYZUSDT\"", "special = ", "`XYZUSDT` is not an isolated margin pair");
    more("\"cross\"", "\"Cross\"", "special = ", "`special` is \"cross\" or a symbol");
    more(
        "ips",
        "permissions = [\"reading\"]\nips",
        "permissions = [\"reading\"]",
        "are `reading`, `spot-and-margin-trading`",
    );
    more("ips", "permission_mode = \"READ\"\nips", "permission_mode", "only an Ed25519 key can be `READ`");
    more("ips", "permission_mode = \"read\"\nips", "permission_mode", "unknown variant `read`");
    more("ips", "symbols = [\"BTCUSDT\"]\nips", "symbols", "no symbol whitelist");
    more("127.0.0.1", "10.0.0.0/8", "10.0.0.0/8", "wide");
    more("special = \"cross\"", "permission_mode = \"TRADE\"", "permission_mode", "only a special key has");
}

#[test]
fn public_keys_are_judged_where_they_stand() {
    let rsa = "type = \"rsa\"\npublic_key = \"none.pem\"";
    check("type = \"hmac\"", rsa, "public_key", "none.pem` cannot be read");
    let pem = "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----";
    let broken = format!("type = \"rsa\"\npublic_key = \"\"\"{pem}\"\"\"");
    check("type = \"hmac\"", &broken, "public_key", "the public key is refused");
    check("ips =", "public_key = \"x\"\nips =", "public_key", "an HMAC key has no public key");
    let secret = format!("type = \"ed25519\"\nsecret_key = \"{}\"", "s".repeat(64));
    check("type = \"hmac\"", &secret, "secret_key", "an ed25519 key has no secret key but a pair");
    let public = made::ed25519().replace('\n', "\\n");
    check(
        "type = \"hmac\"",
        &format!("type = \"rsa\"\npublic_key = \"{public}\""),
        "public_key",
        "this is an ed25519 key, not an rsa one",
    );
}

#[test]
fn a_market_that_cannot_trade_is_named() {
    let symbol = |table: &str| format!("[[market.symbol]]\n{table}\n");
    check_more(&symbol("symbol = \"XYZ\"\nprice = \"1\""), "\"XYZ\"", "does not end in a known quote asset");
    check_more(&symbol("symbol = \"PEPEUSDT\""), "PEPEUSDT", "needs a `price`");
    check_more(&symbol("symbol = \"BTCUSDT\"\nprice = \"0\""), "price", "above zero");
    check_more(&symbol("symbol = \"BTCUSDT\"\nprice = \"x\""), "price", "a number has digits");
    check_more(&symbol("symbol = \"btc/usdt\""), "btc/usdt", "is no symbol");
    let twice = symbol("symbol = \"BTCUSDT\"") + &symbol("symbol  = \"BTCUSDT\"");
    check_more(&twice, "symbol  =", "`BTCUSDT` appears twice");
}
