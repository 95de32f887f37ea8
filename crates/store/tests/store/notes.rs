use latchkey_authority::change::{Notice, NoticeKind, Outcome};
use latchkey_authority::ports::{Directory as _, Notes as _, Store as _, StoreError};
use latchkey_authority::step_up::{Factor, FactorSet};
use latchkey_crypto::sign::Signer;
use latchkey_protocol::{AccountId, KeyId};
use latchkey_store::random;

use crate::records::{NOW, account, change, deleted, key, open, with_account, with_key};

fn notice(account: i64, text: &str) -> Notice {
    Notice { account: AccountId(account), kind: NoticeKind::Operator, key: Some(KeyId(7)), text: text.to_owned() }
}

#[tokio::test]
async fn a_note_takes_its_place_in_the_chain_and_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    store.commit(with_account(change(1), account(1), None)).await.unwrap();
    let mut event = change(1).audit;
    event.outcome = Outcome::Refused("too many keys".into());
    event.with = FactorSet::EMPTY.with(Factor::Totp);
    assert_eq!(store.note(event.clone()).await.unwrap(), 2);
    assert_eq!(store.commit(with_account(change(2), account(2), None)).await.unwrap().revision, 3);
    assert_eq!(store.audit(None, 1, 1).await.unwrap()[0].read_event().unwrap(), event);
    let public = Signer::generate_ed25519(&mut random::fill).public_key().unwrap();
    assert_eq!(store.verify_tail(std::slice::from_ref(&public)).await.unwrap().last, 3);
    assert!(store.settled(2).await.unwrap().is_empty());
}

#[tokio::test]
async fn notices_are_written_with_their_change_and_sent_once() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let mut first = with_account(with_account(change(1), account(1), None), account(2), None);
    first.notices = vec![notice(1, "one"), notice(1, "three"), notice(2, "two")];
    store.commit(first).await.unwrap();
    let mut failed = with_account(change(1), account(1), None);
    failed.notices = vec![notice(1, "never")];
    assert!(matches!(store.commit(failed).await, Err(StoreError::Taken(_))));
    let unsent = store.unsent_notices(NOW, 10).await.unwrap();
    let texts: Vec<_> = unsent.iter().map(|kept| kept.notice.text.as_str()).collect();
    assert_eq!(texts, ["one", "two", "three"], "one of each account, then the second of each");
    assert_eq!((unsent[0].at, &unsent[0].notice, unsent[0].sent), (NOW, &notice(1, "one"), false));
    store.mark_sent(&[unsent[0].id, unsent[1].id]).await.unwrap();
    store.mark_sent(&[]).await.unwrap();
    assert_eq!(store.unsent_notices(NOW, 10).await.unwrap(), unsent[2..]);
    store.postpone(unsent[2].id, NOW.plus_millis(1)).await.unwrap();
    assert_eq!(store.unsent_notices(NOW, 10).await.unwrap(), []);
    assert_eq!(store.unsent_notices(NOW.plus_millis(1), 10).await.unwrap(), unsent[2..]);
    let own = store.notices(AccountId(1), 0, 10).await.unwrap();
    assert_eq!(own.iter().map(|kept| (kept.id, kept.sent)).collect::<Vec<_>>(), [(1, true), (2, false)]);
    assert_eq!(store.notices(AccountId(1), 1, 10).await.unwrap(), own[1..]);
    assert_eq!(store.notices(AccountId(1), 0, 1).await.unwrap(), own[..1]);
}

#[tokio::test]
async fn sub_accounts_owners_of_keys_and_pages_of_accounts_are_found() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let mut all = change(1);
    for id in 1..=4 {
        let mut record = account(id);
        record.master = (id > 2).then_some(AccountId(1));
        all = with_account(all, record, None);
    }
    store.commit(with_key(with_key(all, key(7, 3), None), key(8, 2), None)).await.unwrap();
    store.commit(with_key(change(2), deleted(key(8, 2)), Some(1))).await.unwrap();
    let ids = |accounts: Vec<latchkey_authority::account::Account>| {
        accounts.into_iter().map(|account| account.id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids(store.sub_accounts(AccountId(1), 0, 9).await.unwrap()), [3, 4]);
    assert!(store.sub_accounts(AccountId(3), 0, 9).await.unwrap().is_empty());
    assert_eq!(ids(store.sub_accounts(AccountId(1), 0, 1).await.unwrap()), [3]);
    assert_eq!(ids(store.sub_accounts(AccountId(1), 1, 9).await.unwrap()), [4]);
    assert_eq!(store.count_sub_accounts(AccountId(1)).await.unwrap(), 2);
    assert_eq!(store.count_sub_accounts(AccountId(3)).await.unwrap(), 0);
    assert_eq!(ids(store.accounts(AccountId(0), 3).await.unwrap()), [1, 2, 3]);
    assert_eq!(ids(store.accounts(AccountId(3), 3).await.unwrap()), [4]);
    assert_eq!(store.account_of_key(KeyId(7)).await.unwrap(), Some(AccountId(3)));
    assert_eq!(store.account_of_key(KeyId(8)).await.unwrap(), Some(AccountId(2)), "deleted or not");
    assert_eq!(store.account_of_key(KeyId(9)).await.unwrap(), None);
    // A sub-account that gets another master is found under that one.
    let mut moved = account(4);
    (moved.master, moved.version) = (Some(AccountId(2)), 2);
    store.commit(with_account(change(4), moved, Some(1))).await.unwrap();
    assert_eq!(ids(store.sub_accounts(AccountId(1), 0, 9).await.unwrap()), [3]);
    assert_eq!(ids(store.sub_accounts(AccountId(2), 0, 9).await.unwrap()), [4]);
}

#[tokio::test]
async fn accounts_are_due_by_their_keys_until_these_are_written_again() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let mut all = change(1);
    for (id, owner, due) in [(1, 1, Some(30)), (2, 1, Some(10)), (3, 2, Some(20)), (4, 3, None)] {
        let mut record = key(id, owner);
        record.watch.due = due.map(|millis| NOW.plus_millis(millis));
        all = with_key(if id == 1 { all } else { with_account(all, account(owner), None) }, record, None);
    }
    store.commit(all).await.unwrap();
    let due = async |millis, limit| {
        let found = store.due(NOW.plus_millis(millis), limit).await.unwrap();
        found.into_iter().map(|account| account.0).collect::<Vec<_>>()
    };
    assert_eq!(due(9, 9).await, [] as [i64; 0]);
    assert_eq!(due(10, 9).await, [1]);
    assert_eq!(due(30, 9).await, [1, 2], "each once, the longest waiting first");
    assert_eq!(due(30, 1).await, [1]);
    store.commit(with_key(change(1), deleted(key(2, 1)), Some(1))).await.unwrap();
    let mut watched = key(3, 2);
    watched.version = 2;
    store.commit(with_key(change(2), watched, Some(1))).await.unwrap();
    assert_eq!(due(30, 9).await, [1]);
}
