//! Loads a store as a server does, and asks for its keys as the line does.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use latchkey_admission::ports::{Clock, Keys as _};
use latchkey_authority::policy::Policy;
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::{ApiKey, PermissionSet, Timestamp};
use latchkey_store::live::LiveMap;
use latchkey_store::random;
use latchkey_store::secrets::{Vault, key_file};
use latchkey_store::sqlite::{Row, SqliteSettings, SqliteStore};

use crate::{Outcome, now, resident_mib, show, used_ticks};

/// Where every call comes from.
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// How many times keys are asked for.
const ASKED: usize = 2_000_000;
/// How many of the secrets are opened.
const OPENED: usize = 20_000;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_790_000_100_000)
    }
}

/// Loads the store in `folder` and says what that took.
pub(crate) async fn load(folder: &Path) -> Outcome<()> {
    let before = resident_mib()?;
    let start = now();
    let store = SqliteStore::open(&SqliteSettings::new(&folder.join("latchkey.db"), &mut random::fill)).await?;
    let vault = Vault::unlock(&store, &key_file::read(&folder.join("encryption.key"))?).await?;
    let live = Arc::new(LiveMap::new(Policy::default(), Arc::new(Still), 42));
    store.load_live(&live).await?;
    let (loaded, used) = (start.elapsed().as_secs_f64(), used_ticks()? as f64 / 100.0);
    let resident = resident_mib()?;
    let names = names(&store).await?;

    let start = now();
    for name in names.iter().cycle().take(ASKED) {
        black_box(admit(&live, name)?);
    }
    let looked_up = start.elapsed().as_nanos() as usize / ASKED;
    let hot = names.first().ok_or("there is no key")?;
    let start = now();
    for _ in 0..ASKED {
        black_box(admit(&live, hot)?);
    }
    let looked_up_hot = start.elapsed().as_nanos() as usize / ASKED;

    let secrets: Vec<_> = names
        .iter()
        .filter_map(|name| live.find(name))
        .filter(|key| key.key_type() == KeyType::Hmac)
        .take(OPENED)
        .collect();
    let start = now();
    for key in &secrets {
        black_box(key.verifier(&vault).ok_or("a secret does not open")?);
    }
    let opened = start.elapsed().as_nanos() as usize / secrets.len();
    show(&format!(
        "{} keys: loaded in {loaded:.2} s, {used:.2} s of processor time; resident {resident} MiB (before: {before}); a key found and judged in \
         {looked_up} ns in random order, {looked_up_hot} ns when it is the same one; a secret opened on its first use \
         in {opened} ns",
        live.len()
    ));
    Ok(())
}

/// The names of all keys, in the order of chance that they have.
async fn names(store: &SqliteStore) -> Outcome<Vec<ApiKey>> {
    let mut names = Vec::new();
    let mut keep = |row: Row| {
        if let Row::Key { key, .. } = row {
            names.push(key.api_key);
        }
    };
    store.each_row(&mut keep).await?;
    names.sort_unstable();
    Ok(names)
}

/// What the line asks of a key: that it is there, lives, may be used from here, and has the permission.
fn admit(live: &LiveMap, name: &ApiKey) -> Outcome<u64> {
    let key = live.find(name).ok_or("a key is missing")?;
    let generations = key.generation() + key.account.generation();
    let state = key.state();
    let whole = state.alive(Still.now()).and_then(|()| state.placed(PEER));
    whole.map_err(|reason| format!("{reason:?}"))?;
    if state.permissions.intersection(PermissionSet::READING) == PermissionSet::EMPTY {
        return Err("a key may not even read".into());
    }
    Ok(generations)
}
