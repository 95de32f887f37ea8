//! What a world that the rules accept becomes.

use super::*;
use latchkey_authority::account::{CrossMarginPro, Kyc, PortfolioMargin, Product};
use latchkey_authority::change::Actor;
use latchkey_authority::effective::effective_permissions;
use latchkey_authority::key::{AcceptedProofs, KeyRecord};
use latchkey_authority::policy::{Profile, ReplayRule};
use latchkey_authority::ports::Store as _;
use latchkey_crypto::sign::Signer;
use latchkey_exchange::Flow;
use latchkey_protocol::{Permission, Price};
use std::os::unix::fs::PermissionsExt as _;

/// The public half of a pair, PEM.
pub(super) fn ed25519() -> String {
    Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(7)).public_key().unwrap().to_pem()
}

fn time(text: &str) -> Timestamp {
    Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

const FULL: &str = r#"
profile = "binance-2026"

[[account]]
email = "sub@example.com"
sub_of = "alice@example.com"
kyc = "verified"
spot = { USDT = 5 }

[[account.key]]
label = "bot"
type = "rsa"
ips = ["10.0.0.0/16", "::1"]
created = "2026-02-01T00:00:00Z"

[[account]]
email = "Alice@example.com"
password = "correct horse battery staple"
totp = "JBSWY3DPEHPK3PXP"
kyc = "verified-plus"
vip = 9
deposited = true
products = ["margin", "futures", "options"]
opened = { futures = "2026-08-01T00:00:00Z" }
portfolio_margin = "pro"
cross_margin_pro = "none"
terms = ["margin-special-key"]
default_security_controls = false
residence = "DE"
special_key_exception = true
frozen = true
spot = { USDT = "100000", BTC = "1" }
cross = { USDT = "50000" }
isolated.BTCUSDT = { USDT = "1000" }

[[account.key]]
label = "bot"
type = "ed25519"
permissions = ["reading", "spot-and-margin-trading"]
symbols = ["BTCUSDT", "ETHUSDT"]

[[account.key]]
label = "fixed"
type = "hmac"
permissions = ["reading", "spot-and-margin-trading"]
accepts = "both"
replay = "all"
api_key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
secret_key = "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"

[[account.key]]
label = "given"
type = "ed25519"
public_key = "bot.pem"
ips = ["127.0.0.1"]

[[account.key]]
label = "cross"
type = "ed25519"
special = "cross"
permission_mode = "READ"
ips = ["127.0.0.1"]

[[account.key]]
label = "pair"
type = "hmac"
special = "BTCUSDT"

[policy]
orders_per_10s = 77

[market]
flow = "none"
seed = 9
[[market.symbol]]
symbol = "BTCUSDT"
price = "60000.00"
[[market.symbol]]
symbol = "ETHUSDT"
"#;

fn key<'a>(keys: &'a [KeyRecord], label: &str) -> &'a KeyRecord {
    keys.iter().find(|key| key.label.as_str() == label).unwrap()
}

#[test]
fn every_field_of_the_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bot.pem"), ed25519()).unwrap();
    let world = World::parse(FULL, &folder.path().join("w.toml")).unwrap();
    assert_eq!(world.policy().orders_per_10s, 77);
    assert_eq!(world.policy().request_weight_per_minute, Policy::of(Profile::Binance2026).request_weight_per_minute);
    let market = world.market_settings();
    assert_eq!((market.flow, market.seed, market.symbols.len()), (Flow::None, 9, 2));
    assert_eq!((market.limits.per_10s, market.limits.per_day), (77, 160_000));
    assert_eq!(market.symbols[0].start_price, Price::parse("60000").unwrap());

    populated(&world, folder.path(), |authority, made| {
        let made = made.unwrap_or_else(|error| panic!("{error}"));
        let (accounts, records) = stored(authority);
        let [alice, sub] = accounts.as_slice() else { panic!("two accounts") };
        assert_eq!(
            (alice.email.as_str(), alice.kyc, alice.vip, alice.deposited),
            ("alice@example.com", Kyc::VerifiedPlus, 9, true)
        );
        assert!(Product::ALL.into_iter().all(|product| alice.products.is_open(product, NOW)));
        assert_eq!(alice.products.futures, Some(time("2026-08-01T00:00:00Z")));
        assert_eq!(alice.created, time("2026-01-31T00:00:00Z"), "a day before the first key of its sub-account");
        assert!(matches!(alice.portfolio_margin, PortfolioMargin::Pro { .. }));
        assert_eq!(alice.cross_margin_pro, CrossMarginPro::None);
        assert!(!alice.default_security_controls && alice.special_key_exception);
        assert_eq!(alice.residence.unwrap().to_string(), "DE");
        assert_eq!(alice.frozen.first().map(|frozen| &frozen.by), Some(&Actor::World));
        let phc = alice.password_hash.as_ref().unwrap().expose();
        assert!(latchkey_crypto::password::verify("correct horse battery staple", phc).is_ok());
        assert_eq!(alice.totp.as_ref().unwrap().0, TotpSeed::parse("JBSWY3DPEHPK3PXP").unwrap().expose());
        assert_eq!((sub.master, sub.kyc, sub.frozen.len()), (Some(alice.id), Kyc::Verified, 0));

        assert_eq!(keys(&made).len(), 6);
        let symbols = key(&records, "fixed").symbols.as_ref();
        assert!(symbols.is_none());
        let schemes = |label| (key(&records, label).accepts, key(&records, label).replay);
        assert_eq!(schemes("fixed"), (AcceptedProofs::Both, Some(ReplayRule::All)));
        assert_eq!(schemes("given"), (AcceptedProofs::Payload, None));
        let bots: Vec<_> = records.iter().filter(|key| key.label.as_str() == "bot").collect();
        let of = |account: &latchkey_authority::account::Account| {
            *bots.iter().find(|key| key.account == account.id).unwrap()
        };
        assert_eq!(of(alice).symbols.as_ref().unwrap().len(), 2);
        assert_eq!((of(sub).created, of(sub).permissions), (time("2026-02-01T00:00:00Z"), PermissionSet::READING));
        let isolated = key(&records, "pair").kind.scope().unwrap();
        assert!(matches!(isolated, Scope::Isolated(symbol) if symbol.as_str() == "BTCUSDT"));
        assert!(key(&records, "cross").permissions.contains(Permission::FixReadOnly), "a reading special key");
    });
}

#[test]
fn credentials_prove_what_was_made() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bot.pem"), ed25519()).unwrap();
    let world = World::parse(FULL, &folder.path().join("w.toml")).unwrap();
    populated(&world, folder.path(), |authority, made| {
        let made = made.ok().unwrap();
        let (_, records) = stored(authority);
        for credential in keys(&made) {
            let name = format!("{}/{}", credential.account, credential.label);
            let record = records.iter().find(|key| key.api_key.as_str() == credential.api_key).unwrap();
            assert_eq!(record.key_type().name(), credential.key_type, "{name}");
            match (&credential.secret_key, &credential.private_key_path) {
                (Some(secret), None) => assert_eq!(secret.len(), 64, "{name}"),
                (None, Some(path)) => {
                    let path = folder.path().join(path);
                    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
                    let signer = Signer::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap();
                    let public = signer.public_key().unwrap();
                    assert_eq!(public.fingerprint(), record.material.public().unwrap().fingerprint, "{name}");
                }
                (None, None) => assert_eq!(credential.label, "given", "{name}"),
                (Some(_), Some(_)) => panic!("{name}"),
            }
        }
        let shown = |label: &str| keys(&made).into_iter().rfind(|key| key.label == label).unwrap();
        assert_eq!(shown("fixed").api_key, "a".repeat(64));
        assert_eq!(shown("fixed").secret_key.as_deref(), Some("s".repeat(64).as_str()));
        assert_eq!(shown("cross").special.as_deref(), Some("cross"));
        assert_eq!(shown("pair").special.as_deref(), Some("BTCUSDT"));
        assert_eq!(shown("pair").ips, None);
        let of_sub = keys(&made).into_iter().find(|key| key.account == "sub@example.com").unwrap();
        assert_eq!(of_sub.ips.as_deref(), Some(&["10.0.0.0/16".to_owned(), "::1".to_owned()][..]));
        let paths: Vec<_> = keys(&made).iter().filter_map(|key| key.private_key_path.clone()).collect();
        assert_eq!(paths, ["keys/alice-bot.pem", "keys/alice-cross.pem", "keys/sub-bot.pem"]);
        assert!(made.iter().all(|made| matches!(made, Credential::Key(_))), "given passwords are not repeated");
    });
}

#[test]
fn a_key_ages_from_its_creation() {
    let old = "ips =";
    let text = ALICE.replace("type = \"hmac\"", "type = \"rsa\"").replace(old, "created = \"2026-07-01T00:00:00Z\"\n#");
    let folder = tempfile::tempdir().unwrap();
    populated(&parse(&text).unwrap(), folder.path(), |authority, made| {
        assert!(made.is_ok());
        let (accounts, records) = stored(authority);
        let loaded = now_or_never(authority.ports().load(accounts[0].id)).unwrap().unwrap();
        let at = |now| effective_permissions(authority.policy(), &loaded.owner().unwrap(), &records[0], now);
        assert!(at(time("2026-09-28T00:00:00Z")).permissions.contains(Permission::SpotAndMarginTrading));
        assert_eq!(at(NOW).permissions, PermissionSet::EMPTY, "its 90 days are over");
    });
}

#[test]
fn an_unrestricted_hmac_key_reads_under_controls_and_trades_without() {
    let reads = ALICE.replace("[\"reading\", \"spot-and-margin-trading\"]\nips", "[\"reading\"]\n#");
    let trades = ALICE.replace("ips =", "#").replace("vip = 9", "vip = 9\ndefault_security_controls = false");
    for (text, trade) in [(reads, false), (trades, true)] {
        let folder = tempfile::tempdir().unwrap();
        populated(&parse(&text).unwrap(), folder.path(), |authority, made| {
            assert!(made.is_ok());
            let (_, records) = stored(authority);
            assert_eq!(records[0].permissions.contains(Permission::SpotAndMarginTrading), trade);
            assert!(!records[0].ip.is_listed());
        });
    }
}

#[test]
fn names_of_key_files_are_plain_and_never_shared() {
    let pair = |label: &str| format!("[[account.key]]\nlabel = \"{label}\"\ntype = \"ed25519\"\n");
    let text = format!("{ALICE}{}{}{}", pair("../../x"), pair("A b"), pair("a B"));
    let folder = tempfile::tempdir().unwrap();
    populated(&parse(&text).unwrap(), folder.path(), |_, made| {
        let made = made.ok().unwrap();
        let paths: Vec<_> = keys(&made).iter().filter_map(|key| key.private_key_path.clone()).collect();
        assert_eq!(paths, ["keys/alice-------x.pem", "keys/alice-a-b.pem", "keys/alice-a-b-2.pem"]);
        assert!(paths.iter().all(|path| folder.path().join(path).is_file()));
    });
}

#[test]
fn the_built_in_world_has_all_kinds_of_keys_and_draws_its_secrets() {
    let (first, second) = (World::builtin(), World::builtin());
    assert_eq!(first.policy(), Policy::default());
    assert_eq!(first.market_settings(), MarketSettings::builtin(1));
    let folder = tempfile::tempdir().unwrap();
    let secrets = Plain::default();
    let make = |world: &World| {
        let authority = Authority::new(Rehearsal::new(&secrets), world.policy());
        let made =
            now_or_never(populate(&authority, world, NOW, folder.path())).unwrap_or_else(|error| panic!("{error}"));
        (made, stored(&authority))
    };
    let ((made, (accounts, _)), (again, _)) = (make(&first), make(&second));
    assert_eq!(accounts.len(), 3);
    assert!(accounts.iter().all(|account| account.password_hash.is_some() && account.totp.is_some()));
    let kinds = |wanted: &str| keys(&made).iter().filter(|key| key.key_type == wanted).count();
    assert!(kinds("hmac") > 0 && kinds("rsa") > 0 && kinds("ed25519") > 0);
    let specials: Vec<_> = keys(&made).iter().filter_map(|key| key.special.clone()).collect();
    assert_eq!(specials, ["cross", "BTCUSDT"]);
    let sign_ins = |made: &[Credential]| {
        let one = |made: &Credential| match made {
            Credential::SignIn(one) => Some((one.password.clone(), one.totp.clone())),
            _ => None,
        };
        made.iter().filter_map(one).collect::<Vec<_>>()
    };
    let (drawn, others) = (sign_ins(&made), sign_ins(&again));
    assert_eq!(drawn.len(), 3);
    for (number, (password, totp)) in drawn.iter().enumerate() {
        assert_eq!((password.len(), totp.len()), (24, 32));
        assert!(others.iter().chain(&drawn[..number]).all(|other| other.0 != *password && other.1 != *totp));
    }
    let texts = |made: &[Credential]| keys(made).iter().filter_map(|key| key.secret_key.clone()).collect::<Vec<_>>();
    assert!(texts(&made).iter().all(|secret| !texts(&again).contains(secret)));
}

#[test]
fn the_world_of_the_end_to_end_tests_is_accepted() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/foreign/world.toml");
    let world = World::parse(&std::fs::read_to_string(&file).unwrap(), &file).unwrap();
    let folder = tempfile::tempdir().unwrap();
    populated(&world, folder.path(), |_, made| {
        assert_eq!(keys(&made.unwrap_or_else(|error| panic!("{error}"))).len(), 12);
    });
}
