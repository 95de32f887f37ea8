//! Makes the accounts and keys of a world, by the service that every door asks.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use core::ops::Range;
use latchkey_authority::account::{PasswordHash, PortfolioMargin, Product, Products};
use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::ip::IpRestriction;
use latchkey_authority::issue::{FixedText, NewAccount, NewKey, NewProof, NewSpecialKey, OpeningBalance};
use latchkey_authority::key::{KeyKind, KeyRecord, Scope};
use latchkey_authority::ports::{ExchangeFacts, Ports, Secrets as _};
use latchkey_authority::refusal::Refusal;
use latchkey_authority::service::{Authority, AuthorityError, Created};
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::password;
use latchkey_crypto::secret::{SecretKey, generate_key_text};
use latchkey_crypto::sign::{PrivatePem, RsaSize, Signer};
use latchkey_crypto::totp::TotpSeed;
use latchkey_protocol::{AccountId, Timestamp, Wallet};

use super::file::{KeyTable, Portfolio};
use super::market::isolated_pair;
use super::rehearsal::Rehearsal;
use super::{AccountEntry, KeyEntry, ProofEntry, World, WorldError};
use crate::credentials::{Credential, KeyCredential, SignIn, write_private};

/// The folder for private keys, in that of the demo.
const KEYS: &str = "keys";
/// Microseconds.
const DAY: i64 = 86_400_000_000;
/// Characters of a password that is drawn: 142 bits.
const PASSWORD_LENGTH: usize = 24;

/// Makes everything in `world` and returns the credentials of it, sub-accounts after masters. Private keys that are
/// made for it are written to the folder `keys` in `dir`.
///
/// The world is made in memory first; when a rule refuses it there, neither store nor folder has seen anything of it.
/// Takes the time of an RSA key pair or a password hash for each that it makes.
///
/// # Errors
/// [`WorldError`]; after [`WorldError::Authority`] part of the world may exist.
pub async fn populate<P: Ports>(
    authority: &Authority<P>,
    world: &World,
    now: Timestamp,
    dir: &Path,
) -> Result<Vec<Credential>, WorldError> {
    let mut entropy = |bytes: &mut [u8]| authority.ports().secrets().random(bytes);
    let mut names = BTreeSet::new();
    // A sub-account needs its master.
    let (subs, masters): (Vec<_>, Vec<_>) = world.accounts.iter().partition(|entry| entry.table.sub_of.is_some());
    let mut prepared = Vec::with_capacity(world.accounts.len());
    for entry in masters.into_iter().chain(subs) {
        prepared.push(Prepared::new(entry, created(world, entry, now), &mut names, &mut entropy)?);
    }

    let rehearsal = Authority::new(Rehearsal::new(authority.ports().secrets()), *authority.policy());
    make(&rehearsal, world, &prepared, now).await?;
    write_keys(&prepared, dir)?;
    make(authority, world, &prepared, now).await
}

/// A day before everything that the account did before now, its sub-accounts included.
fn created(world: &World, entry: &AccountEntry, now: Timestamp) -> Timestamp {
    let email = entry.table.email.get_ref();
    let is_sub = |other: &&AccountEntry| other.table.sub_of.as_ref().is_some_and(|master| master.get_ref() == email);
    let times = |entry: &AccountEntry| {
        let keys = entry.keys.iter().filter_map(KeyEntry::created);
        keys.chain(entry.table.opened.values().map(|time| time.get_ref().0)).min()
    };
    let first = world.accounts.iter().filter(is_sub).chain([entry]).filter_map(times).min();
    first.unwrap_or(now).min(now).plus_micros(-DAY)
}

/// An account whose key material is made.
struct Prepared<'a> {
    entry: &'a AccountEntry,
    created: Timestamp,
    password_hash: Option<PasswordHash>,
    totp: Option<TotpSeed>,
    sign_in: Option<SignIn>,
    keys: Vec<PreparedKey<'a>>,
}

struct PreparedKey<'a> {
    entry: &'a KeyEntry,
    proof: NewProof,
    pair: Option<PairFile>,
}

/// The private half of a pair that was made, and where it goes, from the demo's folder.
struct PairFile {
    path: String,
    private: PrivatePem,
}

impl<'a> Prepared<'a> {
    fn new(
        entry: &'a AccountEntry,
        created: Timestamp,
        names: &mut BTreeSet<String>,
        entropy: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Self, WorldError> {
        let account = entry.table.email.get_ref().as_str();
        let mut random = |bytes: &mut [u8]| entropy(bytes);
        let given = entry.table.password.as_ref().map(|password| password.get_ref().0.as_str());
        let (password, totp, sign_in) = if entry.draws_sign_in {
            let text: String = generate_key_text(&mut random).chars().take(PASSWORD_LENGTH).collect();
            let seed = TotpSeed::generate(&mut random);
            let totp = seed.expose_base32().to_string();
            let sign_in = SignIn { account: account.to_owned(), password: text.clone(), totp };
            (Some(text), Some(seed), Some(sign_in))
        } else {
            (given.map(str::to_owned), entry.totp.as_ref().and_then(copy_seed), None)
        };
        let failed = |error: password::PasswordError| WorldError::Material(account.to_owned(), error.into());
        let hash = |password: String| password::hash(&password, &mut random).map(PasswordHash::new).map_err(failed);
        let password_hash = password.map(hash).transpose()?;
        let keys = entry
            .keys
            .iter()
            .map(|key| PreparedKey::new(account, key, names, &mut random))
            .collect::<Result<_, _>>()?;
        Ok(Self { entry, created, password_hash, totp, sign_in, keys })
    }

    fn new_account(&self) -> NewAccount {
        let table = &self.entry.table;
        let opened = |product| {
            let at = table.opened.get(&product).map_or(self.created, |time| time.get_ref().0);
            table.products.contains(&product).then_some(at)
        };
        NewAccount {
            email: table.email.get_ref().clone(),
            kyc: table.kyc,
            vip: table.vip.as_ref().map_or(0, |vip| *vip.get_ref()),
            deposited: table.deposited,
            products: Products {
                margin: opened(Product::Margin),
                futures: opened(Product::Futures),
                options: opened(Product::Options),
            },
            portfolio_margin: match table.portfolio_margin {
                Portfolio::None => PortfolioMargin::None,
                Portfolio::Retail => PortfolioMargin::Retail { since: self.created },
                Portfolio::Pro => PortfolioMargin::Pro { since: self.created },
            },
            cross_margin_pro: table.cross_margin_pro,
            terms: table.terms.iter().copied().collect(),
            default_security_controls: table.default_security_controls,
            sub_of: table.sub_of.as_ref().map(|master| master.get_ref().clone()),
            residence: table.residence,
            special_key_exception: table.special_key_exception,
            password_hash: self.password_hash.clone(),
            totp: self.totp.as_ref().and_then(copy_seed),
            created: Some(self.created),
            funds: self
                .entry
                .funds
                .iter()
                .map(|fund| OpeningBalance { wallet: fund.wallet, asset: fund.asset, amount: fund.amount })
                .collect(),
        }
    }
}

/// A seed is not cloned lightly, but a world is made twice.
fn copy_seed(seed: &TotpSeed) -> Option<TotpSeed> {
    TotpSeed::from_bytes(seed.expose()).ok()
}

impl<'a> PreparedKey<'a> {
    fn new(
        account: &str,
        entry: &'a KeyEntry,
        names: &mut BTreeSet<String>,
        mut random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Self, WorldError> {
        let signer = match &entry.proof {
            ProofEntry::Hmac(_) => return Ok(Self { entry, proof: NewProof::Hmac, pair: None }),
            ProofEntry::Public(text) => {
                return Ok(Self { entry, proof: NewProof::Public(text.clone()), pair: None });
            }
            ProofEntry::Pair(KeyType::Rsa) => Signer::generate_rsa(RsaSize::Bits2048),
            ProofEntry::Pair(_) => Ok(Signer::generate_ed25519(&mut random)),
        };
        let name = format!("{account}/{}", entry.table.label.get_ref());
        let halves = signer.and_then(|signer| Ok((signer.public_key(), signer.private_pem()?)));
        match halves.map_err(|error| WorldError::Material(name.clone(), error.into()))? {
            (Some(public), Some(private)) => {
                let pair = PairFile { path: format!("{KEYS}/{}", file_name(&name, names)), private };
                Ok(Self { entry, proof: NewProof::Public(public.to_pem()), pair: Some(pair) })
            }
            _ => Err(WorldError::Material(name, "the pair has no public half".into())),
        }
    }

    fn fixed(&self) -> FixedText {
        let secret = match &self.entry.proof {
            ProofEntry::Hmac(Some(secret)) => SecretKey::parse(secret.expose()).ok(),
            ProofEntry::Hmac(None) | ProofEntry::Pair(_) | ProofEntry::Public(_) => None,
        };
        let KeyTable { accepts, replay, .. } = &self.entry.table;
        FixedText { api_key: self.entry.api_key, secret, accepts: *accepts, replay: *replay }
    }
}

/// A name for the file of a key: `alice-bot.pem` for `alice@example.com/bot`; numbered when it is taken.
fn file_name(key: &str, names: &mut BTreeSet<String>) -> String {
    let (account, label) = key.split_once('/').unwrap_or((key, ""));
    let whose = account.split('@').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let stem: String = format!("{whose}-{label}").chars().map(plain).take(100).collect();
    let numbered = (2_u32..).map(|number| format!("{stem}-{number}.pem"));
    let free = core::iter::once(format!("{stem}.pem")).chain(numbered).find(|name| names.insert(name.clone()));
    free.unwrap_or(stem)
}

fn write_keys(prepared: &[Prepared<'_>], dir: &Path) -> Result<(), WorldError> {
    let pairs: Vec<&PairFile> =
        prepared.iter().flat_map(|account| &account.keys).filter_map(|key| key.pair.as_ref()).collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let failed = |path: PathBuf| move |error| WorldError::Write(path, error);
    let folder = dir.join(KEYS);
    DirBuilder::new().mode(0o700).recursive(true).create(&folder).map_err(failed(folder))?;
    for pair in pairs {
        let path = dir.join(&pair.path);
        write_private(&path, pair.private.expose().as_bytes()).map_err(failed(path))?;
    }
    Ok(())
}

/// Makes every account, then freezes those that shall be frozen: a frozen master would stop its sub-accounts.
async fn make<P: Ports>(
    authority: &Authority<P>,
    world: &World,
    prepared: &[Prepared<'_>],
    now: Timestamp,
) -> Result<Vec<Credential>, WorldError> {
    let mut made = Vec::new();
    let mut frozen = Vec::new();
    for account in prepared {
        let new = account.new_account();
        let refused = |error| refusal(world, account.entry, error, |refusal| account_place(account.entry, refusal));
        let record = authority.create_account(&world_caller(AccountId(0)), &new, now).await.map_err(refused)?;
        made.extend(account.sign_in.clone().map(Credential::SignIn));
        for key in &account.keys {
            let refused = |error| refusal(world, account.entry, error, |refusal| key_place(key.entry, refusal));
            let created = make_key(authority, world, record.id, key, now).await.map_err(refused)?;
            made.push(Credential::Key(credential(account.entry, key, &created)));
        }
        if account.entry.table.frozen {
            frozen.push((account.entry, record.id));
        }
    }
    for (entry, id) in frozen {
        let refused = |error| refusal(world, entry, error, |_| entry.span.clone());
        let reason = "frozen by the world file";
        authority.freeze_account(&world_caller(id), id, reason, false, now).await.map_err(refused)?;
    }
    Ok(made)
}

const fn world_caller(account: AccountId) -> Caller {
    Caller { account, from: None, via: Via::World, step_up: None, claim: None }
}

async fn make_key<P: Ports>(
    authority: &Authority<P>,
    world: &World,
    account: AccountId,
    key: &PreparedKey<'_>,
    now: Timestamp,
) -> Result<Created, AuthorityError> {
    let (caller, table) = (world_caller(account), &key.entry.table);
    let label = table.label.get_ref().clone();
    let ips = table.ips.as_ref().map(|ips| ips.get_ref().join(","));
    let (proof, fixed, created) = (key.proof.clone(), key.fixed(), key.entry.created());
    if let Some(scope) = key.entry.special {
        let isolated_pair = match scope {
            Scope::Cross => false,
            Scope::Isolated(symbol) => isolated_pair(&world.market, symbol).is_some(),
        };
        let mode = table.permission_mode.as_ref().map(|mode| *mode.get_ref()).unwrap_or_default();
        let new = NewSpecialKey { label, scope, ips, proof, mode, fixed, created };
        let facts = ExchangeFacts { isolated_pair, ..ExchangeFacts::default() };
        return authority.create_special_key(&caller, account, &new, facts, now).await;
    }
    let symbols = table.symbols.as_ref().map(|listed| listed.get_ref().iter().map(|named| named.0).collect());
    let new = NewKey { label, proof, permissions: key.entry.permissions, ips, symbols, fixed, created };
    authority.create_key(&caller, account, &new, now).await
}

fn credential(account: &AccountEntry, key: &PreparedKey<'_>, created: &Created) -> KeyCredential {
    let record: &KeyRecord = &created.record;
    KeyCredential {
        account: account.table.email.get_ref().to_string(),
        label: record.label.to_string(),
        key_type: record.key_type().name().to_owned(),
        api_key: record.api_key.to_string(),
        secret_key: created.secret.as_ref().map(|secret| secret.expose().to_owned()),
        private_key_path: key.pair.as_ref().map(|pair| pair.path.clone()),
        special: match record.kind {
            KeyKind::Special { scope: Scope::Cross, .. } => Some("cross".into()),
            KeyKind::Special { scope: Scope::Isolated(symbol), .. } => Some(symbol.to_string()),
            KeyKind::Standard | KeyKind::Tax => None,
        },
        permissions: record.permissions.iter().map(|permission| permission.to_string()).collect(),
        ips: match &record.ip {
            IpRestriction::Unrestricted => None,
            IpRestriction::Listed(rules) => Some(rules.iter().map(ToString::to_string).collect()),
        },
    }
}

/// What the service said of an account, at the line that `place` finds for a refusal.
fn refusal(
    world: &World,
    entry: &AccountEntry,
    error: AuthorityError,
    place: impl FnOnce(&Refusal) -> Range<usize>,
) -> WorldError {
    match error {
        AuthorityError::Refused(refusal) => world.source.problem(&place(&refusal), &refusal).into(),
        source => WorldError::Authority { account: entry.table.email.get_ref().to_string(), source },
    }
}

fn account_place(entry: &AccountEntry, refusal: &Refusal) -> Range<usize> {
    let table = &entry.table;
    let fund =
        |asked: &dyn Fn(&super::Fund) -> bool| entry.funds.iter().find(|fund| asked(fund)).map(|f| f.span.clone());
    let field = match refusal {
        Refusal::EmailTaken => Some(table.email.span()),
        Refusal::VipOutOfRange => table.vip.as_ref().map(toml::Spanned::span),
        Refusal::MasterUnknown | Refusal::MasterIsSubAccount => table.sub_of.as_ref().map(toml::Spanned::span),
        Refusal::BalanceNotPositive(asset) => fund(&|fund| fund.asset == *asset && fund.amount.scaled() <= 0),
        Refusal::NoMarginAccount => fund(&|fund| fund.wallet != Wallet::Spot),
        _ => None,
    };
    field.unwrap_or_else(|| entry.span.clone())
}

fn key_place(entry: &KeyEntry, refusal: &Refusal) -> Range<usize> {
    let table = &entry.table;
    let field = match refusal {
        Refusal::Label(_) => Some(table.label.span()),
        Refusal::Ip(_) | Refusal::IpListEmpty => table.ips.as_ref().map(toml::Spanned::span),
        Refusal::PublicKey(_) => table.public_key.as_ref().map(toml::Spanned::span),
        Refusal::TooManySymbols(_) => table.symbols.as_ref().map(toml::Spanned::span),
        Refusal::CreatedOutOfRange => table.created.as_ref().map(toml::Spanned::span),
        Refusal::ApiKeyTaken => table.api_key.as_ref().map(toml::Spanned::span),
        Refusal::PermissionNeeds(..) => table.permissions.as_ref().map(toml::Spanned::span),
        Refusal::UnknownPair(_)
        | Refusal::NoMarginAccount
        | Refusal::PortfolioMarginUnsupported
        | Refusal::CrossMarginProForbidden
        | Refusal::VipTooLow { .. }
        | Refusal::TermsNotSigned
        | Refusal::Cooldown { .. } => table.special.as_ref().map(toml::Spanned::span),
        _ => None,
    };
    field.unwrap_or_else(|| entry.span.clone())
}
