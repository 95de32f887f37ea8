//! `latchkey key`: the keys of an account, by its owner or, as far as operators may, by one of them.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use latchkey_crypto::secret::generate_key_text;
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::confirm::{ConfirmArgs, OperatorArgs};
use super::remote::{Remote, encoded};
use super::session::SessionArgs;
use super::table::{Table, cell, facts};
use super::{cut_off, json as text, keygen, private_file};

mod record;

/// Manage API keys
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,

    #[command(flatten)]
    shared: Shared,
}

#[derive(clap::Args, Clone, Debug)]
struct Shared {
    /// Whose keys: the uid of the account or of a sub-account; operators may name its e-mail address too [default: me]
    #[arg(long, value_name = "ACCOUNT", global = true)]
    account: Option<String>,

    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,

    #[command(flatten)]
    confirm: ConfirmArgs,

    #[command(flatten)]
    operator: OperatorArgs,

    #[command(flatten)]
    session: SessionArgs,
}

const EXAMPLES: &str = "\
An owner signs in first (`latchkey login`). KEY is a key's id, its API key, or its label when only one key has it.
A change that widens is confirmed: a one-time code is asked for, or comes from --totp-command or $LATCHKEY_TOTP.
Operators (--ops, --token-file, --credentials or $LATCHKEY_OPERATOR_TOKEN) list, disable and delete; they never make,
widen or enable a customer's key.

Examples:
  latchkey key create bot --permissions reading,spot-and-margin-trading --ips 192.0.2.7 --secret-out bot.toml
  latchkey key create signer --public-key signer.pub.pem --ips 192.0.2.0/24
  latchkey key create-special margin --scope cross --ips 192.0.2.7 --secret-out margin.toml
  latchkey key list
  latchkey key edit bot --ips 192.0.2.7,192.0.2.8
  latchkey key can bot POST /api/v3/order --ip 192.0.2.7 --symbol BTCUSDT
  latchkey key delete bot";

#[derive(clap::Subcommand, Clone, Debug)]
enum Verb {
    /// Make a key
    Create(Create),
    /// Make a margin special key: one margin account, through the spot endpoints
    CreateSpecial(CreateSpecial),
    /// List the keys, deleted ones too
    List,
    /// Show one key
    Show(One),
    /// Change what a key may do, or its label
    Edit(Edit),
    /// Make a successor with the same restrictions; both live for some time
    Rotate(Rotate),
    /// Put a key out of use
    Disable(One),
    /// Put a key back into use
    Enable(One),
    /// Delete a key for good
    Delete(One),
    /// Delete for good every key that this one made by signed calls, directly or not
    EndDescendants(One),
    /// Delete every key of the account for good
    DeleteAll(Sure),
    /// Ask whether a key may make a call, and which rules decide
    Can(Can),
}

#[derive(clap::Args, Clone, Debug)]
struct One {
    /// Id, API key or label
    #[arg(value_name = "KEY")]
    key: String,
}

#[derive(clap::Args, Clone, Debug)]
struct Sure {
    /// Needed, since nothing brings them back
    #[arg(long, required = true)]
    yes: bool,
}

#[derive(clap::Args, Clone, Debug)]
struct Secret {
    /// The public half of an RSA or Ed25519 pair (PEM); without it a secret is made for HMAC
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,

    /// Write API key and secret to this new file of mode 0600 instead of printing the secret
    #[arg(long, value_name = "FILE", conflicts_with = "public_key")]
    secret_out: Option<PathBuf>,
}

#[derive(clap::Args, Clone, Debug)]
struct Create {
    /// Its label, 1 to 60 characters
    #[arg(value_name = "LABEL")]
    label: String,

    /// What it may do, with commas [default: reading]
    #[arg(long, value_name = "PERMISSION", value_delimiter = ',')]
    permissions: Option<Vec<String>>,

    /// From where it may be used: addresses and networks, with commas; without it from everywhere
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    ips: Option<Vec<String>>,

    /// The only symbols that it may trade, with commas
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    symbols: Option<Vec<String>>,

    #[command(flatten)]
    secret: Secret,
}

#[derive(clap::Args, Clone, Debug)]
struct CreateSpecial {
    /// Its label, 1 to 60 characters
    #[arg(value_name = "LABEL")]
    label: String,

    /// The margin account that it unlocks: cross, or a pair for its isolated one
    #[arg(long, value_name = "SCOPE", default_value = "cross")]
    scope: String,

    /// TRADE or, of Ed25519 keys, READ
    #[arg(long, value_name = "MODE", default_value = "TRADE")]
    permission_mode: String,

    /// From where it may be used: addresses and networks, with commas; without it from everywhere
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    ips: Option<Vec<String>>,

    #[command(flatten)]
    secret: Secret,
}

#[derive(clap::Args, Clone, Debug)]
struct Edit {
    /// Id, API key or label
    #[arg(value_name = "KEY")]
    key: String,

    /// The new label
    #[arg(long)]
    label: Option<String>,

    /// What it may do, whole
    #[arg(long, value_name = "PERMISSION", value_delimiter = ',')]
    permissions: Option<Vec<String>>,

    /// From where it may be used, whole
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    ips: Option<Vec<String>>,

    /// Empty its IP list: it may be used from nowhere
    #[arg(long, conflicts_with_all = ["ips", "unrestricted"])]
    nowhere: bool,

    /// Open it to every address
    #[arg(long, conflicts_with = "ips")]
    unrestricted: bool,

    /// The only symbols that it may trade, whole
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    symbols: Option<Vec<String>>,

    /// Let it trade every symbol
    #[arg(long, conflicts_with = "symbols")]
    all_symbols: bool,

    /// Which signatures it accepts: payload, message9421 or both
    #[arg(long, value_name = "PROOFS")]
    accepts: Option<String>,

    /// Its own rule on repeated calls: off, state-changing, all, or policy
    #[arg(long, value_name = "RULE")]
    replay: Option<String>,
}

#[derive(clap::Args, Clone, Debug)]
struct Rotate {
    /// Id, API key or label
    #[arg(value_name = "KEY")]
    key: String,

    /// How many hours both keys live
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    overlap: u16,

    /// Retire the old key once it was idle for the overlap
    #[arg(long)]
    when_idle: bool,

    #[command(flatten)]
    secret: Secret,
}

#[derive(clap::Args, Clone, Debug)]
struct Can {
    /// Id, API key or label
    #[arg(value_name = "KEY")]
    key: String,

    /// GET, POST, PUT or DELETE
    #[arg(value_name = "METHOD")]
    method: String,

    /// The path, for instance /api/v3/order
    #[arg(value_name = "PATH")]
    path: String,

    /// The address that the call would come from
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,

    /// When, for instance 2026-12-01T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,

    /// The symbol that it would trade
    #[arg(long)]
    symbol: Option<String>,
}

/// Does what the verb says; a refusal is told on standard error (exit status 1). `can` ends with 1 for a no.
///
/// # Errors
/// When not even standard error can be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut allowed = true;
    let done = act(args, &mut std::io::stdout().lock(), &mut allowed);
    let code = super::done(done)?;
    Ok(if allowed { code } else { ExitCode::FAILURE })
}

/// Whose keys, on which server.
struct Keys<'a> {
    remote: Remote,
    at: String,
    shared: &'a Shared,
}

fn act(args: &Args, out: &mut dyn Write, allowed: &mut bool) -> anyhow::Result<()> {
    let keys = Keys::of(&args.shared)?;
    let notes = &mut std::io::stderr().lock();
    match &args.verb {
        Verb::Create(create) => keys.create(create, out),
        Verb::CreateSpecial(create) => keys.create_special(create, out),
        Verb::List => keys.list(out),
        Verb::Show(one) => {
            let all = keys.all()?;
            let key = named(&all, &one.key)?;
            keys.show(key, out)?;
            keys.show_former(&all, key, out)
        }
        Verb::Edit(edit) => keys.edit(edit, out),
        Verb::Rotate(rotate) => keys.rotate(rotate, out),
        Verb::Disable(one) => {
            let id = keys.hold(&one.key, "disable", out)?;
            keys.offer(&id, notes)
        }
        Verb::Enable(one) => keys.hold(&one.key, "enable", out).map(drop),
        Verb::Delete(one) => {
            let id = keys.id(&one.key)?;
            keys.send(&Method::DELETE, &format!("/{id}"), None, &[])?;
            keys.tell(&json!({ "id": id, "done": "delete" }), &format!("{id}: deleted"), out)?;
            keys.offer(&id, notes)
        }
        Verb::EndDescendants(one) => {
            let id = keys.id(&one.key)?;
            let reply = keys.send(&Method::POST, &format!("/{id}/end-descendants"), None, &[])?.json()?;
            keys.tell(&reply, &format!("{} keys deleted", cell(reply.get("keys"))), out)
        }
        Verb::DeleteAll(Sure { .. }) => {
            let reply = keys.send(&Method::DELETE, "", None, &[])?.json()?;
            keys.tell(&reply, &format!("{} keys deleted", cell(reply.get("keys"))), out)
        }
        Verb::Can(can) => {
            *allowed = keys.can(can, out)?;
            Ok(())
        }
    }
}

/// Every key below `at`, deleted ones too.
fn all(remote: &Remote, at: &str) -> anyhow::Result<Vec<Value>> {
    let (mut keys, mut after) = (Vec::new(), String::new());
    loop {
        let page = remote.get(&format!("{at}{after}"))?.json()?;
        keys.extend(page.get("keys").and_then(Value::as_array).cloned().unwrap_or_default());
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = format!("?after={}", encoded(next)),
            None => return Ok(keys),
        }
    }
}

/// The key below `at` that `name` means: its id, its API key, or its label when only one key has it.
pub(super) fn find(remote: &Remote, at: &str, name: &str) -> anyhow::Result<Value> {
    named(&all(remote, at)?, name).cloned()
}

fn named<'a>(keys: &'a [Value], name: &str) -> anyhow::Result<&'a Value> {
    let is = |key: &&Value, field: &str| key.get(field).and_then(Value::as_str) == Some(name);
    if let Some(key) = keys.iter().find(|key| is(key, "id") || is(key, "apiKey")) {
        return Ok(key);
    }
    let named: Vec<_> = keys.iter().filter(|key| is(key, "label")).collect();
    let living: Vec<_> = named.iter().copied().filter(|key| cell(key.get("state")) != "deleted").collect();
    match (living.as_slice(), named.as_slice()) {
        ([one], _) | ([], [one]) => Ok(one),
        ([], []) => bail!("there is no key `{name}`"),
        (living, named) => bail!("{}", record::which(name, if living.is_empty() { named } else { living })),
    }
}

impl<'a> Keys<'a> {
    fn of(shared: &'a Shared) -> anyhow::Result<Self> {
        let (remote, at) = if shared.operator.given() {
            let remote = shared.operator.remote(&shared.session.trust)?;
            let account = shared.account.as_deref().context("an operator names the account: --account UID|EMAIL")?;
            let uid = super::account::uid(&remote, account)?;
            (remote, format!("/ops/v1/accounts/{uid}/keys"))
        } else {
            let account = encoded(shared.account.as_deref().unwrap_or("me"));
            (shared.session.remote()?, format!("/v1/accounts/{account}/keys"))
        };
        Ok(Self { remote, at, shared })
    }

    fn send(
        &self,
        method: &Method,
        below: &str,
        body: Option<&Value>,
        headers: &[(&'static str, String)],
    ) -> anyhow::Result<super::remote::Reply> {
        self.shared.confirm.change(&self.remote, method, &format!("{}{below}", self.at), body, headers)
    }

    fn all(&self) -> anyhow::Result<Vec<Value>> {
        all(&self.remote, &self.at)
    }

    /// The key that `name` means.
    fn find(&self, name: &str) -> anyhow::Result<Value> {
        find(&self.remote, &self.at, name)
    }

    fn id(&self, name: &str) -> anyhow::Result<String> {
        Ok(cell(self.find(name)?.get("id")))
    }

    fn tell(&self, reply: &Value, line: &str, out: &mut dyn Write) -> anyhow::Result<()> {
        if self.shared.json {
            writeln!(out, "{}", pretty(reply))?;
        } else {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    fn list(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let keys = self.all()?;
        if self.shared.json {
            writeln!(out, "{}", pretty(&Value::Array(keys)))?;
            return Ok(());
        }
        record::list(&keys, out)
    }

    fn show(&self, key: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
        if self.shared.json {
            writeln!(out, "{}", pretty(key))?;
            return Ok(());
        }
        Ok(facts(&record::lines(key), out)?)
    }

    /// Says whose place a key takes while both live.
    fn show_former(&self, keys: &[Value], key: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
        match record::former(keys, key).filter(|_| !self.shared.json) {
            Some(former) => Ok(writeln!(out, "{}", record::overlap(former, None))?),
            None => Ok(()),
        }
    }

    fn create(&self, create: &Create, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut body = Map::new();
        body.insert("label".into(), json!(create.label));
        let lists = [("permissions", &create.permissions), ("ips", &create.ips), ("symbols", &create.symbols)];
        for (name, list) in lists {
            body.extend(list.as_ref().map(|list| (name.to_owned(), json!(list))));
        }
        self.made(self.at.clone(), body, &create.secret, None, out)
    }

    fn create_special(&self, create: &CreateSpecial, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut body = Map::new();
        body.insert("label".into(), json!(create.label));
        body.insert("scope".into(), json!(create.scope));
        body.insert("permissionMode".into(), json!(create.permission_mode));
        body.extend(create.ips.as_ref().map(|list| ("ips".to_owned(), json!(list))));
        let account = self.at.strip_suffix("/keys").unwrap_or(&self.at);
        self.made(format!("{account}/special-keys"), body, &create.secret, None, out)
    }

    fn rotate(&self, rotate: &Rotate, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut body = Map::new();
        body.insert("overlapHours".into(), json!(rotate.overlap));
        body.insert("whenIdle".into(), json!(rotate.when_idle));
        let id = self.id(&rotate.key)?;
        self.made(format!("{}/{id}/rotate", self.at), body, &rotate.secret, Some(&id), out)
    }

    /// Makes a key and hands its secret over, once. `former` is the key whose place it takes.
    fn made(
        &self,
        path: String,
        mut body: Map<String, Value>,
        secret: &Secret,
        former: Option<&str>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        if let Some(path) = &secret.public_key {
            let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            body.insert("publicKey".into(), json!(pem));
        }
        // Before the key is made: its secret is shown once.
        let file = secret.secret_out.as_deref().map(private_file::NewFile::make).transpose()?;
        // A repeat, after the confirmation or a lost answer, makes no second key.
        let once = generate_key_text(&mut keygen::system_entropy);
        let headers = [("idempotency-key", once)];
        let body = Value::Object(body);
        let reply = self.shared.confirm.change(&self.remote, &Method::POST, &path, Some(&body), &headers)?;
        let mut reply = reply.json()?;
        let key = reply.get("key").cloned().context("the answer holds no key")?;
        let shown = reply.get("secretKey").and_then(Value::as_str).map(str::to_owned);
        let mut unwritten = None;
        if let (Some(file), Some(shown)) = (file, &shown) {
            let api_key = cell(key.get("apiKey"));
            let pair = zeroize::Zeroizing::new(format!("api_key = \"{api_key}\"\nsecret_key = \"{shown}\"\n"));
            match file.write(&pair) {
                Ok(()) => {
                    if let Some(object) = reply.as_object_mut() {
                        object.insert("secretKey".into(), Value::Null);
                    }
                }
                // Shown below instead: it is shown once.
                Err(error) => unwritten = Some(error),
            }
        }
        // What cannot be read of the former key must not keep the new one's secret back.
        let former = former.and_then(|id| self.remote.get(&format!("{}/{id}", self.at)).ok()?.json().ok());
        if self.shared.json {
            if let (Some(object), Some(former)) = (reply.as_object_mut(), former) {
                object.insert("former".into(), former);
            }
            writeln!(out, "{}", pretty(&reply)).map_err(cut_off)?;
            return unwritten.map_or(Ok(()), |error| Err(error.into()));
        }
        self.show(&key, out)?;
        if let Some(former) = &former {
            writeln!(out, "{}", record::overlap(former, Some(&key).filter(|_| secret.public_key.is_none())))?;
        }
        match (&secret.secret_out, shown) {
            (Some(path), Some(_)) if unwritten.is_none() => {
                writeln!(out, "API key and secret: {} (mode 0600)", path.display())?;
            }
            (_, Some(shown)) => writeln!(out, "secret, shown once: {shown}").map_err(cut_off)?,
            (_, None) => {}
        }
        unwritten.map_or(Ok(()), |error| Err(error.into()))
    }

    fn edit(&self, edit: &Edit, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut body = Map::new();
        let none = Vec::new();
        let ips = if edit.nowhere { Some(&none) } else { edit.ips.as_ref() };
        for (name, text) in [("label", &edit.label), ("accepts", &edit.accepts), ("replay", &edit.replay)] {
            body.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
        }
        for (name, list) in
            [("permissions", edit.permissions.as_ref()), ("ips", ips), ("symbols", edit.symbols.as_ref())]
        {
            body.extend(list.map(|list| (name.to_owned(), json!(list))));
        }
        for (name, set) in [("unrestricted", edit.unrestricted), ("allSymbols", edit.all_symbols)] {
            body.extend(set.then(|| (name.to_owned(), json!(true))));
        }
        if body.is_empty() {
            bail!("nothing is to be changed: see `latchkey key edit --help`");
        }
        let id = self.id(&edit.key)?;
        let etag = self.remote.get(&format!("{}/{id}", self.at))?.etag.context("the server names no version")?;
        let below = format!("/{id}");
        let reply = self.send(&Method::PATCH, &below, Some(&Value::Object(body)), &[("if-match", etag)])?;
        self.show(&reply.json()?, out)
    }

    /// Says how the keys can be ended that a key made, when there are any. Operators are not told: keys of others are the
    /// owner's business.
    fn offer(&self, id: &str, notes: &mut dyn Write) -> anyhow::Result<()> {
        if self.shared.operator.given() {
            return Ok(());
        }
        let made = self.remote.get(&format!("{}/{id}/descendants", self.at))?.json()?;
        match made.get("keys").and_then(Value::as_array).map_or(0, Vec::len) {
            0 => {}
            count => {
                writeln!(notes, "keys that it made live on ({count}): `latchkey key end-descendants {id}` ends them")?
            }
        }
        Ok(())
    }

    fn hold(&self, name: &str, verb: &str, out: &mut dyn Write) -> anyhow::Result<String> {
        let id = self.id(name)?;
        self.send(&Method::POST, &format!("/{id}/{verb}"), None, &[])?;
        self.tell(&json!({ "id": id, "done": verb }), &format!("{id}: {verb}d"), out)?;
        Ok(id)
    }

    fn can(&self, can: &Can, out: &mut dyn Write) -> anyhow::Result<bool> {
        let mut body = Map::new();
        body.insert("method".into(), json!(can.method.to_ascii_uppercase()));
        body.insert("path".into(), json!(can.path));
        body.extend(can.ip.as_ref().map(|ip| ("ip".to_owned(), json!(ip))));
        body.extend(can.symbol.as_ref().map(|symbol| ("symbol".to_owned(), json!(symbol))));
        body.extend(can.at.map(|at| ("at".to_owned(), json!(at.as_millisecond()))));
        let id = self.id(&can.key)?;
        let path = format!("{}/{id}/can", self.at);
        let reply = self.remote.send(&Method::POST, &path, Some(&Value::Object(body)), &[])?.json()?;
        let allowed = reply.get("can").and_then(Value::as_bool).context("the answer says neither yes nor no")?;
        if self.shared.json {
            writeln!(out, "{}", pretty(&reply))?;
            return Ok(allowed);
        }
        writeln!(out, "{}", if allowed { "yes" } else { "no" })?;
        let mut table = Table::new(["RULE", "PASSES", "WHY NOT"]);
        for rule in reply.get("rules").and_then(Value::as_array).into_iter().flatten() {
            table.row([cell(rule.get("stage")), cell(rule.get("passes")), cell(rule.get("reason"))]);
        }
        table.print(out)?;
        Ok(allowed)
    }
}

/// JSON for programs that people can read too.
pub(super) fn pretty(value: &Value) -> String {
    text::pretty(value.to_string().as_bytes()).unwrap_or_default()
}
