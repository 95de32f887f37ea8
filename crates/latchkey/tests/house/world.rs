//! The world that most tests start from, and a server on it.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::server::Server;
use crate::signed::Key;

/// A market that nobody moves, an owner who trades, and keys of every permission that a row asks for.
pub(crate) const WORLD: &str = r#"
# The tests ask more in a minute than one address may by default.
[policy]
request_weight_per_minute = 10000000
raw_requests_per_5m = 10000000
failed_verifications_per_minute = 10000000

[market]
flow = "none"
seed = 1
[[market.symbol]]
symbol = "BTCUSDT"
price = "50000.00"

[[account]]
email = "alice@example.com"
password = "planted-password-of-alice-7"
totp = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"
kyc = "verified-plus"
vip = 9
deposited = true
products = ["margin"]
terms = ["margin-special-key"]
default_security_controls = false
spot = { USDT = "100000", BTC = "1" }
cross = { USDT = "50000" }
isolated.BTCUSDT = { USDT = "1000" }

[[account.key]]
label = "trader"
type = "hmac"
permissions = ["reading", "spot-and-margin-trading"]
ips = ["127.0.0.1"]
api_key = "TraderTraderTraderTraderTraderTraderTraderTraderTraderTrader0001"
secret_key = "SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret0001"

[[account.key]]
label = "reader"
type = "hmac"
permissions = ["reading"]
ips = ["127.0.0.1"]
api_key = "ReaderReaderReaderReaderReaderReaderReaderReaderReaderReader0002"
secret_key = "SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret0002"

[[account.key]]
label = "elsewhere"
type = "hmac"
permissions = ["reading", "spot-and-margin-trading"]
ips = ["192.0.2.7"]
api_key = "ElsewhereElsewhereElsewhereElsewhereElsewhereElsewhereElsewh0003"
secret_key = "SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret0003"

[[account.key]]
label = "lender"
type = "hmac"
permissions = ["reading", "spot-and-margin-trading", "margin-loan-repay-transfer"]
ips = ["127.0.0.1"]
api_key = "LenderLenderLenderLenderLenderLenderLenderLenderLenderLender0004"
secret_key = "SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret0004"

[[account.key]]
label = "special"
type = "hmac"
special = "cross"
ips = ["127.0.0.1"]
api_key = "SpecialSpecialSpecialSpecialSpecialSpecialSpecialSpecialSpec0005"
secret_key = "SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret0005"

[[account.key]]
label = "isolated"
type = "hmac"
special = "BTCUSDT"
ips = ["127.0.0.1"]
api_key = "IsolatedIsolatedIsolatedIsolatedIsolatedIsolatedIsolatedIsol0006"
secret_key = "SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret0006"
"#;

/// The key that trades.
pub(crate) fn trader() -> Key {
    named("TraderTraderTraderTraderTraderTraderTraderTraderTraderTrader", 1)
}

/// The key that reads.
pub(crate) fn reader() -> Key {
    named("ReaderReaderReaderReaderReaderReaderReaderReaderReaderReader", 2)
}

/// The key that may be used from another address alone.
pub(crate) fn elsewhere() -> Key {
    named("ElsewhereElsewhereElsewhereElsewhereElsewhereElsewhereElsewh", 3)
}

/// The key that trades and has to do with loans.
pub(crate) fn lender() -> Key {
    named("LenderLenderLenderLenderLenderLenderLenderLenderLenderLender", 4)
}

/// The special keys: of the cross margin account, and of one pair.
pub(crate) fn special() -> [Key; 2] {
    [
        named("SpecialSpecialSpecialSpecialSpecialSpecialSpecialSpecialSpec", 5),
        named("IsolatedIsolatedIsolatedIsolatedIsolatedIsolatedIsolatedIsol", 6),
    ]
}

fn named(name: &str, number: u32) -> Key {
    let secret = format!("SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret{number:04}");
    Key::hmac(&format!("{name}{number:04}"), &secret)
}

/// A server on [`WORLD`], and the scratch folder that goes with it.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) world: PathBuf,
    pub(crate) folder: TempDir,
}

/// Starts a server on [`WORLD`].
pub(crate) fn house() -> House {
    house_with("")
}

/// Starts a server on [`WORLD`] with more keys of its last account.
pub(crate) fn house_with(keys: &str) -> House {
    let folder = TempDir::new().expect("a folder");
    let world = folder.path().join("world.toml");
    std::fs::write(&world, format!("{WORLD}{keys}")).expect("a world file");
    House { server: Server::start(folder.path(), &world), world, folder }
}
