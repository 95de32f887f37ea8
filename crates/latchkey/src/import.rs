//! Files of keys: tab-separated values, read line by line.
//!
//! ```text
//! # latchkey keys 1                                            what it is, and its format
//! account            label   type     api_key   public_key …   the columns, in any order
//! alice@example.com  bot     ed25519  Qm9…      MCowBQ…        a key a line
//! ```
//!
//! A file may hold secrets, and a cell may stand in the wrong column: no message repeats a cell.

use jiff::Timestamp as Instant;
use latchkey_authority::account::Email;
use latchkey_authority::issue::{FixedText, NewKey, NewProof};
use latchkey_authority::refusal::Refusal;
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::public_key::PublicKey;
use latchkey_crypto::secret::SecretKey;
use latchkey_protocol::{AccountId, ApiKey, Permission, PermissionSet, Symbol, Timestamp};
use zeroize::{Zeroize as _, Zeroizing};

/// The longest line, in bytes: many times an RSA key with 30 networks and 30 symbols.
pub const LINE_MAX: usize = 16 * 1024;
/// The first line.
const MAGIC: &str = "# latchkey keys 1";
/// What stands for a key without an IP list, so that an empty cell never opens one.
const UNRESTRICTED: &str = "unrestricted";

/// A key of a file.
pub struct Row {
    /// Where it stands; the first line is 1.
    pub line: u64,
    /// Whose it shall be.
    pub account: Whose,
    /// What it shall be.
    pub key: NewKey,
}

/// How a file names an account.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Whose {
    /// By its number.
    Uid(AccountId),
    /// By its address.
    Email(String),
}

/// A line that cannot be taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct BadLine {
    /// Which; the first is 1.
    pub line: u64,
    /// What is wrong with it, without its cells.
    pub problem: String,
}

/// Cuts bytes into lines and lines into keys.
pub struct Reader {
    columns: Option<Vec<Column>>,
    /// The line that has not ended yet. Its room is never given back with a secret in it.
    line: Zeroizing<Vec<u8>>,
    number: u64,
    /// Lines of keys before this one are not looked at.
    from: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Account,
    Label,
    Type,
    ApiKey,
    SecretKey,
    PublicKey,
    Permissions,
    Ips,
    Symbols,
    Created,
}

impl Column {
    const ALL: [(&str, Self); 10] = [
        ("account", Self::Account),
        ("label", Self::Label),
        ("type", Self::Type),
        ("api_key", Self::ApiKey),
        ("secret_key", Self::SecretKey),
        ("public_key", Self::PublicKey),
        ("permissions", Self::Permissions),
        ("ips", Self::Ips),
        ("symbols", Self::Symbols),
        ("created", Self::Created),
    ];
    /// Those that every file has.
    const NEEDED: [Self; 5] = [Self::Account, Self::Label, Self::Type, Self::ApiKey, Self::Ips];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, column)| *column == self).map_or("", |(name, _)| name)
    }
}

impl Reader {
    /// A reader that leaves out the keys before line `from`.
    pub fn new(from: u64) -> Self {
        Self { columns: None, line: Zeroizing::new(Vec::with_capacity(LINE_MAX)), number: 0, from }
    }

    /// Takes the next bytes and hands over every key whose line has ended.
    ///
    /// # Errors
    /// [`BadLine`]; the reader is of no use afterwards.
    pub fn take(&mut self, bytes: &[u8], each: &mut dyn FnMut(Row)) -> Result<(), BadLine> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            if self.line.len() + text.len() > LINE_MAX {
                self.number += 1;
                return Err(self.bad(format!("it is longer than {LINE_MAX} bytes")));
            }
            self.line.extend_from_slice(text);
            if ends {
                self.end_line(each)?;
            }
        }
        Ok(())
    }

    /// Takes the end of the file.
    ///
    /// # Errors
    /// [`BadLine`]: the last line is wrong, or there are no columns.
    pub fn end(mut self, each: &mut dyn FnMut(Row)) -> Result<(), BadLine> {
        if !self.line.is_empty() {
            self.end_line(each)?;
        }
        if self.columns.is_some() {
            return Ok(());
        }
        self.number += 1;
        Err(self.bad("the file ends before its columns are named"))
    }

    fn bad(&self, problem: impl Into<String>) -> BadLine {
        BadLine { line: self.number, problem: problem.into() }
    }

    fn end_line(&mut self, each: &mut dyn FnMut(Row)) -> Result<(), BadLine> {
        self.number += 1;
        let row = self.read_line();
        self.line.as_mut_slice().zeroize();
        self.line.clear();
        row.map(|row| row.into_iter().for_each(each)).map_err(|problem| self.bad(problem))
    }

    /// The key of the line that has ended; `None` where it holds none.
    fn read_line(&mut self) -> Result<Option<Row>, String> {
        let text = core::str::from_utf8(&self.line).map_err(|_| "it is not UTF-8")?;
        let text = text.strip_suffix('\r').unwrap_or(text);
        match (&self.columns, self.number) {
            (_, 1) if text == MAGIC => Ok(None),
            (_, 1) => Err(format!("the first line must be `{MAGIC}`")),
            (None, _) => {
                self.columns = Some(columns(text)?);
                Ok(None)
            }
            (Some(_), number) if number < self.from => Ok(None),
            (Some(columns), line) => {
                let cells: Vec<&str> = text.split('\t').collect();
                if cells.len() != columns.len() {
                    return Err(format!("it has {} cells where {} columns are named", cells.len(), columns.len()));
                }
                let cell = |wanted| {
                    let found = columns.iter().zip(&cells).find(|(column, _)| **column == wanted);
                    found.map_or("", |(_, cell)| cell.trim())
                };
                let (account, key) = read(cell).map_err(|(column, why)| format!("`{}` {why}", column.name()))?;
                Ok(Some(Row { line, account, key }))
            }
        }
    }
}

fn columns(text: &str) -> Result<Vec<Column>, String> {
    let mut named = Vec::new();
    for cell in text.split('\t').map(str::trim) {
        let found = Column::ALL.iter().find(|(name, _)| *name == cell);
        // The second line may be a key whose columns were forgotten.
        let (name, column) = found.ok_or_else(|| {
            let known: Vec<_> = Column::ALL.iter().map(|(name, _)| *name).collect();
            format!("it must name the columns, which are `{}`", known.join("`, `"))
        })?;
        if named.contains(column) {
            return Err(format!("the column `{name}` is named twice"));
        }
        named.push(*column);
    }
    match Column::NEEDED.into_iter().find(|needed| !named.contains(needed)) {
        Some(missing) => Err(format!("the column `{}` is missing", missing.name())),
        None => Ok(named),
    }
}

type Flaw = (Column, &'static str);

fn read<'a>(cell: impl Fn(Column) -> &'a str) -> Result<(Whose, NewKey), Flaw> {
    let account = whose(cell(Column::Account)).ok_or((Column::Account, "is neither a uid nor an e-mail address"))?;
    let key_type: KeyType =
        cell(Column::Type).parse().map_err(|_| (Column::Type, "is not `hmac`, `rsa` or `ed25519`"))?;
    let api_key = ApiKey::parse(cell(Column::ApiKey).as_bytes());
    let api_key = api_key.ok_or((Column::ApiKey, "is not an API key: 64 letters and digits"))?;
    let (proof, secret) = proof(key_type, cell(Column::SecretKey), cell(Column::PublicKey))?;
    let permissions = match cell(Column::Permissions) {
        "" => PermissionSet::READING,
        named => list(named, Permission::parse)
            .ok_or((Column::Permissions, "names no known permission at some place"))?
            .into_iter()
            .collect(),
    };
    let ips = match cell(Column::Ips) {
        "" => return Err((Column::Ips, "is empty: list addresses, or write `unrestricted`")),
        UNRESTRICTED => None,
        listed => Some(listed.to_owned()),
    };
    let symbols = match cell(Column::Symbols) {
        "" => None,
        named => Some(list(named, Symbol::parse).ok_or((Column::Symbols, "names no symbol at some place"))?),
    };
    let created = match cell(Column::Created) {
        "" => None,
        text => {
            let time: Instant =
                text.parse().map_err(|_| (Column::Created, "is not a time such as 2026-09-01T00:00:00Z"))?;
            Some(Timestamp::from_micros(time.as_microsecond()))
        }
    };
    let fixed = FixedText { api_key: Some(api_key), secret, ..FixedText::default() };
    let label = cell(Column::Label).to_owned();
    Ok((account, NewKey { label, proof, permissions, ips, symbols, fixed, created }))
}

fn whose(text: &str) -> Option<Whose> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(AccountId).map(Whose::Uid);
    }
    Email::parse(text).ok().map(|email| Whose::Email(email.as_str().to_owned()))
}

fn proof(key_type: KeyType, secret: &str, public: &str) -> Result<(NewProof, Option<SecretKey>), Flaw> {
    let not_here = |column, cell: &str| if cell.is_empty() { Ok(()) } else { Err((column, "must be empty here")) };
    if key_type == KeyType::Hmac {
        not_here(Column::PublicKey, public)?;
        let secret = SecretKey::parse(secret);
        let secret = secret.map_err(|_| (Column::SecretKey, "is not a secret key: 64 letters and digits"))?;
        return Ok((NewProof::Hmac, Some(secret)));
    }
    not_here(Column::SecretKey, secret)?;
    match PublicKey::parse(public) {
        Ok(key) if key.key_type() != key_type => Err((Column::PublicKey, "is a key of another type")),
        // What else is wrong with it is the authority's to say.
        Ok(_) | Err(_) => Ok((NewProof::Public(public.to_owned()), None)),
    }
}

/// A list with commas or spaces; `None` when one of its entries is not known.
fn list<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split([',', ' ']).filter(|entry| !entry.is_empty()).map(parse).collect()
}

/// Why a rule refuses a key, without its cells.
pub fn told(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Ip(error) => format!("the IP list is refused: an entry {}", error.problem),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
