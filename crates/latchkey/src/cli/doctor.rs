//! `latchkey doctor`: why was I refused, and is this key ready to be used?

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use latchkey_admission::ports::Clock as _;
use latchkey_admission::trail::IpMatch;
use latchkey_client::call::{Limits, Policy};
use latchkey_client::client::Client;
use latchkey_client::outcome::{Answer, Outcome, Refusal};
use latchkey_client::request::Request;
use latchkey_client::timing::SystemTiming;
use latchkey_protocol::code::{self, ErrorRow};
use serde_json::{Value, json};

use super::session::SessionArgs;
use super::{KeyArgs, Printable, call};

mod standing;

/// Tell why a call was refused, or whether a key is ready
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    key: KeyArgs,

    /// Where the venue is [default: the profile's, else http://127.0.0.1:8600]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,

    #[command(flatten)]
    session: SessionArgs,

    /// Print what the server said as JSON, and nothing else
    #[arg(long)]
    json: bool,

    /// The refused call: what its answer had in `x-mbx-uuid`; absent: check the key from end to end
    #[arg(value_name = "ID")]
    id: Option<String>,
}

const EXAMPLES: &str = "\
A refusal is told to the account that owns the key, through any of its keys that may read. Why a key is not taken at all
(disabled, frozen, ended) is told to an owner who is signed in (`latchkey login`).

Exit status: 0 all is well, or the refusal was found; 1 something is to be fixed, or nothing was found; 2 wrong usage.

Examples:
  latchkey doctor --credentials ./demo/credentials.json --key bot
  latchkey doctor --profile bot 5f0c9d3e-8b1a-4c77-0000-00000000002a";

/// A difference between the clocks beyond which a call may come too late, in milliseconds.
const CLOCK_MS: u64 = 500;
/// Days before the end of a key from which on it is told.
const DAYS_TOLD: i64 = 14;
const DAY_MS: i64 = 86_400_000;

/// Checks, and prints what was found.
///
/// # Errors
/// When the output cannot be written; everything else is told on standard error and by the exit status.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (out, notes) = (&mut std::io::stdout().lock(), &mut std::io::stderr().lock());
    let (mut client, api_key) = match connect(args) {
        Ok(connected) => connected,
        Err(error) => {
            super::tell(&error, notes)?;
            return Ok(ExitCode::from(2));
        }
    };
    let standing = || standing::read(&args.session, &api_key);
    let well = match &args.id {
        Some(id) if !is_request_id(id) => {
            let like = "it looks like 5f0c9d3e-8b1a-4c77-0000-00000000002a";
            writeln!(notes, "error: `{}` is not the id of a request; {like}", Printable(id))?;
            return Ok(ExitCode::from(2));
        }
        Some(id) => refusal(&mut client, id, args.json, &standing, out, notes)?,
        None => checkup(&mut client, args.json, &standing, out, notes)?,
    };
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The server, and the API key that calls it.
fn connect(args: &Args) -> anyhow::Result<(Client, String)> {
    let profile = call::profile(&args.key)?;
    let Some(credentials) = call::credentials(&args.key, profile.as_ref())? else {
        bail!("a key is needed: give --profile NAME or --credentials FILE");
    };
    let limits = Limits { sends_max: 2, connects_max: 1, ..Limits::default() };
    let policy = Policy { limits, ..Policy::default() };
    let transport = call::transport(args.base_url.as_deref(), profile.as_ref(), &args.session.trust)?;
    let api_key = credentials.api_key().as_str().to_owned();
    Ok((Client::new(transport, SystemTiming::new(), Some(credentials), policy), api_key))
}

fn is_request_id(id: &str) -> bool {
    id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// An id that may stand in a command to copy: a server that is none of ours can send any text as one.
fn shown_id(id: Option<&str>) -> Option<&str> {
    id.filter(|id| is_request_id(id))
}

/// Tells why one call was refused.
fn refusal(
    client: &mut Client,
    id: &str,
    json: bool,
    standing: Standing<'_>,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> anyhow::Result<bool> {
    let request = Request::get(format!("/latchkey/v1/refusals/{}", id.to_ascii_lowercase())).build()?;
    let answer = match client.call(&request) {
        Ok(Outcome::Answered(answer)) => answer,
        Ok(Outcome::Refused(refused)) if refused.status == 404 => {
            writeln!(
                notes,
                "no refusal has this id, or it is not one of this account; records are written within a second"
            )?;
            return Ok(false);
        }
        Ok(Outcome::Refused(refused)) if is_key_refused(&refused) => {
            writeln!(notes, "error: {}", Printable(&standing().unwrap_or_else(|| advice(&refused))))?;
            return Ok(false);
        }
        Ok(other) => return tell_failure(&other, notes),
        Err(error) => return not_reached(error, notes),
    };
    let found = parse(&answer)?;
    if json {
        writeln!(out, "{found}")?;
        return Ok(true);
    }
    tell_refusal(&found, out)?;
    Ok(true)
}

fn tell_refusal(found: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
    let refusal = found.get("refusal").unwrap_or(&Value::Null);
    let rows = [
        ("time", time(found.get("time"))),
        ("call", format!("{} {}", text(found, "method"), text(found, "path"))),
        ("from", format!("{} (found by {})", text(found, "ip"), text(found, "ipFoundBy"))),
        ("ip list", ip_list(found)),
        ("weight", weight(found.get("weight").unwrap_or(&Value::Null))),
        ("refused at", text(refusal, "stage")),
        ("reason", text(refusal, "reason")),
        ("told", format!("{} {}", text(refusal, "code"), text(refusal, "msg"))),
        ("clock", found.get("clockMillis").and_then(Value::as_i64).map_or_else(String::new, clock)),
        ("payload", text(refusal, "payload")),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{name:<11} {}", Printable(value))?;
    }
    writeln!(out, "{:<11} {}", "to fix", Printable(&text(refusal, "explanation")))?;
    Ok(())
}

/// Checks clock, address, key state, permissions, limits and signature with one signed call.
fn checkup(
    client: &mut Client,
    json: bool,
    standing: Standing<'_>,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> anyhow::Result<bool> {
    match client.call(&Request::get("/api/v3/time").build()?) {
        Ok(Outcome::Answered(_)) => {}
        Ok(other) => return tell_failure(&other, notes),
        Err(error) => return not_reached(error, notes),
    }
    let answer = match client.call(&Request::get("/latchkey/v1/key").build()?) {
        Ok(Outcome::Answered(answer)) => answer,
        Ok(Outcome::Refused(refused)) => {
            let known = if is_key_refused(&refused) { standing() } else { None };
            let is_known = known.is_some();
            let fix = known.unwrap_or_else(|| advice(&refused));
            if json {
                let id = shown_id(refused.request_id.as_deref());
                writeln!(out, "{}", json!({ "toFix": [fix], "refusal": id }))?;
                return Ok(false);
            }
            writeln!(out, "{:<11} {}", "to fix", Printable(&fix))?;
            if let Some(id) = shown_id(refused.request_id.as_deref()).filter(|_| !is_known) {
                writeln!(out, "{:<11} latchkey doctor {id}, with another key of the account", "more")?;
            }
            return Ok(false);
        }
        Ok(other) => return tell_failure(&other, notes),
        Err(error) => return not_reached(error, notes),
    };
    let mut key = parse(&answer)?;
    let ahead = answer.headers.find("x-latchkey-clock-ms").and_then(|value| value.parse::<i64>().ok());
    let fixes = fixes(&key, ahead);
    if json {
        if let Some(object) = key.as_object_mut() {
            object.insert("toFix".to_owned(), json!(fixes));
        }
        writeln!(out, "{key}")?;
        return Ok(fixes.is_empty());
    }
    let names = |name: &str| -> Vec<String> {
        let list = key.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let ips = if key.get("ipRestrict").and_then(Value::as_bool) == Some(true) {
        names("ips").join(", ")
    } else {
        "anywhere".to_owned()
    };
    let used = answer.headers.find("x-mbx-used-weight-1m").unwrap_or("not told");
    for (name, value) in [
        ("key", format!("{} ({}, {})", text(&key, "label"), text(&key, "type"), text(&key, "kind"))),
        ("signature", "holds".to_owned()),
        ("clock", ahead.map_or_else(String::new, clock)),
        ("address", format!("allowed; the key's list: {ips}")),
        ("permissions", names("permissions").join(", ")),
        ("weight", format!("{used} used in this minute by this address")),
    ] {
        writeln!(out, "{name:<11} {}", Printable(&value))?;
    }
    match fixes.as_slice() {
        [] => writeln!(out, "{:<11} nothing: the key is ready", "to fix")?,
        fixes => {
            for fix in fixes {
                writeln!(out, "{:<11} {}", "to fix", Printable(fix))?;
            }
        }
    }
    Ok(fixes.is_empty())
}

/// What an admitted key still lacks, one line each.
fn fixes(key: &Value, ahead: Option<i64>) -> Vec<String> {
    let mut fixes = Vec::new();
    if let Some(ahead) = ahead.filter(|ahead| ahead.unsigned_abs() > CLOCK_MS) {
        fixes.push(format!("set this machine's clock: it is {}", clock(ahead)));
    }
    for withheld in key.get("withheld").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
        let (permission, because) = (text(withheld, "permission"), text(withheld, "because"));
        fixes.push(format!("the permission `{permission}` is granted but not in force: {because}"));
    }
    let left = key.get("until").and_then(Value::as_i64).map(|until| until.saturating_sub(now_ms()));
    if let Some(left) = left.filter(|left| *left <= DAYS_TOLD * DAY_MS) {
        let left = match left.max(0) {
            left @ DAY_MS.. => format!("{} days", left / DAY_MS),
            left => format!("{} hours", left / (DAY_MS / 24)),
        };
        let listed = key.get("ipRestrict").and_then(Value::as_bool) == Some(true);
        let advice = if listed { "use its successor, or make another" } else { "give it an IP list" };
        fixes.push(format!("the key ends in {left}: {advice}"));
    }
    fixes
}

fn now_ms() -> i64 {
    crate::clock::SystemClock::default().now().as_millis()
}

/// What the owner's session knows of a key that the server does not take, and how to mend it.
type Standing<'a> = &'a dyn Fn() -> Option<String>;

/// Whether the server does not say why it does not take the key.
fn is_key_refused(refused: &Refusal) -> bool {
    [&code::REJECTED_KEY, &code::BAD_API_ID].iter().any(|row| refused.code == Some(row.code))
}

/// What is to be said of a key that the server does not take.
const OTHER_KEY: &str = "the server does not take this key from here: it was deleted, disabled or has ended, its account is \
    frozen, or this address is not on its list; `latchkey login` lets the doctor say which";

/// What to do about a refusal with a code, as far as a stranger may know.
static ADVICE: [(&ErrorRow, &str); 6] = [
    (&code::OUTSIDE_RECV_WINDOW, "set this machine's clock: the server refuses the call's timestamp"),
    (
        &code::INVALID_SIGNATURE,
        "the signature does not hold: is the secret that of this API key, and of this key type? A key that accepts message \
         signatures alone is tried with `latchkey call --scheme rfc9421`",
    ),
    (&code::BAD_API_KEY_FORMAT, "the API key is not 64 letters and digits"),
    (&code::REJECTED_KEY, OTHER_KEY),
    (&code::BAD_API_ID, OTHER_KEY),
    (&code::TOO_MANY_REQUESTS, "too many requests from this address: wait as the server says (Retry-After)"),
];

fn advice(refused: &Refusal) -> String {
    let known = ADVICE.iter().find(|(row, _)| refused.code == Some(row.code));
    known.map_or_else(|| refused.to_string(), |(_, advice)| (*advice).to_owned())
}

fn tell_failure(outcome: &Outcome, notes: &mut dyn Write) -> anyhow::Result<bool> {
    let what = match outcome {
        Outcome::Answered(_) => "an answer that was not expected".to_owned(),
        Outcome::Refused(refused) => refused.to_string(),
        Outcome::Unknown(unknown) => unknown.cause.to_string(),
    };
    writeln!(notes, "error: {}", Printable(&what))?;
    Ok(false)
}

fn not_reached(error: latchkey_client::client::CallError, notes: &mut dyn Write) -> anyhow::Result<bool> {
    super::tell(&anyhow::Error::from(error).context("the server is not reached: is the base URL right?"), notes)?;
    Ok(false)
}

fn parse(answer: &Answer) -> anyhow::Result<Value> {
    serde_json::from_slice(&answer.body).context("the server's answer is no JSON: is this a Latchkey?")
}

/// A member as text; nothing for one that is absent or null.
fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// What the key's IP list said of the address.
fn ip_list(call: &Value) -> String {
    match text(call, "ipEntry").as_str() {
        "" => String::new(),
        IpMatch::UNRESTRICTED => "the key has none".to_owned(),
        IpMatch::NO_ENTRY => "no entry covers the address".to_owned(),
        entry => format!("{entry} covers the address"),
    }
}

/// What the call weighed, and what was used and allowed in its window.
fn weight(weight: &Value) -> String {
    if weight.is_null() {
        return String::new();
    }
    let [budget, own, used, allowed] = ["budget", "weight", "used", "allowed"].map(|name| text(weight, name));
    let of = if allowed.is_empty() { String::new() } else { format!(" of {allowed}") };
    format!("{own}; {used}{of} used in its window ({budget})")
}

fn time(millis: Option<&Value>) -> String {
    let stamp = millis.and_then(Value::as_i64).and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    stamp.map(|stamp| stamp.to_string()).unwrap_or_default()
}

fn clock(ahead_ms: i64) -> String {
    match ahead_ms {
        0.. => format!("{ahead_ms} ms ahead of the server"),
        _ => format!("{} ms behind the server", ahead_ms.unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use latchkey_admission::records::columns::steers;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_to_copy_holds_nothing_but_an_id() {
        let id = "5f0c9d3e-8b1a-4c77-0000-00000000002a";
        assert_eq!(shown_id(Some(id)), Some(id));
        for text in ["5f0c9d3e-8b1a-4c77-0000-0000000000; x", "$(id)", "", "5f0c9d3e\u{1b}[2J-4c77-0000-00000000002a"] {
            assert_eq!(shown_id(Some(text)), None, "{text:?}");
        }
    }

    #[test]
    fn the_owner_sees_what_the_server_saw() {
        let found = json!({ "ipEntry": "192.0.2.0/24", "weight": { "budget": "ip", "weight": 20, "used": 40, "allowed": 1200 } });
        assert_eq!(ip_list(&found), "192.0.2.0/24 covers the address");
        assert_eq!(weight(&found["weight"]), "20; 40 of 1200 used in its window (ip)");
        assert_eq!(ip_list(&json!({ "ipEntry": "none" })), "no entry covers the address");
        assert_eq!(ip_list(&json!({ "ipEntry": "unrestricted" })), "the key has none");
        let early = json!({ "ipEntry": null, "weight": null });
        assert_eq!((ip_list(&early), weight(&early["weight"])), (String::new(), String::new()));
    }

    #[test]
    fn a_hostile_record_does_not_steer_the_terminal() {
        let found = json!({
            "time": 0, "method": "GET", "path": "/a\u{1b}[2J", "ip": "192.0.2.7", "ipFoundBy": "socket\r",
            "ipEntry": "\u{9b}2J", "weight": { "budget": "\u{7}", "weight": 1, "used": 1, "allowed": 2 },
            "refusal": { "stage": "\u{1b}c", "reason": "\u{202e}", "code": -1, "msg": "\u{1b}]0;t\u{7}",
                "explanation": "\u{1b}[31m", "payload": "\u{8}" },
        });
        let mut out = Vec::new();
        tell_refusal(&found, &mut out).unwrap();
        let told = String::from_utf8(out).unwrap();
        assert_eq!(told.lines().count(), 10, "{told}");
        assert!(!told.chars().any(|character| character != '\n' && steers(character)), "{told:?}");
        assert!(told.contains(r"\u{1b}]0;t\u{7}") && told.contains(r"\u{202e}"), "{told}");
    }

    #[test]
    fn what_is_to_be_fixed_is_named() {
        let well = json!({ "withheld": [], "until": null });
        assert!(fixes(&well, Some(-20)).is_empty());
        assert_eq!(fixes(&well, Some(-2000)), ["set this machine's clock: it is 2000 ms behind the server"]);
        let key = json!({
            "withheld": [{ "permission": "futures", "because": "needs a key made after the futures account was opened" }],
            "until": now_ms() + 3 * DAY_MS + 1000,
        });
        let found = fixes(&key, Some(0));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`futures`"), "{found:?}");
        assert_eq!(found[1], "the key ends in 3 days: give it an IP list");
        let retiring = json!({ "withheld": [], "until": now_ms() + DAY_MS - 1000, "ipRestrict": true });
        assert_eq!(fixes(&retiring, None), ["the key ends in 23 hours: use its successor, or make another"]);
    }
}
