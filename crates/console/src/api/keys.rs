//! API keys: list, make, edit, take out of use, end.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::issue::{FixedText, IpChange, KeyEdit, NewKey, NewProof, NewSpecialKey, Overlap, Rotation};
use latchkey_authority::key::{KeyRecord, PermissionMode, Scope, parse_key_id};
use latchkey_authority::ports::{Loaded, Ports, Store};
use latchkey_authority::service::Created;
use latchkey_crypto::digest::sha256_framed;
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::{AccountId, KeyId, Permission, PermissionSet, Symbol};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::once::{Creation, IdempotencyKey};
use crate::api::view::{CreatedView, KeyLight, KeyPage, KeyView, of_name};
use crate::console::Console;
use crate::problem::{self, Problem};
use crate::session::Signed;
use crate::wire::{Expected, Input, NoBody, Query, Segments, answer, done, invalid, tagged};

/// Keys of one page, unless fewer are asked for.
const PAGE_MAX: u32 = 100;

/// A key as it is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CreateKey {
    /// 1 to 60 characters.
    label: String,
    /// The public half of an RSA or Ed25519 pair, as PEM; absent: a secret is made (HMAC).
    #[serde(default)]
    public_key: Option<String>,
    /// What the key shall be allowed; absent: reading alone.
    #[serde(default)]
    permissions: Option<Vec<String>>,
    /// Addresses and networks; absent: from everywhere, empty: from nowhere.
    #[serde(default)]
    ips: Option<Vec<String>>,
    /// The only symbols that it may trade; absent: all.
    #[serde(default)]
    symbols: Option<Vec<String>>,
}

/// What shall change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct EditKey {
    /// The owner's name for it.
    #[serde(default)]
    label: Option<String>,
    /// What it is allowed, whole.
    #[serde(default)]
    permissions: Option<Vec<String>>,
    /// The IP list, whole; empty: from nowhere. To open the key, see `unrestricted`.
    #[serde(default)]
    ips: Option<Vec<String>>,
    /// True opens the key to every address.
    #[serde(default)]
    unrestricted: bool,
    /// The symbols, whole.
    #[serde(default)]
    symbols: Option<Vec<String>>,
    /// True lets it trade every symbol.
    #[serde(default)]
    all_symbols: bool,
    /// `payload`, `message9421` or `both`.
    #[serde(default)]
    accepts: Option<String>,
    /// `off`, `state-changing`, `all`, or `policy`.
    #[serde(default)]
    replay: Option<String>,
}

/// How a key is followed by its successor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RotateKey {
    /// The successor's public key; absent: a secret is made.
    #[serde(default)]
    public_key: Option<String>,
    /// How many hours both live.
    overlap_hours: u16,
    /// Instead of after the overlap, the old key is retired once it was idle for so many hours.
    #[serde(default)]
    when_idle: bool,
}

/// Which page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    after: Option<String>,
    limit: Option<u32>,
}

/// Whether open orders go too.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct FreezeKeys {
    /// True cancels every open order of the account.
    #[serde(default)]
    cancel_orders: bool,
}

/// The name of a new tax report key, and its proof.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CreateTaxKey {
    /// 1 to 60 characters.
    label: String,
    /// The public half of a pair; absent: a secret is made.
    #[serde(default)]
    public_key: Option<String>,
}

/// A margin special key as it is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CreateSpecialKey {
    /// 1 to 60 characters.
    label: String,
    /// `cross`, or the pair whose isolated margin account it shall unlock.
    scope: String,
    /// `TRADE` or, of Ed25519 keys, `READ`; absent: `TRADE`.
    #[serde(default)]
    permission_mode: Option<String>,
    /// The public half of a pair; absent: a secret is made.
    #[serde(default)]
    public_key: Option<String>,
    /// Addresses and networks, at least one; absent: from everywhere.
    #[serde(default)]
    ips: Option<Vec<String>>,
}

/// How many keys a change reached.
#[derive(Serialize, ToSchema)]
pub(crate) struct Count {
    /// So many.
    pub(crate) keys: usize,
}

/// The keys that one key made by signed calls, directly or not.
#[derive(Serialize, ToSchema)]
pub(crate) struct Descendants {
    /// The ids of those that are not deleted; keys of sub-accounts too.
    pub(crate) keys: Vec<String>,
}

fn key_id(text: &str) -> Result<KeyId, Problem> {
    parse_key_id(text).ok_or_else(|| problem::KEY_UNKNOWN.into())
}

fn permissions(names: &[String]) -> Result<PermissionSet, Problem> {
    let read = |name: &String| {
        let known = Permission::ALL.iter().copied().find(|permission| permission.as_str() == name);
        known.ok_or_else(|| {
            let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
            invalid("permissions", format!("`{name}` is no permission; there are {}", all.join(", ")))
        })
    };
    names.iter().map(read).collect()
}

fn symbols(names: &[String]) -> Result<Vec<Symbol>, Problem> {
    let read = |name: &String| Symbol::parse(name).ok_or_else(|| invalid("symbols", "a symbol is not one"));
    names.iter().map(read).collect()
}

fn proof(public_key: Option<String>) -> NewProof {
    public_key.map_or(NewProof::Hmac, NewProof::Public)
}

impl<P: Ports + 'static> Console<P> {
    /// Shows a key in the light of its account.
    pub(crate) fn key_view(&self, loaded: &Loaded, key: &KeyRecord) -> Result<KeyView, Problem> {
        Ok(self.light(loaded)?.view(key))
    }

    fn light<'a>(&'a self, loaded: &'a Loaded) -> Result<KeyLight<'a>, Problem> {
        let owner = loaded.owner().map_err(|_| problem::ACCOUNT_UNKNOWN)?;
        Ok(KeyLight { policy: self.authority().policy(), owner, live: &*self.services.keys, now: self.now() })
    }

    /// What was made, with its secret, for the one answer that shows it.
    async fn made(&self, created: Created) -> Result<Creation, Problem> {
        let secret = created.secret.as_ref().map(|secret| secret.expose().to_owned());
        self.creation(&self.load(created.record.account).await?, &created.record, secret, false)
    }

    /// What an earlier request made, for the answer to a repetition: a secret was shown then, and is not shown again.
    pub(crate) async fn key_made_before(&self, account: AccountId, key: KeyId) -> Result<Creation, Problem> {
        let loaded = self.load(account).await?;
        let keys = self.store().all_keys(account).await?;
        let record = keys.iter().find(|record| record.id == key).ok_or(problem::KEY_UNKNOWN)?;
        self.creation(&loaded, record, None, record.key_type() == KeyType::Hmac)
    }

    fn creation(
        &self,
        loaded: &Loaded,
        record: &KeyRecord,
        secret_key: Option<String>,
        secret_shown: bool,
    ) -> Result<Creation, Problem> {
        let view = CreatedView { key: self.key_view(loaded, record)?, secret_key, secret_shown };
        let body = serde_json::to_value(view).map_err(|_| problem::UNAVAILABLE)?;
        Ok(Creation { version: record.version, body })
    }

    /// A key of `loaded`, ended ones too.
    pub(crate) async fn one_key(&self, loaded: &Loaded, id: &str) -> Result<KeyRecord, Problem> {
        let id = key_id(id)?;
        let keys = self.store().all_keys(loaded.account.id).await?;
        keys.into_iter().find(|key| key.id == id).ok_or_else(|| problem::KEY_UNKNOWN.into())
    }
}

/// `GET /v1/accounts/{account}/keys`.
pub(crate) async fn list<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let after =
        page.after.as_deref().map(key_id).transpose().map_err(|_| crate::wire::malformed("`after` is no key"))?;
    let limit = page.limit.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(crate::wire::malformed(format!("`limit` is 1 to {PAGE_MAX}")));
    }
    let loaded = console.reach(&signed, &account).await?;
    let light = console.light(&loaded)?;
    let mut keys = console.store().all_keys(loaded.account.id).await?;
    keys.sort_unstable_by_key(|key| key.id);
    let mut rest = keys.iter().filter(|key| after.is_none_or(|after| key.id > after));
    let shown: Vec<&KeyRecord> = rest.by_ref().take(limit as usize).collect();
    let last = rest.next().and(shown.last()).map(|key| key.id.to_string());
    let keys = shown.into_iter().map(|key| light.view(key)).collect();
    Ok(answer(StatusCode::OK, &KeyPage { keys, next: last }))
}

/// `POST /v1/accounts/{account}/keys`.
pub(crate) async fn create<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    once: IdempotencyKey,
    Input { value: new, digest }: Input<CreateKey>,
) -> Result<Response, Problem> {
    let loaded = console.reach(&signed, &account).await?;
    let key = NewKey {
        label: new.label,
        proof: proof(new.public_key),
        permissions: new.permissions.as_deref().map_or(Ok(PermissionSet::READING), permissions)?,
        ips: new.ips.map(|entries| entries.join("\n")),
        symbols: new.symbols.as_deref().map(symbols).transpose()?,
        fixed: FixedText::default(),
        created: None,
    };
    let account = loaded.account.id;
    let request = sha256_framed(&[b"create key", &account.0.to_be_bytes(), &digest]);
    let make = async |claim| {
        let caller = Caller { claim, ..console.confirmed(&signed).await? };
        let created = console.authority().create_key(&caller, account, &key, console.now()).await;
        console.made(console.settled(&signed, created).await?).await
    };
    console.once(signed.account, once, request, make).await
}

/// `POST /v1/accounts/{account}/tax-key`.
pub(crate) async fn create_tax<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    once: IdempotencyKey,
    Input { value: new, digest }: Input<CreateTaxKey>,
) -> Result<Response, Problem> {
    let account = console.reach(&signed, &account).await?.account.id;
    let proof = proof(new.public_key);
    let request = sha256_framed(&[b"create tax key", &account.0.to_be_bytes(), &digest]);
    let make = async |claim| {
        let caller = Caller { claim, ..console.confirmed(&signed).await? };
        let now = console.now();
        let created = console.authority().create_tax_key(&caller, account, &new.label, &proof, now).await;
        console.made(console.settled(&signed, created).await?).await
    };
    console.once(signed.account, once, request, make).await
}

/// `POST /v1/accounts/{account}/special-keys`.
pub(crate) async fn create_special<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    once: IdempotencyKey,
    Input { value: new, digest }: Input<CreateSpecialKey>,
) -> Result<Response, Problem> {
    let account = console.reach(&signed, &account).await?.account.id;
    let symbol = match new.scope.as_str() {
        "cross" => None,
        name => Some(Symbol::parse(name).ok_or_else(|| invalid("scope", "neither `cross` nor a symbol"))?),
    };
    let mode = match new.permission_mode.as_deref() {
        None => PermissionMode::default(),
        Some(name) => {
            PermissionMode::parse(name).ok_or_else(|| invalid("permissionMode", "neither `TRADE` nor `READ`"))?
        }
    };
    let key = NewSpecialKey {
        label: new.label,
        scope: Scope::of(symbol),
        ips: new.ips.map(|entries| entries.join("\n")),
        proof: proof(new.public_key),
        mode,
        fixed: FixedText::default(),
        created: None,
    };
    let request = sha256_framed(&[b"create special key", &account.0.to_be_bytes(), &digest]);
    let make = async |claim| {
        let caller = Caller { claim, ..console.confirmed(&signed).await? };
        let facts = console.services.exchange.facts(account, symbol).await.map_err(|error| {
            tracing::error!(error = error.0.to_string(), "the exchange does not answer");
            problem::UNAVAILABLE
        })?;
        let created = console.authority().create_special_key(&caller, account, &key, facts, console.now()).await;
        console.made(console.settled(&signed, created).await?).await
    };
    console.once(signed.account, once, request, make).await
}

/// `GET /v1/accounts/{account}/keys/{key}`.
pub(crate) async fn show<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments((account, key)): Segments<(String, String)>,
) -> Result<Response, Problem> {
    let loaded = console.reach(&signed, &account).await?;
    let key = console.one_key(&loaded, &key).await?;
    Ok(tagged(StatusCode::OK, key.version, &console.key_view(&loaded, &key)?))
}

/// `PATCH /v1/accounts/{account}/keys/{key}`.
pub(crate) async fn edit<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments((account, key)): Segments<(String, String)>,
    Expected(version): Expected,
    Input { value: edit, .. }: Input<EditKey>,
) -> Result<Response, Problem> {
    let (account, key) = (console.reach(&signed, &account).await?.account.id, key_id(&key)?);
    let edit = read_edit(edit)?;
    let caller = console.confirmed(&signed).await?;
    let edited = console.authority().edit_key(&caller, account, key, &edit, Some(version), console.now()).await;
    let record = console.settled(&signed, edited).await?;
    let loaded = console.load(account).await?;
    Ok(tagged(StatusCode::OK, record.version, &console.key_view(&loaded, &record)?))
}

fn read_edit(edit: EditKey) -> Result<KeyEdit, Problem> {
    let ips = list_or_all(("ips", edit.ips), ("unrestricted", edit.unrestricted))?;
    let ips = ips.map(|list| list.map_or(IpChange::Open, |entries| IpChange::Set(entries.join("\n"))));
    let symbols = match list_or_all(("symbols", edit.symbols), ("allSymbols", edit.all_symbols))? {
        Some(Some(names)) => Some(Some(symbols(&names)?)),
        Some(None) => Some(None),
        None => None,
    };
    let replay = match edit.replay.as_deref() {
        None => None,
        Some("policy") => Some(None),
        Some(name) => Some(Some(of_name(name).ok_or_else(|| invalid("replay", "this is no rule on repeated calls"))?)),
    };
    let accepts = match edit.accepts.as_deref() {
        None => None,
        Some(name) => Some(of_name(name).ok_or_else(|| invalid("accepts", "this is no kind of proof"))?),
    };
    let permissions = edit.permissions.as_deref().map(permissions).transpose()?;
    Ok(KeyEdit { label: edit.label, permissions, ips, symbols, accepts, replay })
}

/// The list that shall stand, `None` for no bounds; nothing when neither is asked for.
fn list_or_all(
    (field, list): (&'static str, Option<Vec<String>>),
    (flag, all): (&str, bool),
) -> Result<Option<Option<Vec<String>>>, Problem> {
    match (list, all) {
        (Some(_), true) => Err(invalid(field, format!("either a list or `{flag}`"))),
        (None, false) => Ok(None),
        (list, _) => Ok(Some(list)),
    }
}

/// `DELETE /v1/accounts/{account}/keys/{key}`.
pub(crate) async fn delete<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments((account, key)): Segments<(String, String)>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let (account, key) = (console.reach(&signed, &account).await?.account.id, key_id(&key)?);
    let caller = console.confirmed(&signed).await?;
    let deleted = console.authority().delete_key(&caller, account, key, console.now()).await;
    console.settled(&signed, deleted).await?;
    Ok(done())
}

/// `DELETE /v1/accounts/{account}/keys`.
pub(crate) async fn delete_all<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let account = console.reach(&signed, &account).await?.account.id;
    let caller = console.confirmed(&signed).await?;
    let deleted = console.authority().delete_all_keys(&caller, account, console.now()).await;
    let keys = console.settled(&signed, deleted).await?;
    Ok(answer(StatusCode::OK, &Count { keys }))
}

/// `POST /v1/accounts/{account}/keys/{key}/disable`.
pub(crate) async fn disable<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments((account, key)): Segments<(String, String)>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let (account, key) = (console.reach(&signed, &account).await?.account.id, key_id(&key)?);
    let caller = console.confirmed(&signed).await?;
    let disabled = console.authority().disable_key(&caller, account, key, console.now()).await;
    console.settled(&signed, disabled).await?;
    Ok(done())
}

/// `POST /v1/accounts/{account}/keys/{key}/enable`.
pub(crate) async fn enable<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments((account, key)): Segments<(String, String)>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let (account, key) = (console.reach(&signed, &account).await?.account.id, key_id(&key)?);
    let caller = console.confirmed(&signed).await?;
    let enabled = console.authority().enable_key(&caller, account, key, console.now()).await;
    console.settled(&signed, enabled).await?;
    Ok(done())
}

/// `POST /v1/accounts/{account}/keys/{key}/rotate`.
pub(crate) async fn rotate<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments((account, key)): Segments<(String, String)>,
    once: IdempotencyKey,
    Input { value: rotate, digest }: Input<RotateKey>,
) -> Result<Response, Problem> {
    let (account, key) = (console.reach(&signed, &account).await?.account.id, key_id(&key)?);
    let hours = rotate.overlap_hours;
    let overlap = if rotate.when_idle { Overlap::WhenIdle { hours } } else { Overlap::For(hours) };
    let rotation = Rotation { overlap, proof: proof(rotate.public_key) };
    let request = sha256_framed(&[b"rotate key", &key.0.to_be_bytes(), &digest]);
    let make = async |claim| {
        let caller = Caller { claim, ..console.confirmed(&signed).await? };
        let created = console.authority().rotate_key(&caller, account, key, &rotation, console.now()).await;
        console.made(console.settled(&signed, created).await?).await
    };
    console.once(signed.account, once, request, make).await
}

/// `GET /v1/accounts/{account}/keys/{key}/descendants`: what `end-descendants` would end.
pub(crate) async fn descendants<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments((account, key)): Segments<(String, String)>,
) -> Result<Response, Problem> {
    let (account, key) = (console.reach(&signed, &account).await?.account.id, key_id(&key)?);
    let caller = Caller { account: signed.account, from: signed.from, via: Via::Owner, step_up: None, claim: None };
    let found = console.authority().descendants(&caller, account, key, console.now()).await;
    let keys = console.settled(&signed, found).await?;
    Ok(answer(StatusCode::OK, &Descendants { keys: keys.iter().map(|key| key.id.to_string()).collect() }))
}

/// `POST /v1/accounts/{account}/keys/{key}/end-descendants`.
pub(crate) async fn end_descendants<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments((account, key)): Segments<(String, String)>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let (account, key) = (console.reach(&signed, &account).await?.account.id, key_id(&key)?);
    let caller = console.confirmed(&signed).await?;
    let ended = console.authority().end_descendants(&caller, account, key, console.now()).await;
    let keys = console.settled(&signed, ended).await?;
    Ok(answer(StatusCode::OK, &Count { keys }))
}

/// `POST /v1/accounts/{account}/freeze-keys`: the panic button.
pub(crate) async fn freeze_all<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    Input { value: freeze, .. }: Input<FreezeKeys>,
) -> Result<Response, Problem> {
    let account = console.reach(&signed, &account).await?.account.id;
    let caller = console.confirmed(&signed).await?;
    let now = console.now();
    let frozen = console.authority().freeze_keys(&caller, account, freeze.cancel_orders, now).await;
    let keys = console.settled(&signed, frozen).await?;
    Ok(answer(StatusCode::OK, &Count { keys }))
}
