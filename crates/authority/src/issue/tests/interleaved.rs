//! Many decide on one account at once, in every order that a seeded scheduler finds: the count holds, and no change
//! is lost.

use super::*;
use crate::account::{Account, Sealed};
use crate::change::Change;
use crate::key::KeyState;
use crate::policy::Profile;
use crate::tests::{account, api_key, key};
use latchkey_protocol::{AccountId, KeyId, PermissionSet};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;
use std::collections::BTreeMap;

/// Room for four keys, so that a few threads meet at the limit.
const POLICY: Policy = Policy { keys_per_account: 4, ..Policy::of(Profile::Default) };

/// A store that loads and commits, each at once; between the two anything may happen.
struct Model {
    account: Account,
    keys: BTreeMap<KeyId, KeyRecord>,
    commits: u64,
}

impl Model {
    fn load(&self) -> Loaded {
        let there = |key: &&KeyRecord| !matches!(key.state, KeyState::Deleted { .. });
        Loaded {
            account: self.account.clone(),
            master: None,
            keys: self.keys.values().filter(there).cloned().collect(),
        }
    }

    /// `false`: somebody was faster.
    fn commit(&mut self, change: Change) -> bool {
        let account = change.accounts.iter().all(|write| write.expected == Some(self.account.version));
        let version = |id| self.keys.get(&id).map(|key| key.version);
        let fresh = account && change.keys.iter().all(|write| write.expected == version(write.record.id));
        if fresh {
            self.commits += 1;
            self.account = change.accounts.into_iter().next().unwrap().record;
            self.keys.extend(change.keys.into_iter().map(|write| (write.record.id, write.record)));
            let counted = self.keys.values().filter(|key| key.counts(self.keys.values(), &POLICY, NOW)).count();
            assert!(counted <= usize::from(POLICY.keys_per_account), "{counted} keys");
        }
        fresh
    }
}

/// Loads, decides and commits until it is decided on what is stored.
fn change(
    model: &Mutex<Model>,
    decide: impl Fn(Case<'_>) -> Result<Option<Change>, Refusal>,
) -> Result<Option<()>, Refusal> {
    let caller = Caller { account: AccountId(1), from: None, via: Via::World, step_up: None, claim: None };
    loop {
        let loaded = model.lock().unwrap().load();
        let case = Case { policy: &POLICY, loaded: &loaded, caller: &caller, maker: None, now: NOW };
        let Some(change) = decide(case)? else { return Ok(None) };
        if model.lock().unwrap().commit(change) {
            return Ok(Some(()));
        }
    }
}

fn create(model: &Mutex<Model>, id: u128) -> Result<Option<()>, Refusal> {
    let new = NewKey {
        label: "x".into(),
        proof: NewProof::Hmac,
        permissions: PermissionSet::READING,
        ips: Some("127.0.0.1".into()),
        symbols: None,
        fixed: FixedText::default(),
        created: None,
    };
    let proof = MintedProof::Hmac(Sealed(vec![7]));
    let minted = Minted { id: KeyId(id), api_key: api_key(id), proof };
    change(model, |case| create_key(case, &new, &minted).map(Some))
}

/// Adds a letter to the label of key 1, whatever it is by then.
fn lengthen(model: &Mutex<Model>) -> Result<Option<()>, Refusal> {
    change(model, |case| {
        let label =
            case.loaded.keys.iter().find(|key| key.id == KeyId(1)).ok_or(Refusal::KeyUnknown)?.label.to_string();
        edit_key(case, KeyId(1), &KeyEdit { label: Some(label + "+"), ..KeyEdit::default() }, None)
    })
}

fn play() {
    let keys = [1, 2, 3].map(|id| (KeyId(id), key(id)));
    let model = Model { account: account(1), keys: keys.into_iter().collect(), commits: 0 };
    let model = Arc::new(Mutex::new(model));
    let spawn = |act: fn(&Mutex<Model>, u128) -> u64, id| {
        let model = Arc::clone(&model);
        thread::spawn(move || act(&model, id))
    };
    let makers: Vec<_> = [10, 11, 12].map(|id| spawn(|model, id| u64::from(create(model, id).is_ok()), id)).into();
    let editors: Vec<_> =
        [0, 1].map(|id| spawn(|model, _| (0..2).map(|_| u64::from(lengthen(model).is_ok())).sum(), id)).into();
    let removers: Vec<_> = [2, 3]
        .map(|id| {
            spawn(|model, id| u64::from(change(model, |case| delete_key(case, KeyId(id))).unwrap().is_some()), id)
        })
        .into();
    let sum = |tasks: Vec<thread::JoinHandle<u64>>| -> u64 { tasks.into_iter().map(|task| task.join().unwrap()).sum() };
    let (made, edited, removed) = (sum(makers), sum(editors), sum(removers));
    let model = model.lock().unwrap();
    assert_eq!((edited, removed), (4, 2), "nobody who may is refused");
    assert_eq!(model.keys[&KeyId(1)].label.as_str(), "bot++++", "no edit is lost");
    assert_eq!(model.keys[&KeyId(1)].version, 5);
    assert_eq!(model.commits, made + edited + removed);
    assert_eq!(model.account.version, 1 + model.commits);
    let lives =
        u64::try_from(model.keys.values().filter(|key| key.counts(model.keys.values(), &POLICY, NOW)).count()).unwrap();
    assert_eq!(lives, 3 + made - removed);
    assert!(made >= 1, "there was room for one from the start");
}

#[test]
fn the_count_holds_and_no_change_is_lost_in_any_order() {
    // How many schedules to try; more when a proof is wanted than when a change is tested.
    #[expect(clippy::disallowed_methods, reason = "the number of schedules comes from whoever runs the proof")]
    let cases = std::env::var("LATCHKEY_PROOF_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    shuttle::check_random(play, cases);
    shuttle::check_pct(play, cases, 3);
}
