//! What the rules that act with time keep of a key, and what its owner is told of it.

use crate::account::Owner;
use crate::change::NoticeKind;
use crate::effective::reach;
use crate::key::{KeyRecord, Watch};
use crate::permission_rules::{Need, Subject};
use crate::policy::{DAY, HOUR, Policy};
use latchkey_protocol::{PermissionSet, Timestamp};

/// How many days before its end an owner is told.
const WARN_DAYS: [u16; 3] = [1, 7, 14];

/// Whether a living key violates Default Security Controls: HMAC, no IP list, granted more than reading.
/// Source: Binance support, "How to Create API Keys on Binance".
pub(super) fn violates(policy: &Policy, owner: &Owner<'_>, key: &KeyRecord, now: Timestamp) -> bool {
    let subject = Subject {
        policy,
        owner: *owner,
        key_type: key.key_type(),
        listed: key.ip.is_listed(),
        capabilities: key.capabilities,
        at: now,
    };
    let granted = key.permissions.intersection(reach(key.kind));
    key.lives(policy, now)
        && granted.iter().any(|p| !PermissionSet::READING.contains(p))
        && !Need::IpListForHmac.met(&subject)
}

/// When a key that violates the controls is deleted.
pub(super) fn grace_end(policy: &Policy, since: Timestamp) -> Timestamp {
    since.plus_micros(i64::from(policy.dsc_grace_days) * DAY)
}

/// When a key that has a successor ends at the latest, last used at `used`.
pub(super) fn idle_end(key: &KeyRecord, used: Option<Timestamp>) -> Option<Timestamp> {
    let retiring = key.retiring?;
    let active = used.map_or(retiring.since, |used| used.max(retiring.since));
    Some(active.plus_micros(i64::from(retiring.idle_hours?) * HOUR))
}

/// What is kept of `key` as it shall be, and what its owner is told because that is new.
pub(super) fn renewed(
    policy: &Policy,
    owner: &Owner<'_>,
    key: &KeyRecord,
    now: Timestamp,
) -> (Watch, Vec<(NoticeKind, String)>) {
    if !key.lives(policy, now) {
        // What a key that has ended was promised stays written: a longer life in a new policy revives nothing.
        let due = key.over(policy, now).filter(|_| !key.state.is_final()).map(|_| now);
        return (Watch { due, ..key.watch }, Vec::new());
    }
    let mut told = Vec::new();
    let violating = violates(policy, owner, key, now).then(|| key.watch.violating.unwrap_or(now));
    if let (Some(since), None) = (violating, key.watch.violating) {
        told.push((NoticeKind::Controls, violation(policy, key, since)));
    } else if violating.is_none() && key.watch.violating.is_some() {
        let text = format!("The key \"{}\" has its permissions back.", key.label);
        told.push((NoticeKind::Controls, text));
    }
    let life_end = key.unrestricted_since.and_then(|since| policy.unrestricted_end(since));
    let (warned_days, next_warning) = warning(life_end, now);
    if let (Some(days), Some(end)) = (warned_days, life_end)
        && key.watch.warned_days.is_none_or(|before| days < before)
    {
        told.push((NoticeKind::KeyExpiring, expiry(key, days, end)));
    }
    let due = [
        life_end,
        next_warning,
        violating.map(|since| grace_end(policy, since)),
        key.retiring.map(|retiring| retiring.at),
        idle_end(key, None),
    ];
    (Watch { violating, life_end, warned_days, due: due.into_iter().flatten().min() }, told)
}

/// Of how many days an owner must have been told at `now`, and when the next number is reached.
fn warning(life_end: Option<Timestamp>, now: Timestamp) -> (Option<u16>, Option<Timestamp>) {
    let Some(end) = life_end else { return (None, None) };
    let at = |days: u16| end.plus_micros(-i64::from(days) * DAY);
    let reached = WARN_DAYS.into_iter().find(|days| at(*days) <= now);
    let next = WARN_DAYS.into_iter().rev().map(at).find(|time| *time > now);
    (reached, next)
}

fn violation(policy: &Policy, key: &KeyRecord, since: Timestamp) -> String {
    let end = grace_end(policy, since).as_millis();
    format!(
        "The HMAC key \"{}\" has no IP list while Default Security Controls are on. It only reads now, and it is \
         deleted {} days from now (at {end}) unless it gets an IP list or the controls are turned off.",
        key.label, policy.dsc_grace_days
    )
}

fn expiry(key: &KeyRecord, days: u16, end: Timestamp) -> String {
    let unit = if days == 1 { "day" } else { "days" };
    format!(
        "The key \"{}\" has no IP list and ends within {days} {unit} (at {}). An IP list added before lifts this; \
         an ended key never comes back.",
        key.label,
        end.as_millis()
    )
}
