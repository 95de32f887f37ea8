//! `kill -9` after every statement of a change: all of it is there or nothing, with its audit record.
//!
//! The test runs itself again as a child for each place. The child counts the steps of the database's machine and ends
//! without a word at the one it was told; the parent opens what is left.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use latchkey_authority::change::{Change, Effect, Notice, NoticeKind};
use latchkey_authority::claim::{Claim, Made, Settled};
use latchkey_authority::ports::{Notes as _, Shelf as _, ShelfKind, Store as _};
use latchkey_crypto::sign::Signer;
use latchkey_protocol::{AccountId, KeyId};
use latchkey_store::random;
use latchkey_store::sqlite::{Probe, SqliteSettings, SqliteStore};
use rustix::process::{Signal, getpid, kill_process};

use crate::records::{NOW, account, change, deleted, key, open, with_account, with_effect, with_key};

/// The folder that a child works in; a run without it is no child.
const FOLDER: &str = "LATCHKEY_CRASH_FOLDER";
/// Where the child ends.
const STEP: &str = "LATCHKEY_CRASH_STEP";

/// The name that the change's request claimed.
const CLAIM: [u8; 32] = [4; 32];

/// A change with every part that one can have.
fn whole() -> Change {
    let (mut edited, mut sub) = (account(1), account(3));
    edited.version = 2;
    sub.master = Some(AccountId(1));
    let mut kept = key(8, 1);
    kept.version = 2;
    let change = with_account(with_account(change(1), edited, Some(1)), sub, None);
    let mut change = with_key(with_key(with_key(change, key(9, 3), None), kept, Some(1)), deleted(key(7, 1)), Some(1));
    let text = "a key is gone".to_owned();
    change.notices.push(Notice { account: AccountId(1), kind: NoticeKind::KeyEnded, key: Some(KeyId(7)), text });
    let owner = AccountId(1);
    let claim = Claim { name: CLAIM, version: 1, request: [5; 32], kept_until: NOW.plus_millis(86_400_000) };
    change.signed_out = Some(owner);
    change.settled = Some(Settled { claim, made: Made::Key(KeyId(9)) });
    with_effect(with_effect(change, Effect::LeaveSpecialMode { owner }), Effect::CancelEverything { owner })
}

async fn base(folder: &Path) {
    let store = open(folder).await;
    let first = with_account(change(1), account(1), None);
    store.commit(with_key(with_key(first, key(7, 1), None), key(8, 1), None)).await.unwrap();
    let kind = ShelfKind::Idempotency;
    assert!(store.put(kind, CLAIM, None, b"claimed", NOW, NOW.plus_millis(120_000)).await.unwrap());
    for kind in ShelfKind::OF_SIGNED_IN {
        for owner in [1, 2] {
            let put = store.put(kind, [owner; 32], Some(AccountId(owner.into())), b"", NOW, NOW.plus_millis(120_000));
            assert!(put.await.unwrap());
        }
    }
    store.close().await.unwrap();
}

/// Everything that a change can touch; whatever it is, the chain must hold.
async fn everything(folder: &Path) -> String {
    let store = open(folder).await;
    let public = Signer::generate_ed25519(&mut random::fill).public_key().unwrap();
    let tail = store.verify_tail(std::slice::from_ref(&public)).await.unwrap();
    let mut shown = Vec::new();
    for id in [1, 3] {
        let loaded = store.load(AccountId(id)).await.unwrap();
        shown.push(format!("{loaded:?} {:?}", store.all_keys(AccountId(id)).await.unwrap()));
    }
    shown.push(format!("{:?}", store.unsent_notices(NOW, 10).await.unwrap()));
    shown.push(format!("{:?}", store.get(ShelfKind::Idempotency, CLAIM, NOW).await.unwrap().map(|item| item.value)));
    for kind in ShelfKind::OF_SIGNED_IN {
        shown.push(format!("{:?}", store.list(kind, None, NOW, 10).await.unwrap()));
    }
    shown.push(format!("{tail:?} {:?}", store.pending_effects(10).await.unwrap()));
    store.close().await.unwrap();
    shown.join("\n")
}

/// What a child does; alone, it has nothing to do.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how the parent tells the child its place")]
async fn child() {
    let (Ok(folder), Ok(step)) = (std::env::var(FOLDER), std::env::var(STEP)) else { return };
    let (last, seen) = (step.parse::<u64>().unwrap(), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&seen);
    let probe: Probe = Box::new(move || {
        if counter.fetch_add(1, Ordering::SeqCst) + 1 == last {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    });
    let settings = SqliteSettings::new(&Path::new(&folder).join("data/latchkey.db"), &mut random::fill);
    let store = SqliteStore::open_probed(&settings, probe).await.unwrap();
    store.commit(whole()).await.unwrap();
    // An answered change must be there though the store was never closed.
    kill_process(getpid(), Signal::TERM).unwrap();
}

fn run_child(folder: &Path, step: u64) -> ExitStatus {
    let test = format!("{}::child", module_path!().split_once("::").unwrap().1);
    Command::new(std::env::current_exe().unwrap())
        .args([&test, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(STEP, step.to_string())
        .output()
        .unwrap()
        .status
}

#[tokio::test]
async fn a_change_killed_after_any_of_its_statements_is_whole_or_not_there() {
    let scratch = tempfile::tempdir().unwrap();
    let first = scratch.path().join("base");
    base(&first).await;
    let before = everything(&first).await;
    let (mut steps, mut without, mut with) = (0, 0, Vec::new());
    let after = loop {
        steps += 1;
        let folder = scratch.path().join(steps.to_string());
        copy(&first.join("data"), &folder.join("data"));
        let status = run_child(&folder, steps);
        let left = everything(&folder).await;
        match status.signal() {
            Some(9) if left == before && with.is_empty() => without += 1,
            // Only an end behind the commit may leave anything.
            Some(9) => with.push(left),
            Some(15) => break left,
            _ => panic!("the child ended otherwise: {status}"),
        }
        fs::remove_dir_all(&folder).unwrap();
    };
    assert_ne!(before, after);
    let items = |all: &str, owner: &str| all.matches(&format!("ShelfItem(Some(AccountId({owner}))")).count();
    assert_eq!((items(&before, "1"), items(&after, "1")), (3, 0), "sessions end with it");
    assert_eq!((items(&before, "2"), items(&after, "2")), (3, 3), "those of another do not");
    assert!(with.iter().all(|left| *left == after), "a part of the change is there");
    assert!(without >= 12 && !with.is_empty(), "{without} ends before the commit and {} behind it", with.len());
}

fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
