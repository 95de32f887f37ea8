//! Several accounts, so that there are owners and strangers.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::message::{ONLY, name};
use crate::server::Server;
use crate::signed::Key;
use crate::world::WORLD;

/// A key of 64 digits and an equal secret.
pub(super) fn numbered(number: u32) -> Key {
    Key::hmac(&name(number), &name(number))
}

/// The row of such a key.
fn row(label: &str, number: u32, more: &str) -> String {
    format!(
        "\n[[account.key]]\nlabel = \"{label}\"\ntype = \"hmac\"\napi_key = \"{number:064}\"\nsecret_key = \"{number:064}\"\n{more}\n"
    )
}

const LISTED: &str = "ips = [\"127.0.0.1\"]";
const READS: &str = "ips = [\"127.0.0.1\"]\npermissions = [\"reading\"]";

/// Special, of one pair, of every pair but the one that is traded, expired, blind, and what is to be spoiled.
pub(super) const WHITELISTED: u32 = 101;
pub(super) const OLD: u32 = 102;
const BLIND: u32 = 103;
pub(super) const SPOILT: u32 = 104;
pub(super) const RETIRING: u32 = 105;
const BOBS: u32 = 110;
const SUBS: u32 = 111;
const CAROLS: u32 = 120;
pub(super) const DISABLED: u32 = 121;
pub(super) const DELETED: u32 = 122;
pub(super) const SPECIAL: u32 = 123;

/// A server on a world of four accounts.
pub(super) struct Town {
    pub(super) server: Server,
    pub(super) world: PathBuf,
    pub(super) folder: TempDir,
    /// Reads for carol.
    pub(super) carol: Key,
    /// Reads for the sub-account of alice.
    pub(super) sub: Key,
}

impl Town {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let world = folder.path().join("world.toml");
        std::fs::write(&world, text()).expect("a world file");
        let server = Server::start(folder.path(), &world);
        Self { server, world, folder, carol: numbered(CAROLS), sub: numbered(SUBS) }
    }

    /// Everyone who must not read what happened on alice's keys.
    pub(super) fn strangers(&self) -> Vec<(&'static str, Key)> {
        vec![
            ("another account", numbered(BOBS)),
            ("a sub-account", numbered(SUBS)),
            ("a key that may not read", numbered(BLIND)),
        ]
    }
}

fn text() -> String {
    let ruled = WORLD.replace("[policy]\n", "[policy]\nmargin_restricted = [\"KP\"]\n");
    let message = row("message", ONLY, &format!("{READS}\naccepts = \"message9421\""));
    let trades = "permissions = [\"reading\", \"spot-and-margin-trading\"]";
    let alices = [
        message,
        row("whitelisted", WHITELISTED, &format!("{LISTED}\n{trades}\nsymbols = [\"ETHUSDT\"]")),
        row("old", OLD, "permissions = [\"reading\"]\ncreated = \"2026-01-05T00:00:00Z\""),
        row("blind", BLIND, &format!("{LISTED}\npermissions = [\"spot-and-margin-trading\"]")),
        row("spoilt", SPOILT, READS),
        row("retiring", RETIRING, READS),
    ];
    let account = |email: &str, more: &str| format!("\n[[account]]\nemail = \"{email}\"\n{more}\n");
    let whole = "totp = \"KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU\"\nkyc = \"verified-plus\"\nvip = 9\ndeposited = true\n\
                 products = [\"margin\"]\nterms = [\"margin-special-key\"]";
    let others = [
        account("bob@example.com", whole),
        row("bobs", BOBS, READS),
        account("sub@example.com", "sub_of = \"alice@example.com\""),
        row("subs", SUBS, READS),
        account("carol@example.com", whole),
        row("carols", CAROLS, READS),
        row("disabled", DISABLED, READS),
        row("deleted", DELETED, READS),
        row("special", SPECIAL, &format!("special = \"cross\"\n{LISTED}")),
    ];
    let market = "\n[[market.symbol]]\nsymbol = \"ETHUSDT\"\nprice = \"3000.00\"\n";
    ruled + &alices.concat() + &others.concat() + market
}
