use latchkey_authority::ports::Store as _;
use latchkey_crypto::public_key::PublicKey;
use latchkey_crypto::sign::Signer;
use latchkey_protocol::AccountId;
use latchkey_store::audit::export::{Exporter, Header, VerifyError, verify};
use latchkey_store::audit::heads::{Head, SignedHead};
use latchkey_store::audit::{AuditRecord, Break, Chain};
use latchkey_store::random;
use latchkey_store::sqlite::heads::{AuditError, Tail};
use latchkey_store::sqlite::{SqliteStore, StoreId};
use sqlx::Connection as _;

use crate::records::{NOW, change, open};

/// Nine changes of three accounts in turn.
async fn filled(folder: &std::path::Path) -> SqliteStore {
    let store = open(folder).await;
    for number in 0..9 {
        store.commit(change(1 + number % 3)).await.unwrap();
    }
    store
}

fn holds(mut chain: Chain, records: &[AuditRecord]) -> bool {
    records.iter().all(|record| chain.follow(record).is_ok())
}

/// Hashes every record anew, so that the chain holds by itself.
fn chained(store: StoreId, records: &mut [AuditRecord]) {
    let mut heads = std::collections::BTreeMap::new();
    let mut previous = [0; 32];
    for record in records {
        record.previous = previous;
        record.account_previous = heads.get(&record.account).copied().unwrap_or([0; 32]);
        record.hash = record.digest(store);
        previous = record.hash;
        heads.insert(record.account, record.hash);
    }
}

fn exported(store: StoreId, account: Option<AccountId>, records: &[AuditRecord]) -> Vec<u8> {
    let mut exporter = Exporter::start(Vec::new(), Header { store, account }).unwrap();
    for record in records {
        exporter.write(record).unwrap();
    }
    exporter.finish().unwrap()
}

struct Signed {
    key: Signer,
    head: SignedHead,
}

impl Signed {
    fn of(head: Head) -> Self {
        let key = Signer::generate_ed25519(&mut random::fill);
        Self { head: head.sign(&key).unwrap(), key }
    }

    fn public(&self) -> PublicKey {
        self.key.public_key().unwrap()
    }

    fn verify(&self, export: &[u8]) -> Result<u64, VerifyError> {
        verify(export, &self.head, &[self.public()]).map(|found| found.records)
    }
}

#[tokio::test]
async fn the_whole_chain_and_that_of_each_account_verify() {
    let scratch = tempfile::tempdir().unwrap();
    let store = filled(scratch.path()).await;
    let all = store.audit(None, 0, 100).await.unwrap();
    assert!(all.iter().map(|record| record.revision).eq(1..=9));
    assert!(holds(Chain::new(store.id(), None), &all));
    assert_eq!(all[0].read_event().unwrap(), change(1).audit);
    for account in 1..=3 {
        let own = store.audit(Some(AccountId(account)), 0, 100).await.unwrap();
        assert_eq!(own.len(), 3);
        assert!(holds(Chain::new(store.id(), Some(AccountId(account))), &own));
        assert!(!holds(Chain::new(store.id(), Some(AccountId(account % 3 + 1))), &own), "another's");
    }
    assert!(!holds(Chain::new(StoreId([9; 16]), None), &all), "records of another store");
    assert_eq!(store.audit(None, 4, 2).await.unwrap(), all[4..6]);
}

#[tokio::test]
async fn an_export_verifies_against_its_head_and_an_older_one() {
    let scratch = tempfile::tempdir().unwrap();
    let store = filled(scratch.path()).await;
    let key = Signer::generate_ed25519(&mut random::fill);
    for account in [None, Some(AccountId(2))] {
        let older = Signed::of(store.head(account, NOW).await.unwrap());
        store.commit(change(2)).await.unwrap();
        let newer = Signed::of(store.head(account, NOW).await.unwrap());
        let mut export = Vec::new();
        let last = store.export_audit(account, &mut export).await.unwrap();
        let found = verify(export.as_slice(), &newer.head, &[newer.public()]).unwrap();
        assert_eq!((found.last, found.behind_head), (last, 0));
        let found = verify(export.as_slice(), &older.head, &[older.public()]).unwrap();
        assert_eq!((found.last, found.behind_head), (last, 1), "one record is not signed yet");
        let foreign = verify(export.as_slice(), &newer.head, &[key.public_key().unwrap()]);
        assert!(matches!(foreign, Err(VerifyError::Head(_))), "{foreign:?}");
    }
    let whole = Signed::of(store.head(None, NOW).await.unwrap());
    let mut export = Vec::new();
    store.export_audit(Some(AccountId(2)), &mut export).await.unwrap();
    assert!(matches!(whole.verify(&export), Err(VerifyError::OtherChain)), "the head of another chain");
}

#[tokio::test]
async fn every_byte_of_an_export_counts() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    for account in [1, 2, 1] {
        store.commit(change(account)).await.unwrap();
    }
    for account in [None, Some(AccountId(1))] {
        let signed = Signed::of(store.head(account, NOW).await.unwrap());
        let mut export = Vec::new();
        store.export_audit(account, &mut export).await.unwrap();
        assert!(signed.verify(&export).is_ok());
        for place in 0..export.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut altered = export.clone();
                altered[place] ^= flip;
                assert!(signed.verify(&altered).is_err(), "bit {flip} of byte {place}");
            }
            let mut without = export.clone();
            without.remove(place);
            assert!(signed.verify(&without).is_err(), "without byte {place}");
            for extra in [b' ', b'0', b'\n', b'}', b','] {
                let mut with = export.clone();
                with.insert(place, extra);
                assert!(signed.verify(&with).is_err(), "with {extra} before byte {place}");
            }
            assert!(signed.verify(&export[..place]).is_err(), "cut off before byte {place}");
        }
        let more = [export.as_slice(), b" "].concat();
        assert!(signed.verify(&more).is_err(), "something behind the end");
    }
}

#[tokio::test]
async fn removed_swapped_repeated_and_foreign_records_are_found_where_they_are() {
    let scratch = tempfile::tempdir().unwrap();
    let store = filled(scratch.path()).await;
    let id = store.id();
    for account in [None, Some(AccountId(2))] {
        let signed = Signed::of(store.head(account, NOW).await.unwrap());
        let records = store.audit(account, 0, 100).await.unwrap();
        let check = |records: &[AuditRecord]| signed.verify(&exported(id, account, records));
        assert_eq!(check(&records).unwrap(), records.len() as u64);
        for first in 0..records.len() {
            for last in first + 1..=records.len() {
                let rest = [&records[..first], &records[last..]].concat();
                let found = check(&rest).unwrap_err();
                match found {
                    VerifyError::CutOff { .. } => assert_eq!(last, records.len()),
                    VerifyError::Chain { line, source } => {
                        assert_eq!((line, source.revision), (first as u64 + 2, records[last].revision));
                    }
                    other => panic!("{other:?}"),
                }
            }
            for other in first + 1..records.len() {
                let mut swapped = records.clone();
                swapped.swap(first, other);
                assert!(matches!(check(&swapped), Err(VerifyError::Chain { .. })), "{first} and {other}");
            }
            let repeated = [&records[..=first], &records[first..]].concat();
            let found = check(&repeated).unwrap_err();
            assert!(matches!(&found, VerifyError::Chain { source, .. } if source.what == Break::Order), "{found:?}");
            let mut foreign = records.clone();
            foreign[first].account = AccountId(77);
            assert!(matches!(check(&foreign), Err(VerifyError::Chain { .. })));
        }
        let mut reversed = records.clone();
        reversed.reverse();
        assert!(check(&reversed).is_err());
    }
}

/// Whoever can write the database can also hash all of it anew. The signed head tells.
#[tokio::test]
async fn a_chain_made_anew_fails_against_an_older_head() {
    let scratch = tempfile::tempdir().unwrap();
    let store = filled(scratch.path()).await;
    let (id, all) = (store.id(), store.audit(None, 0, 100).await.unwrap());
    let at = |revision: usize| {
        Signed::of(Head { store: id, account: None, revision: revision as u64, hash: all[revision - 1].hash, at: NOW })
    };
    for index in 0..all.len() {
        let mut forged = all.clone();
        forged[index].event.push(b' ');
        chained(id, &mut forged);
        assert!(holds(Chain::new(id, None), &forged), "it holds by itself");
        for revision in 1..=all.len() {
            let found = at(revision).verify(&exported(id, None, &forged));
            if revision > index {
                assert!(
                    matches!(found, Err(VerifyError::Recomputed { revision: at, .. }) if at == revision as u64),
                    "record {index}, head {revision}: {found:?}"
                );
            } else {
                assert!(found.is_ok(), "what was not signed yet cannot be told");
            }
        }
        let mut shorter = all.clone();
        shorter.remove(index);
        for (place, record) in shorter.iter_mut().enumerate() {
            record.revision = place as u64 + 1;
        }
        chained(id, &mut shorter);
        assert!(at(all.len()).verify(&exported(id, None, &shorter)).is_err(), "without record {index}");
    }
}

#[tokio::test]
async fn an_audit_key_is_rotated_and_the_heads_of_the_former_one_still_hold() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let [old, new] = [(); 2].map(|()| Signer::generate_ed25519(&mut random::fill));
    let [old_public, new_public] = [&old, &new].map(|key| key.public_key().unwrap());
    store.commit(change(1)).await.unwrap();
    let before = store.sign_head(&old, NOW).await.unwrap().unwrap();
    store.commit(change(2)).await.unwrap();
    let alone = store.verify_tail(std::slice::from_ref(&new_public)).await;
    assert!(matches!(alone, Err(AuditError::Head(_))), "the last head is of a key that is not listed");
    let both = [new_public.clone(), old_public.clone()];
    assert_eq!(store.verify_tail(&both).await.unwrap(), Tail { from: 1, last: 2 });
    let after = store.sign_head(&new, NOW).await.unwrap().unwrap();
    assert_eq!(store.verify_tail(std::slice::from_ref(&new_public)).await.unwrap(), Tail { from: 2, last: 2 });

    let export = exported(store.id(), None, &store.audit(None, 0, 10).await.unwrap());
    for (head, own) in [(&before, &old_public), (&after, &new_public)] {
        for keys in [vec![own.clone()], both.to_vec(), both.iter().rev().cloned().collect()] {
            assert!(verify(export.as_slice(), head, &keys).is_ok());
        }
    }
    let stranger = Signer::generate_ed25519(&mut random::fill).public_key().unwrap();
    for keys in [vec![], vec![new_public], vec![stranger]] {
        assert!(matches!(verify(export.as_slice(), &before, &keys), Err(VerifyError::Head(_))));
    }
}

#[tokio::test]
async fn a_start_verifies_the_chain_from_its_last_signed_head() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let key = Signer::generate_ed25519(&mut random::fill);
    let public = key.public_key().unwrap();
    assert_eq!(store.verify_tail(std::slice::from_ref(&public)).await.unwrap(), Tail { from: 0, last: 0 });
    assert_eq!(store.sign_head(&key, NOW).await.unwrap(), None, "there is nothing to sign");
    for account in [1, 2, 1] {
        store.commit(change(account)).await.unwrap();
    }
    assert_eq!(store.verify_tail(std::slice::from_ref(&public)).await.unwrap(), Tail { from: 0, last: 3 });
    let head = store.sign_head(&key, NOW).await.unwrap().unwrap();
    assert_eq!(head.open(&public).unwrap().revision, 3);
    assert_eq!(store.sign_head(&key, NOW).await.unwrap(), None, "nothing was changed since");
    assert_eq!(store.last_head().await.unwrap(), Some(head));
    for account in [2, 3, 1] {
        store.commit(change(account)).await.unwrap();
    }
    assert_eq!(store.verify_tail(std::slice::from_ref(&public)).await.unwrap(), Tail { from: 3, last: 6 });
    let other = Signer::generate_ed25519(&mut random::fill).public_key().unwrap();
    assert!(matches!(store.verify_tail(std::slice::from_ref(&other)).await, Err(AuditError::Head(_))));
    store.close().await.unwrap();

    // Every way to touch the end of the table, by one who removes what guards it.
    let path = scratch.path().join("data/latchkey.db");
    let whole = std::fs::read(&path).unwrap();
    for (statement, expected) in [
        (
            "UPDATE audit SET event = CAST(event || ' ' AS BLOB) WHERE revision = 5",
            "audit record 5: it does not match its hash",
        ),
        ("UPDATE audit SET hash = zeroblob(32) WHERE revision = 3", "audit record 3 is not the one"),
        ("DELETE FROM audit WHERE revision = 3", "audit record 3 is not the one"),
        ("DELETE FROM audit WHERE revision = 5", "what stands before it is missing, from record 5 on"),
        ("DELETE FROM audit WHERE revision = 6", "6 changes were made, but the audit chain ends at record 5"),
        ("UPDATE audit SET account = 3 WHERE revision = 6", "audit record 6: it does not match its hash"),
        ("UPDATE revision SET value = 5", "5 changes were made, but the audit chain ends at record 6"),
        ("UPDATE audit_heads SET head = replace(head, 'revision=3', 'revision=2')", "the signature of the audit head"),
    ] {
        std::fs::write(&path, &whole).unwrap();
        let url = format!("sqlite://{}", path.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let unguard = "DROP TRIGGER audit_is_not_rewritten; DROP TRIGGER audit_is_not_deleted; \
                       DROP TRIGGER audit_heads_are_not_rewritten;";
        sqlx::raw_sql(unguard).execute(&mut connection).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let store = open(scratch.path()).await;
        let error = store.verify_tail(std::slice::from_ref(&public)).await.unwrap_err();
        let text =
            format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
        assert!(text.contains(expected), "{statement}: {text}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_rewrite_audit_records_and_heads() {
    let scratch = tempfile::tempdir().unwrap();
    let store = filled(scratch.path()).await;
    store.sign_head(&Signer::generate_ed25519(&mut random::fill), NOW).await.unwrap().unwrap();
    store.close().await.unwrap();
    let url = format!("sqlite://{}", scratch.path().join("data/latchkey.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for statement in [
        "DELETE FROM audit WHERE revision = 9",
        "UPDATE audit SET account = 2 WHERE revision = 1",
        "DELETE FROM audit_heads",
        "UPDATE audit_heads SET head = ''",
    ] {
        let error = sqlx::raw_sql(statement).execute(&mut connection).await.unwrap_err();
        assert!(error.to_string().contains("are not"), "{error}");
    }
}
