//! How records rest in a store: JSON with a format version, enum values by name.
//!
//! A value that this binary does not know makes the record unreadable, and an unreadable record admits nothing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The format that this binary writes. It also reads the one before, in which an account had one freeze, and a key was
/// put out of use by one alone.
pub const FORMAT: u16 = 3;

/// Why stored bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer binary.
    #[error("record has format `{0}`, newer than `{FORMAT}`")]
    Newer(u16),
    /// Damaged, or with a value that this binary does not know; the text names it.
    #[error("record is not readable: {0}")]
    Unreadable(String),
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    format: u16,
    record: &'a T,
}

#[derive(Deserialize)]
struct Version {
    format: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opened<T> {
    format: u16,
    record: T,
}

/// A record that a store keeps as bytes. What the bytes hold besides sealed blobs is not secret, but private.
pub trait Stored: Serialize + DeserializeOwned {
    /// The bytes to keep.
    fn encode(&self) -> Vec<u8> {
        // INVARIANT: records have no maps with keys other than text and no fallible serializers. Writing nothing
        // instead of a record would lose it, so this is checked in release too.
        #[expect(clippy::expect_used, reason = "records always serialize")]
        serde_json::to_vec(&Envelope { format: FORMAT, record: self }).expect("a record serializes")
    }

    /// Reads what [`Stored::encode`] wrote.
    ///
    /// # Errors
    /// [`RecordError`] names a newer format or the value that is not known.
    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let opened = serde_json::from_slice::<Opened<Self>>(bytes);
        // A newer record seldom reads, so its format is asked for alone before it is called damaged.
        let format = match &opened {
            Ok(opened) => Some(opened.format),
            Err(_) => serde_json::from_slice(bytes).ok().map(|version: Version| version.format),
        };
        match (format, opened) {
            (Some(format), _) if format > FORMAT => Err(RecordError::Newer(format)),
            (_, Ok(opened)) => Ok(opened.record),
            (_, Err(error)) => Err(RecordError::Unreadable(error.to_string())),
        }
    }
}

/// Bytes as hex text.
pub(crate) mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&const_hex::encode(bytes))
    }

    pub(crate) fn deserialize<'de, B: TryFrom<Vec<u8>>, D: Deserializer<'de>>(deserializer: D) -> Result<B, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = const_hex::decode(text.as_ref()).map_err(|_| D::Error::custom("not hex"))?;
        B::try_from(bytes).map_err(|_| D::Error::custom("hex of another length"))
    }
}

/// A [`latchkey_protocol::KeyId`] as its usual text.
pub(crate) mod key_id {
    use latchkey_protocol::KeyId;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(id: &KeyId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyId, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        crate::key::parse_key_id(&text).ok_or_else(|| D::Error::custom("not a key id"))
    }
}

/// An optional [`latchkey_protocol::KeyId`] as its usual text.
pub(crate) mod optional_key_id {
    use latchkey_protocol::KeyId;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(id: &Option<KeyId>, serializer: S) -> Result<S::Ok, S::Error> {
        id.map(|id| id.to_string()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<KeyId>, D::Error> {
        let Some(text) = <Option<std::borrow::Cow<'de, str>>>::deserialize(deserializer)? else { return Ok(None) };
        crate::key::parse_key_id(&text).map(Some).ok_or_else(|| D::Error::custom("not a key id"))
    }
}

/// An [`latchkey_protocol::ApiKey`] as text.
pub(crate) mod api_key {
    use latchkey_protocol::ApiKey;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(key: &ApiKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(key.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ApiKey, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        ApiKey::parse(text.as_bytes()).ok_or_else(|| D::Error::custom("not an API key"))
    }
}

/// A [`latchkey_protocol::PermissionSet`] as a list of names, so that an unknown one is refused.
pub(crate) mod permissions {
    use latchkey_protocol::{Permission, PermissionSet};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(set: &PermissionSet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(set.iter().map(Permission::as_str))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PermissionSet, D::Error> {
        let names = Vec::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        names
            .iter()
            .map(|name| Permission::parse(name).ok_or_else(|| D::Error::custom(format!("unknown permission `{name}`"))))
            .collect()
    }
}
