use latchkey_admission::call::{FoundBy, RequestIds, Transport};
use latchkey_admission::{Reason, Rejection, Stage};
use latchkey_protocol::AccountId;

use super::*;

const IN_COMMON: u32 = 20;
const OWNER: &str = "192.0.2.7";
const KEY: u128 = 1;

/// Every reason that a stranger who knows the name of a key can choose by what is sent.
fn reasons() -> Vec<Reason> {
    let far_us = 9_000_000;
    vec![
        Reason::SignatureWrong,
        Reason::SignatureShape("not 64 hexadecimal digits"),
        Reason::TimestampTooOld { behind_us: far_us },
        Reason::TimestampAhead { ahead_us: far_us },
        Reason::FieldMissing("signature"),
        Reason::FieldEmpty("timestamp"),
        Reason::NoSuchEndpoint,
        Reason::BodyOnGet,
        Reason::RecvWindowPrecision,
        Reason::TimeUnit,
    ]
}

struct Minute {
    budget: Budget,
    ids: RequestIds,
}

impl Minute {
    fn begin() -> Self {
        Self { budget: Budget::new(IN_COMMON), ids: RequestIds::new(1) }
    }

    /// Whether a call is kept one by one.
    fn keeps(&mut self, key: u128, peer: IpAddr, reason: Reason) -> bool {
        let kept = self.budget.spend(Box::new(CallRecord {
            id: self.ids.next(),
            transport: Transport::Rest,
            arrived: Timestamp::from_micros(0),
            took_us: 12,
            peer,
            found_by: FoundBy::Socket,
            ip: None,
            row: None,
            api_key: None,
            key: Some((AccountId(1), KeyId(key))),
            proven: false,
            clock_us: None,
            used: None,
            payload: None,
            end: End::Rejected(Rejection::new(Stage::Signature, reason)),
        }));
        kept.is_some()
    }

    /// How many of a flood are kept: every reason, a hundred times, from each of `networks`.
    fn flood(&mut self, key: u128, networks: impl IntoIterator<Item = IpAddr>) -> usize {
        let each = networks.into_iter().flat_map(|network| (0..100).map(move |_| network));
        each.flat_map(|network| reasons().into_iter().map(move |reason| (network, reason)))
            .filter(|(network, reason)| self.keeps(key, *network, reason.clone()))
            .count()
    }

    /// How many of the owner's first failures are kept, `OF_REASON` of each of two reasons.
    fn owner(&mut self, key: u128) -> usize {
        let own = [Reason::SignatureWrong, Reason::TimestampTooOld { behind_us: 6_000_000 }];
        let calls = own.into_iter().flat_map(|reason| (0..OF_REASON).map(move |_| reason.clone()));
        calls.filter(|reason| self.keeps(key, OWNER.parse().unwrap(), reason.clone())).count()
    }
}

/// The /64 number `network` of the /48 number `site`.
fn network(site: u128, network: u128) -> IpAddr {
    IpAddr::V6((0x2001_0db8 << 96 | site << 80 | network << 64 | 1).into())
}

#[test]
fn a_flood_from_one_network_leaves_the_owners_first_failures_in() {
    let mut minute = Minute::begin();
    assert_eq!(minute.flood(KEY, [network(0, 0)]), OF_NETWORK + IN_COMMON as usize);
    assert_eq!(minute.owner(KEY), 2 * OF_REASON);
    assert_eq!(minute.owner(KEY), 0, "the share is used up, and so is what all have in common");
    assert_eq!(minute.owner(2), 2 * OF_REASON);
    assert_eq!(minute.owner(2), 2 * OF_REASON, "on a key that nobody floods what is common is left");
}

#[test]
fn a_flood_from_many_networks_leaves_the_owners_first_failures_in() {
    let mut minute = Minute::begin();
    let kept = minute.flood(KEY, (0..64).map(|site| network(site, 0)));
    assert_eq!(kept, 64 * OF_NETWORK + IN_COMMON as usize);
    assert_eq!(minute.owner(KEY), 2 * OF_REASON);

    let mut minute = Minute::begin();
    let kept = minute.flood(KEY, (0..1000).map(|n| network(0, n)));
    assert_eq!(kept, NEIGHBORS_OF_KEY * OF_NETWORK + IN_COMMON as usize, "a whole /48 has few shares together");
    assert_eq!(minute.owner(KEY), 2 * OF_REASON);
}

#[test]
fn a_key_has_a_ceiling_whatever_comes() {
    let mut minute = Minute::begin();
    let kept = minute.flood(KEY, (0..NETWORKS_OF_KEY as u128 + 50).map(|site| network(site, 0)));
    assert_eq!(kept, NETWORKS_OF_KEY * OF_NETWORK + IN_COMMON as usize);
    assert_eq!(minute.owner(KEY), 0, "whoever holds so many networks has them all");
}

#[test]
fn one_reason_does_not_use_up_the_share_of_a_network() {
    let mut minute = Minute::begin();
    let from = OWNER.parse().unwrap();
    let old = || Reason::TimestampTooOld { behind_us: 6_000_000 };
    let kept = (0..1000).filter(|_| minute.keeps(KEY, from, old())).count();
    assert_eq!(kept, OF_REASON + IN_COMMON as usize);
    assert!(minute.keeps(KEY, from, Reason::SignatureWrong));
}

#[test]
fn memory_is_bounded_and_one_neighborhood_cannot_fill_it() {
    let mut minute = Minute::begin();
    for key in 0..5000 {
        minute.keeps(1000 + key, network(0, key), Reason::SignatureWrong);
    }
    assert_eq!(minute.budget.keys.len(), SHARES_OF_NEIGHBORHOOD);
    assert_eq!(minute.owner(KEY), 2 * OF_REASON);
    for site in 1..100 {
        for key in 0..2000 {
            minute.keeps(10_000 * site + key, network(site, 0), Reason::SignatureWrong);
        }
    }
    let shares: usize = minute.budget.keys.values().map(|spent| spent.shares.len()).sum();
    assert_eq!((shares, minute.budget.places.taken), (SHARES_MAX, SHARES_MAX));
    assert!(minute.budget.places.of_neighborhoods.len() <= 100);
    assert!(!minute.keeps(2, OWNER.parse().unwrap(), Reason::SignatureWrong), "a key without a place is counted alone");
}

#[test]
fn what_is_not_kept_is_told_together_and_the_next_minute_begins_afresh() {
    let mut minute = Minute::begin();
    let now = |minute| Timestamp::from_micros(minute * MINUTE);
    assert_eq!(minute.budget.turn(now(1)), []);
    let from = network(0, 0);
    let kept = minute.flood(KEY, [from]);
    let told = minute.budget.turn(now(2));
    let counts: Vec<_> = told.iter().map(|entry| (entry.key, entry.count as usize, entry.source)).collect();
    assert_eq!(counts, [(KeyId(KEY), 100 * reasons().len() - kept, from)]);
    assert_eq!(minute.flood(KEY, [from]), kept);
    assert_eq!(minute.budget.turn(now(2)), [], "the same minute");
}
