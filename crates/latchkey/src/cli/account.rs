//! `latchkey account`: accounts, by operators; an owner sees and sets what is the owner's.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::confirm::{ConfirmArgs, OperatorArgs};
use super::key::pretty;
use super::remote::{Remote, encoded};
use super::session::SessionArgs;
use super::table::{Table, cell, facts, time};

/// Manage accounts
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
An operator shows a token: --token-file, --credentials or $LATCHKEY_OPERATOR_TOKEN. Without one, the owner who is
signed in (`latchkey login`) speaks, and ACCOUNT is `me` or the uid of a sub-account.

Examples:
  latchkey account create alice@example.com --kyc verified-plus --deposited true
  latchkey account set alice@example.com --vip 7 --open margin
  latchkey account freeze alice@example.com --reason 'asked by phone' --cancel-orders
  latchkey account show                    # one's own
  latchkey account set me --controls off   # one's own";

#[derive(clap::Subcommand, Clone, Debug)]
enum Verb {
    /// Open an account (operators); its owner gets a letter on how to choose the first password
    Create(Create),
    /// List the accounts (operators)
    List,
    /// Show an account
    Show(One),
    /// Set facts of an account
    Set(Box<Set>),
    /// Freeze an account: no key of it, nor of its sub-accounts, is admitted
    Freeze(Freeze),
    /// End a freeze
    Unfreeze(One),
    /// Take every second factor away from an owner who lost them (operators): nothing can be widened for some time
    ResetFactors(Named),
}

#[derive(clap::Args, Clone, Debug)]
struct One {
    /// Uid or e-mail address
    #[arg(value_name = "ACCOUNT", default_value = "me")]
    account: String,
}

#[derive(clap::Args, Clone, Debug)]
struct Named {
    /// Uid or e-mail address
    #[arg(value_name = "ACCOUNT")]
    account: String,
}

#[derive(clap::Args, Clone, Debug)]
struct Create {
    /// How its owner signs in
    #[arg(value_name = "EMAIL")]
    email: String,

    /// The e-mail address of the master account; makes a sub-account
    #[arg(long, value_name = "EMAIL")]
    sub_of: Option<String>,

    #[command(flatten)]
    facts: Facts,
}

/// What operators alone set.
#[derive(clap::Args, Clone, Debug)]
struct Facts {
    /// How well the owner is known: none, verified or verified-plus
    #[arg(long, value_name = "LEVEL")]
    kyc: Option<String>,

    /// VIP level, 0 to 9
    #[arg(long, value_name = "LEVEL")]
    vip: Option<u8>,

    /// Whether it has had a deposit: true or false
    #[arg(long, value_name = "BOOL")]
    deposited: Option<bool>,

    /// Portfolio margin: none, retail or pro
    #[arg(long, value_name = "PROGRAM")]
    portfolio_margin: Option<String>,

    /// Cross Margin Pro: none, without-agreement or by-agreement
    #[arg(long, value_name = "STATE")]
    cross_margin_pro: Option<String>,

    /// Where the owner lives: a country code of two letters, or none
    #[arg(long, value_name = "COUNTRY")]
    residence: Option<String>,

    /// Whether special keys are allowed below the VIP level: true or false
    #[arg(long, value_name = "BOOL")]
    special_key_exception: Option<bool>,

    /// Products to open now, with commas: margin, futures, options
    #[arg(long, value_name = "PRODUCT", value_delimiter = ',')]
    open: Option<Vec<String>>,
}

#[derive(clap::Args, Clone, Debug)]
struct Set {
    /// Uid or e-mail address; `me` is one's own
    #[arg(value_name = "ACCOUNT")]
    account: String,

    #[command(flatten)]
    facts: Facts,

    /// Default Security Controls: on or off
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    controls: Option<bool>,

    /// Sign these terms, as the owner: margin-special-key
    #[arg(long, value_name = "TERMS")]
    sign: Option<String>,
}

#[derive(clap::Args, Clone, Debug)]
struct Freeze {
    /// Uid or e-mail address
    #[arg(value_name = "ACCOUNT", default_value = "me")]
    account: String,

    /// Why; it is kept in the records
    #[arg(long)]
    reason: String,

    /// Cancel every open order too
    #[arg(long)]
    cancel_orders: bool,
}

fn on_or_off(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("use on or off"),
    }
}

impl Facts {
    fn body(&self) -> Map<String, Value> {
        let fields = [
            ("kyc", self.kyc.as_ref().map(|value| json!(value))),
            ("vip", self.vip.map(|value| json!(value))),
            ("deposited", self.deposited.map(|value| json!(value))),
            ("portfolioMargin", self.portfolio_margin.as_ref().map(|value| json!(value))),
            ("crossMarginPro", self.cross_margin_pro.as_ref().map(|value| json!(value))),
            ("residence", self.residence.as_ref().map(|value| json!(value))),
            ("specialKeyException", self.special_key_exception.map(|value| json!(value))),
            ("open", self.open.as_ref().map(|value| json!(value))),
        ];
        fields.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect()
    }
}

/// Does what the verb says; a refusal is told on standard error (exit status 1).
///
/// # Errors
/// When not even standard error can be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    super::done(act(args, &mut std::io::stdout().lock()))
}

fn act(args: &Args, out: &mut dyn Write) -> anyhow::Result<()> {
    let accounts = Accounts::of(&args.shared)?;
    match &args.verb {
        Verb::Create(create) => {
            accounts.needs_operator()?;
            let mut body = create.facts.body();
            body.insert("email".into(), json!(create.email));
            body.extend(create.sub_of.as_ref().map(|master| ("subOf".to_owned(), json!(master))));
            let reply = accounts.remote.send(&Method::POST, "/ops/v1/accounts", Some(&Value::Object(body)), &[])?;
            accounts.show(&reply.json()?, out)
        }
        Verb::List => accounts.list(out),
        Verb::Show(one) => {
            let path = accounts.path(&one.account)?;
            accounts.show(&accounts.remote.get(&path)?.json()?, out)
        }
        Verb::Set(set) => accounts.set(set, out),
        Verb::Freeze(freeze) => {
            let body = json!({ "reason": freeze.reason, "cancelOrders": freeze.cancel_orders });
            accounts.act(&freeze.account, "freeze", Some(&body), out)
        }
        Verb::Unfreeze(one) => accounts.act(&one.account, "unfreeze", None, out),
        Verb::ResetFactors(named) => {
            accounts.needs_operator()?;
            accounts.act(&named.account, "reset-factors", None, out)
        }
    }
}

/// The server, and who speaks.
struct Accounts<'a> {
    remote: Remote,
    operator: bool,
    shared: &'a Shared,
}

impl<'a> Accounts<'a> {
    fn of(shared: &'a Shared) -> anyhow::Result<Self> {
        let operator = shared.operator.given();
        let remote = if operator { shared.operator.remote(&shared.session.trust)? } else { shared.session.remote()? };
        Ok(Self { remote, operator, shared })
    }

    fn needs_operator(&self) -> anyhow::Result<()> {
        if self.operator {
            return Ok(());
        }
        bail!("operators alone do this: give --token-file, --credentials or LATCHKEY_OPERATOR_TOKEN")
    }

    fn path(&self, account: &str) -> anyhow::Result<String> {
        if self.operator {
            return Ok(format!("/ops/v1/accounts/{}", uid(&self.remote, account)?));
        }
        Ok(format!("/v1/accounts/{}", encoded(account)))
    }

    fn act(&self, account: &str, verb: &str, body: Option<&Value>, out: &mut dyn Write) -> anyhow::Result<()> {
        let path = self.path(account)?;
        let confirm = &self.shared.confirm;
        confirm.change(&self.remote, &Method::POST, &format!("{path}/{verb}"), body, &[])?;
        self.show(&self.remote.get(&path)?.json()?, out)
    }

    fn set(&self, set: &Set, out: &mut dyn Write) -> anyhow::Result<()> {
        let path = self.path(&set.account)?;
        let mut body = set.facts.body();
        body.extend(set.controls.map(|on| ("defaultSecurityControls".to_owned(), json!(on))));
        if body.is_empty() && set.sign.is_none() {
            bail!("nothing is to be changed: see `latchkey account set --help`");
        }
        let confirm = &self.shared.confirm;
        if let Some(terms) = &set.sign {
            let body = json!({ "terms": terms });
            confirm.change(&self.remote, &Method::POST, &format!("{path}/terms"), Some(&body), &[])?;
        }
        if !body.is_empty() {
            let etag = self.remote.get(&path)?.etag.context("the server names no version")?;
            let headers = [("if-match", etag)];
            confirm.change(&self.remote, &Method::PATCH, &path, Some(&Value::Object(body)), &headers)?;
        }
        self.show(&self.remote.get(&path)?.json()?, out)
    }

    fn list(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        self.needs_operator()?;
        let (mut accounts, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.remote.get(&format!("/ops/v1/accounts{after}"))?.json()?;
            accounts.extend(page.get("accounts").and_then(Value::as_array).cloned().unwrap_or_default());
            match page.get("next").and_then(Value::as_i64) {
                Some(next) => after = format!("?after={next}"),
                None => break,
            }
        }
        if self.shared.json {
            writeln!(out, "{}", pretty(&Value::Array(accounts)))?;
            return Ok(());
        }
        let mut table = Table::new(["UID", "EMAIL", "MASTER", "KYC", "VIP", "DEPOSITED", "FROZEN", "OPENED"]);
        for account in &accounts {
            table.row([
                cell(account.get("uid")),
                cell(account.get("email")),
                cell(account.get("master")),
                cell(account.get("kyc")),
                cell(account.get("vip")),
                cell(account.get("deposited")),
                cell(account.get("frozen")),
                time(account.get("created")),
            ]);
        }
        Ok(table.print(out)?)
    }

    fn show(&self, account: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
        if self.shared.json {
            writeln!(out, "{}", pretty(account))?;
            return Ok(());
        }
        let controls = if cell(account.get("defaultSecurityControls")) == "yes" { "on" } else { "off" };
        let lines = [
            ("uid", cell(account.get("uid"))),
            ("e-mail", cell(account.get("email"))),
            ("master", cell(account.get("master"))),
            ("KYC", cell(account.get("kyc"))),
            ("VIP", cell(account.get("vip"))),
            ("deposited", cell(account.get("deposited"))),
            ("margin since", time(account.get("marginOpened"))),
            ("futures since", time(account.get("futuresOpened"))),
            ("options since", time(account.get("optionsOpened"))),
            ("portfolio margin", cell(account.get("portfolioMargin"))),
            ("cross margin pro", cell(account.get("crossMarginPro"))),
            ("terms signed", cell(account.get("terms"))),
            ("controls", controls.to_owned()),
            ("residence", cell(account.get("residence"))),
            ("special keys by exception", cell(account.get("specialKeyException"))),
            ("one-time codes", cell(account.get("totp"))),
            ("passkeys", cell(account.get("passkeys"))),
            ("recovery codes left", cell(account.get("recoveryCodes"))),
            ("frozen", cell(account.get("frozen"))),
            ("frozen since", time(account.get("frozenSince"))),
            ("frozen by", cell(account.get("frozenBy"))),
            ("nothing widened until", time(account.get("wideningHeldUntil"))),
            ("opened", time(account.get("created"))),
        ];
        let said: Vec<_> = lines.into_iter().filter(|(_, value)| value != "-").collect();
        Ok(facts(&said, out)?)
    }
}

/// The uid of an account that an operator names by uid or e-mail address.
pub(super) fn uid(remote: &Remote, account: &str) -> anyhow::Result<i64> {
    if let Ok(uid) = account.parse() {
        return Ok(uid);
    }
    let page = remote.get(&format!("/ops/v1/accounts?email={}", encoded(account)))?.json()?;
    let found = page.get("accounts").and_then(|accounts| accounts.get(0)?.get("uid")?.as_i64());
    found.with_context(|| format!("there is no account `{account}`"))
}
