//! What goes on by itself: rules that act with time, letters, signed audit heads, last uses, and the shelf's expiry.
//!
//! `Rounds` decides, purely, what is due; the loop below it does it. A task that fails is told in the log and tried
//! again in its next round. Letters have a loop of their own: a slow mail server holds up nothing else.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use latchkey_admission::ports::Clock;
use latchkey_authority::ports::{Directory, KeptNotice, Notes, Shelf, Store};
use latchkey_console::ports::Mail;
use latchkey_protocol::{AccountId, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::assemble::House;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// Accounts looked at in one go.
const ACCOUNTS: u32 = 256;
/// Last uses of keys that are written in one go.
const USES: usize = 512;
/// Letters of one round, and how many of them are under way together.
const LETTERS: u32 = 64;
const TOGETHER: usize = 8;
/// A letter that could not be sent for so long is given up; the console still shows it.
const GIVEN_UP_AFTER: i64 = 24 * HOUR;

/// A task of the loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Task {
    /// Rules that act with time: ends of keys, retirements, notices before.
    Sweep,
    /// Letters for notices.
    Letters,
    /// The head of the audit chain, signed.
    Head,
    /// When and from where keys were used.
    Uses,
    /// What has expired leaves the shelf.
    Shelf,
}

impl Task {
    /// How often it is done, in microseconds.
    const fn period(self) -> i64 {
        match self {
            Self::Sweep | Self::Head | Self::Uses => 60 * SECOND,
            Self::Letters => 2 * SECOND,
            Self::Shelf => 600 * SECOND,
        }
    }

    /// How long it rests after it failed for the `count`th time in a row: its period, doubled each time, at most an hour.
    fn rest(self, count: u32) -> i64 {
        let doubled = 1_i64.checked_shl(count.saturating_sub(1).min(20)).unwrap_or(i64::MAX);
        self.period().saturating_mul(doubled).min(HOUR).max(self.period())
    }
}

/// When each task is due. Everything is due at the start.
#[derive(Clone, Debug)]
struct Rounds {
    due: Vec<(Task, Timestamp, u32)>,
}

impl Rounds {
    fn starting(tasks: &[Task], now: Timestamp) -> Self {
        Self { due: tasks.iter().map(|task| (*task, now, 0)).collect() }
    }

    /// The tasks that are due.
    fn step(&self, now: Timestamp) -> Vec<Task> {
        self.due.iter().filter(|(_, due, _)| *due <= now).map(|(task, ..)| *task).collect()
    }

    /// Notes how a task went.
    fn done(&mut self, task: Task, now: Timestamp, is_well: bool) {
        for (known, due, failures) in &mut self.due {
            if *known == task {
                *failures = if is_well { 0 } else { failures.saturating_add(1) };
                *due = now.plus_micros(if is_well { task.period() } else { task.rest(*failures) });
            }
        }
    }
}

/// Does what is due until `stop` turns true.
pub async fn keep(house: Arc<House>, mail: Option<Arc<dyn Mail>>, stop: watch::Receiver<bool>) {
    let post = run(&[Task::Letters], &house, mail.as_ref(), stop.clone());
    let others = run(&[Task::Sweep, Task::Head, Task::Uses, Task::Shelf], &house, None, stop);
    tokio::join!(post, others);
}

/// Does those of `tasks` that are due, one after the other, until `stop` turns true.
async fn run(tasks: &[Task], house: &Arc<House>, mail: Option<&Arc<dyn Mail>>, mut stop: watch::Receiver<bool>) {
    const PAUSE: Duration = Duration::from_secs(1);
    let mut rounds = Rounds::starting(tasks, house.clock.now());
    loop {
        for task in rounds.step(house.clock.now()) {
            let done = match task {
                Task::Sweep => sweep(house).await,
                Task::Letters => letters(house, mail).await,
                Task::Head => head(house).await,
                Task::Uses => uses(house).await,
                Task::Shelf => house.store().sweep(house.clock.now()).await.map(drop).map_err(Into::into),
            };
            if let Err(error) = &done {
                tracing::error!(error = format!("{error:#}"), ?task, "a task that goes on by itself failed");
            }
            rounds.done(task, house.clock.now(), done.is_ok());
        }
        if tokio::time::timeout(PAUSE, async { drop(stop.wait_for(|stop| *stop).await) }).await.is_ok() {
            return;
        }
    }
}

/// Lets the rules look at every account once, until `stop` turns true. When a key needs them next was written under the
/// policy of that time: what another policy asks since this start shows nowhere else.
pub async fn look_at_all(house: Arc<House>, mut stop: watch::Receiver<bool>) {
    const PAUSE: Duration = Duration::from_secs(60);
    let mut after = AccountId(0);
    loop {
        match look_at_page(&house, &mut after, &stop).await {
            Ok(true) if !*stop.borrow() => {}
            Ok(_) => return,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "not every account was looked at; it is tried again");
                if tokio::time::timeout(PAUSE, async { drop(stop.wait_for(|stop| *stop).await) }).await.is_ok() {
                    return;
                }
            }
        }
    }
}

/// Looks at the accounts above `after`, which moves on; whether there may be more.
async fn look_at_page(house: &House, after: &mut AccountId, stop: &watch::Receiver<bool>) -> anyhow::Result<bool> {
    let accounts = house.store().accounts(*after, ACCOUNTS).await?;
    for account in &accounts {
        if *stop.borrow() {
            return Ok(false);
        }
        sweep_account(house, account.id, house.clock.now()).await?;
        *after = account.id;
    }
    Ok(!accounts.is_empty())
}

/// Lets the rules look at one account; how many keys they wrote.
async fn sweep_account(house: &House, account: AccountId, now: Timestamp) -> anyhow::Result<usize> {
    let keys = house.live.keys_of(account);
    // Nothing could be used before the start: a key that is followed by another is idle from then on at the earliest.
    let last = |id| keys.iter().find(|key| key.id == id).and_then(|key| key.last_use());
    let used = |id| Some(last(id).map_or(house.started, |last| last.at.max(house.started)));
    house.authority.sweep(account, &used, now).await.with_context(|| format!("account {account}"))
}

/// Lets the rules act that act with time.
async fn sweep(house: &House) -> anyhow::Result<()> {
    loop {
        let now = house.clock.now();
        let accounts = house.authority.due_accounts(now, ACCOUNTS).await?;
        let mut acted = 0;
        for account in &accounts {
            acted += sweep_account(house, *account, now).await?;
            house.store().swept(*account).await?;
        }
        // One that is still due though nothing was left to do must not spin.
        if accounts.is_empty() || acted == 0 {
            return Ok(());
        }
    }
}

/// Sends a letter for each notice that was not sent yet. One that cannot be sent waits as long again as it is old, at most
/// an hour; the others go out.
async fn letters(house: &Arc<House>, mail: Option<&Arc<dyn Mail>>) -> anyhow::Result<()> {
    let Some(mail) = mail else { return Ok(()) };
    let notices = house.store().unsent_notices(house.clock.now(), LETTERS).await?;
    for some in notices.chunks(TOGETHER) {
        let mut under_way = JoinSet::new();
        for notice in some {
            let (house, mail, notice) = (Arc::clone(house), Arc::clone(mail), notice.clone());
            under_way.spawn(async move { letter(&house, mail.as_ref(), &notice).await });
        }
        for done in under_way.join_all().await {
            done?;
        }
    }
    Ok(())
}

/// Sends the letter for a notice, or notes when to try again. Fails only with the store.
async fn letter(house: &House, mail: &dyn Mail, notice: &KeptNotice) -> anyhow::Result<()> {
    let result = send(house, mail, notice).await;
    let now = house.clock.now();
    let age = now.micros_since(notice.at);
    match result {
        Ok(()) => house.store().mark_sent(&[notice.id]).await?,
        Err(error) if age >= GIVEN_UP_AFTER => {
            tracing::error!(notice = notice.id, error = format!("{error:#}"), "a letter is given up");
            house.store().mark_sent(&[notice.id]).await?;
        }
        Err(error) => {
            tracing::warn!(notice = notice.id, error = format!("{error:#}"), "a letter could not be sent yet");
            house.store().postpone(notice.id, now.plus_micros(age.clamp(Task::Letters.period(), HOUR))).await?;
        }
    }
    Ok(())
}

/// A sub-account that nobody signs in to has no mailbox: its letters go to its master.
async fn send(house: &House, mail: &dyn Mail, notice: &KeptNotice) -> anyhow::Result<()> {
    let account: AccountId = notice.notice.account;
    let Some(loaded) = house.store().load(account).await? else { return Ok(()) };
    let key = notice.notice.key.map(|key| format!("\nKey: {key}")).unwrap_or_default();
    let text = format!("{}\n\nAccount: {account}{key}\n", notice.notice.text);
    let reader = match &loaded.master {
        Some(master) if loaded.account.password_hash.is_none() => master,
        _ => &loaded.account,
    };
    let sent = mail.send(&reader.email, "About your API keys", &text).await;
    sent.map_err(|error| anyhow::anyhow!(error.0)).context("a letter was not taken")
}

/// Signs the head of the audit chain when there are records since the last one, and tells it in the log, so that a copy
/// lies outside the store.
///
/// # Errors
/// The store's.
pub async fn head(house: &House) -> anyhow::Result<()> {
    if let Some(head) = house.store().sign_head(&house.audit_key, house.clock.now()).await? {
        tracing::info!("audit head: {}", head.as_str());
    }
    Ok(())
}

/// Writes when and from where keys were used since the last time. What a crash loses is what came after that.
///
/// # Errors
/// The store's; what was not written is written the next time.
pub async fn uses(house: &House) -> anyhow::Result<()> {
    let live = Arc::clone(&house.live);
    let uses = tokio::task::spawn_blocking(move || live.unstored_uses()).await?;
    for some in uses.chunks(USES) {
        // A call that is being noted in this very moment has no address yet.
        let some: Vec<_> = some.iter().filter_map(|(key, last)| Some((key, last.at, last.from?))).collect();
        house.store().write_uses(&some.iter().map(|(key, at, from)| (key.id, *at, *from)).collect::<Vec<_>>()).await?;
        for (key, at, _) in some {
            key.use_stored(at);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Task; 5] = [Task::Sweep, Task::Letters, Task::Head, Task::Uses, Task::Shelf];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * SECOND)
    }

    #[test]
    fn everything_is_due_at_the_start_and_then_in_its_turn() {
        let mut rounds = Rounds::starting(&ALL, at(100));
        assert_eq!(rounds.step(at(100)), ALL);
        for task in ALL {
            rounds.done(task, at(100), true);
        }
        assert_eq!(rounds.step(at(101)), []);
        assert_eq!(rounds.step(at(102)), [Task::Letters]);
        rounds.done(Task::Letters, at(102), true);
        assert_eq!(rounds.step(at(160)), [Task::Sweep, Task::Letters, Task::Head, Task::Uses]);
        assert_eq!(rounds.step(at(700)), ALL);
    }

    #[test]
    fn what_fails_rests_longer_each_time_and_at_most_an_hour() {
        let mut rounds = Rounds::starting(&ALL, at(0));
        for task in ALL {
            rounds.done(task, at(1_000_000), true);
        }
        let mut now = 2_000_000;
        let mut rests = Vec::new();
        for _ in 0..14 {
            rounds.done(Task::Letters, at(now), false);
            let rest = (1..=3_600).find(|rest| rounds.step(at(now + rest)).contains(&Task::Letters)).unwrap();
            rests.push(rest);
            now += rest;
        }
        assert_eq!(rests[..4], [2, 4, 8, 16]);
        assert_eq!(rests[13], 3_600);
        rounds.done(Task::Letters, at(now), true);
        assert!(rounds.step(at(now + 2)).contains(&Task::Letters), "a success forgets the failures");
    }
}
