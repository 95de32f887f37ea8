//! From the file as it is written to a world whose shape is sound.

use std::path::Path;

use latchkey_authority::key::{PermissionMode, Scope};
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::password::PASSWORD_MAX;
use latchkey_crypto::pem::TEXT_MAX;
use latchkey_crypto::public_key::PublicKey;
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::totp::TotpSeed;
use latchkey_exchange::MarketSettings;
use latchkey_protocol::{ApiKey, Asset, PermissionSet, Symbol, Wallet};
use toml::Spanned;

use super::file::{AccountTable, File, Funds, KeyTable, Named, Portfolio};
use super::market::{self, isolated_pair};
use super::{AccountEntry, Fund, KeyEntry, ProofEntry, World};
use crate::config::source::{Problem, Source};

/// The format of world files; a file that does not say has it too.
const FORMAT: u32 = 1;

/// Reads a world whose relative paths start at `folder`.
pub(super) fn read(source: Source, folder: &Path) -> Result<World, Problem> {
    let file: File = source.read()?;
    if let Some(format) = file.format.filter(|format| *format.get_ref() != FORMAT) {
        let found = format.get_ref();
        let unknown = format_args!("format `{found}` is not known to this program, which reads `{FORMAT}`");
        return Err(source.problem(&format.span(), unknown));
    }
    let policy = crate::config::policy(&source, file.profile, &file.policy)?;
    let tiers = crate::config::tiers(&source, &policy, &file.policy)?;
    let market = market::settings(&source, file.market, &policy)?;
    let reader = Reader { source: &source, folder, market: &market };
    let accounts = file.account.into_iter().map(|table| reader.account(table)).collect::<Result<_, _>>()?;
    Ok(World { source, policy, tiers, market, accounts })
}

struct Reader<'a> {
    source: &'a Source,
    folder: &'a Path,
    market: &'a MarketSettings,
}

impl Reader<'_> {
    fn refuse<T, V>(&self, at: &Spanned<V>, message: impl core::fmt::Display) -> Result<T, Problem> {
        Err(self.source.problem(&at.span(), message))
    }

    fn account(&self, table: Spanned<AccountTable>) -> Result<AccountEntry, Problem> {
        let (span, mut table) = (table.span(), table.into_inner());
        if let Some((product, time)) = table.opened.iter().find(|(product, _)| !table.products.contains(product)) {
            return self.refuse(time, format_args!("{product:?} is opened, but not among the `products`"));
        }
        if let Some(password) = &table.password
            && !(1..=PASSWORD_MAX).contains(&password.get_ref().0.len())
        {
            return self.refuse(password, format_args!("a password has 1 to {PASSWORD_MAX} bytes"));
        }
        let totp = match &table.totp {
            Some(text) => Some(TotpSeed::parse(&text.get_ref().0).or_else(|error| self.refuse(text, error))?),
            None => None,
        };
        let keys = core::mem::take(&mut table.key).into_iter().map(|key| self.key(key)).collect::<Result<_, _>>()?;
        Ok(AccountEntry { span, totp, funds: self.funds(&table)?, keys, draws_sign_in: false, table })
    }

    fn funds(&self, table: &AccountTable) -> Result<Vec<Fund>, Problem> {
        // Under Portfolio Margin Pro the cross account is the pooled one.
        let cross = if table.portfolio_margin == Portfolio::Pro { Wallet::Portfolio } else { Wallet::Cross };
        let mut funds = Vec::new();
        let mut add = |wallet, listed: &Funds| {
            for (asset, amount) in listed {
                funds.push(Fund { span: amount.span(), wallet, asset: asset.0, amount: amount.get_ref().0 });
            }
        };
        add(Wallet::Spot, &table.spot);
        add(cross, &table.cross);
        for (symbol, listed) in &table.isolated {
            let name = symbol.get_ref().0;
            let Some(pair) = isolated_pair(self.market, name) else {
                return self.refuse(symbol, format_args!("`{name}` is not an isolated margin pair of this market"));
            };
            let of_pair = |asset: &Named<Asset>| [pair.base, pair.quote].contains(&asset.0);
            if let Some((asset, amount)) = listed.iter().find(|(asset, _)| !of_pair(asset)) {
                return self.refuse(amount, format_args!("the isolated wallet of `{name}` cannot hold `{}`", asset.0));
            }
            add(Wallet::Isolated(name), listed);
        }
        Ok(funds)
    }

    fn key(&self, table: Spanned<KeyTable>) -> Result<KeyEntry, Problem> {
        let (span, table) = (table.span(), table.into_inner());
        let api_key = match &table.api_key {
            Some(text) => match ApiKey::parse(text.get_ref().as_bytes()) {
                Some(api_key) => Some(api_key),
                None => return self.refuse(text, "an API key has 64 letters and digits"),
            },
            None => None,
        };
        if let Some(ips) = &table.ips
            && ips.get_ref().iter().any(|ip| ip.is_empty() || ip.contains([',', ' ', '\t', '\n', '\r']))
        {
            return self.refuse(ips, "each entry is one address or network");
        }
        let special = self.special(&table)?;
        let permissions = self.permissions(&table, special.is_some())?;
        Ok(KeyEntry { span, api_key, proof: self.proof(&table)?, permissions, special, table })
    }

    fn special(&self, table: &KeyTable) -> Result<Option<Scope>, Problem> {
        let Some(text) = &table.special else {
            return match &table.permission_mode {
                Some(mode) => self.refuse(mode, "only a special key has a `permission_mode`"),
                None => Ok(None),
            };
        };
        if let Some(symbols) = &table.symbols {
            return self.refuse(symbols, "a special key has no symbol whitelist");
        }
        if let Some(mode) = &table.permission_mode
            && *mode.get_ref() == PermissionMode::Read
            && table.key_type.get_ref().0 != KeyType::Ed25519
        {
            return self.refuse(mode, "only an Ed25519 key can be `READ`");
        }
        match (text.get_ref().as_str(), Symbol::parse(text.get_ref())) {
            ("cross", _) => Ok(Some(Scope::Cross)),
            (_, Some(symbol)) => Ok(Some(Scope::Isolated(symbol))),
            (_, None) => self.refuse(text, "`special` is \"cross\" or a symbol"),
        }
    }

    /// What the key is granted: reading when nothing is said; a special key's follow from its mode.
    fn permissions(&self, table: &KeyTable, is_special: bool) -> Result<PermissionSet, Problem> {
        let named = table.permissions.as_ref().map(|listed| {
            let set: PermissionSet = listed.get_ref().iter().map(|named| named.0).collect();
            (listed, set)
        });
        if !is_special {
            return Ok(named.map_or(PermissionSet::READING, |(_, set)| set));
        }
        let of_mode = table.permission_mode.as_ref().map(|mode| *mode.get_ref()).unwrap_or_default().permissions();
        match named {
            Some((listed, set)) if set != of_mode => {
                let names = of_mode.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join("`, `");
                self.refuse(listed, format_args!("the permissions of this special key are `{names}`"))
            }
            _ => Ok(of_mode),
        }
    }

    fn proof(&self, table: &KeyTable) -> Result<ProofEntry, Problem> {
        let key_type = table.key_type.get_ref().0;
        match (key_type, &table.secret_key, &table.public_key) {
            (KeyType::Hmac, _, Some(public)) => self.refuse(public, "an HMAC key has no public key"),
            (KeyType::Hmac, None, None) => Ok(ProofEntry::Hmac(None)),
            (KeyType::Hmac, Some(secret), None) => SecretKey::parse(secret.get_ref().0.as_bytes())
                .map(|secret| ProofEntry::Hmac(Some(secret)))
                .or_else(|error| self.refuse(secret, format_args!("not a secret key: {error}"))),
            (KeyType::Rsa | KeyType::Ed25519, Some(secret), _) => {
                self.refuse(secret, format_args!("an {key_type} key has no secret key but a pair"))
            }
            (KeyType::Rsa | KeyType::Ed25519, None, None) => Ok(ProofEntry::Pair(key_type)),
            (KeyType::Rsa | KeyType::Ed25519, None, Some(public)) => {
                let text = self.public_text(public)?;
                match PublicKey::parse(&text) {
                    Ok(key) if key.key_type() == key_type => Ok(ProofEntry::Public(text)),
                    Ok(key) => {
                        self.refuse(public, format_args!("this is an {} key, not an {key_type} one", key.key_type()))
                    }
                    Err(error) => self.refuse(public, format_args!("the public key is refused: {error}")),
                }
            }
        }
    }

    /// The text of a public key that is given as such or by the path of a file.
    fn public_text(&self, given: &Spanned<String>) -> Result<String, Problem> {
        let text = given.get_ref();
        if text.contains("-----") || text.contains('\n') || PublicKey::parse(text).is_ok() {
            return Ok(text.clone());
        }
        let path = self.folder.join(text);
        let unreadable = |error: &dyn core::fmt::Display| {
            self.source.problem(&given.span(), format_args!("`{}` cannot be read: {error}", path.display()))
        };
        let size = std::fs::metadata(&path).map_err(|error| unreadable(&error))?.len();
        if size > TEXT_MAX as u64 {
            return Err(unreadable(&format_args!("it is larger than {TEXT_MAX} bytes")));
        }
        std::fs::read_to_string(&path).map_err(|error| unreadable(&error))
    }
}
