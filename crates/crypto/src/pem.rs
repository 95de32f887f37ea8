//! PEM armor and bare base64, the way people paste them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Longest accepted text of a key, in bytes. A 4096-bit RSA private key takes about 3.3 KiB.
pub const TEXT_MAX: usize = 8 * 1024;

/// The text is neither a PEM block nor base64. It happens to public and to private keys alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArmorError {
    /// There is only white space.
    #[error("the key is empty")]
    Empty,
    /// It is longer than any key.
    #[error("the key is longer than {TEXT_MAX} bytes")]
    TooLong,
    /// Something stands before the header line or after the footer line.
    #[error("there is text outside the `-----BEGIN` and `-----END` lines")]
    TextOutside,
    /// The header line has no matching footer line.
    #[error("the `-----BEGIN` line has no matching `-----END` line")]
    Unfinished,
    /// What should be base64 is not, or is not canonical.
    #[error("the key is not valid base64: copy it whole, with all its lines")]
    Base64,
}

/// One key's text, taken apart but not yet decoded: the label may already be reason to refuse.
pub(crate) struct Block {
    /// What the header line names, `PUBLIC KEY` for instance; `None` without header and footer.
    pub(crate) label: Option<String>,
    /// The lines between, without white space. They wipe themselves: they may be a private key,
    /// also where none was asked for.
    body: Zeroizing<String>,
}

impl Block {
    /// Takes `text` apart. White space may stand anywhere; a literal `\n` or `\r`, as left by
    /// copying out of JSON or an environment file, counts as white space.
    ///
    /// # Errors
    /// All of [`ArmorError`] save [`ArmorError::Base64`].
    pub(crate) fn find(text: &str) -> Result<Self, ArmorError> {
        const BEGIN: &str = "-----BEGIN ";
        const END: &str = "-----END ";
        const DASHES: &str = "-----";

        if text.len() > TEXT_MAX {
            return Err(ArmorError::TooLong);
        }
        let text = Zeroizing::new(text.replace("\\r", "  "));
        let text = Zeroizing::new(text.replace("\\n", "  "));
        let text = text.trim();
        if text.is_empty() {
            return Err(ArmorError::Empty);
        }
        let Some(rest) = text.strip_prefix(BEGIN) else {
            if text.contains(BEGIN) || text.contains(END) {
                return Err(ArmorError::TextOutside);
            }
            return Ok(Self { label: None, body: without_space(text) });
        };
        let (label, rest) = rest.split_once(DASHES).ok_or(ArmorError::Unfinished)?;
        let (body, rest) = rest.split_once(END).ok_or(ArmorError::Unfinished)?;
        let outside =
            rest.strip_prefix(label).and_then(|rest| rest.strip_prefix(DASHES)).ok_or(ArmorError::Unfinished)?;
        if !outside.is_empty() {
            return Err(ArmorError::TextOutside);
        }
        Ok(Self { label: Some(label.to_owned()), body: without_space(body) })
    }

    /// Whether the lines start with the header of `OpenSSL`'s old passphrase encryption.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.body.starts_with("Proc-Type:4,ENCRYPTED")
    }

    /// The bytes: canonical, padded base64 of the standard alphabet.
    ///
    /// # Errors
    /// [`ArmorError::Base64`].
    pub(crate) fn decode(&self) -> Result<Zeroizing<Vec<u8>>, ArmorError> {
        // The whole capacity at once, so that no outgrown buffer is left behind unwiped.
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.body.len()));
        match STANDARD.decode_vec(self.body.as_bytes(), &mut bytes) {
            Ok(()) => Ok(bytes),
            Err(_) => Err(ArmorError::Base64),
        }
    }
}

/// Writes `der` as a PEM block with lines of 64 characters and a final line break.
pub(crate) fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    // Header and footer with their breaks, and one break for each started line.
    let length = base64.len() + base64.len() / 64 + 2 * label.len() + 40;
    let mut text = Zeroizing::new(String::with_capacity(length));
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

fn without_space(text: &str) -> Zeroizing<String> {
    let mut dense = Zeroizing::new(String::with_capacity(text.len()));
    dense.extend(text.split_whitespace());
    dense
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(Option<&str>, &[u8]), ArmorError>) {
        let found = Block::find(text).and_then(|block| Ok((block.label.clone(), block.decode()?)));
        let expected = expected.map(|(label, bytes)| (label.map(str::to_owned), bytes.to_vec()));
        assert_eq!(found.map(|(label, bytes)| (label, bytes.to_vec())), expected, "{text:?}");
    }

    #[test]
    fn white_space_may_stand_anywhere() {
        let expected: Result<_, ArmorError> = Ok((Some("PUBLIC KEY"), b"latchkey".as_slice()));
        for text in [
            "-----BEGIN PUBLIC KEY-----\nbGF0Y2hrZXk=\n-----END PUBLIC KEY-----\n",
            "-----BEGIN PUBLIC KEY-----\r\nbGF0\r\nY2hrZXk=\r\n-----END PUBLIC KEY-----\r\n",
            " \n-----BEGIN PUBLIC KEY----- bGF0 Y2hr\tZXk= -----END PUBLIC KEY-----  ",
            "-----BEGIN PUBLIC KEY-----bGF0Y2hrZXk=-----END PUBLIC KEY-----",
            "-----BEGIN PUBLIC KEY-----\\nbGF0Y2hrZXk=\\r\\n-----END PUBLIC KEY-----\\n",
        ] {
            check(text, expected);
        }
        check(" bGF0\nY2hrZXk= \n", Ok((None, b"latchkey")));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        check(" \r\n\t ", Err(ArmorError::Empty));
        check(&"A".repeat(TEXT_MAX + 1), Err(ArmorError::TooLong));
        check("x -----BEGIN A-----\nAAAA\n-----END A-----", Err(ArmorError::TextOutside));
        check("-----BEGIN A-----\nAAAA\n-----END A-----\nx", Err(ArmorError::TextOutside));
        check(
            "-----BEGIN A-----\nAAAA\n-----END A-----\n-----BEGIN A-----\nAAAA\n-----END A-----",
            Err(ArmorError::TextOutside),
        );
        check("AAAA\n-----END A-----", Err(ArmorError::TextOutside));
        check("-----BEGIN A", Err(ArmorError::Unfinished));
        check("-----BEGIN A-----\nAAAA", Err(ArmorError::Unfinished));
        check("-----BEGIN A-----\nAAAA\n-----END B-----", Err(ArmorError::Unfinished));
        check("-----BEGIN A-----\nAAAA\n-----END A", Err(ArmorError::Unfinished));
        for body in ["bGF0Y2hrZXk", "bGF0Y2hrZXl=", "bGF0Y2hrZXk==", "bGF0_2hrZXk=", "bGF0*", "="] {
            check(body, Err(ArmorError::Base64));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for length in [0, 1, 47, 48, 49, 96, 300] {
            let bytes = vec![7; length];
            let text = encode("PUBLIC KEY", &bytes);
            assert!(text.lines().all(|line| line.len() <= 64));
            assert!(text.len() <= text.capacity());
            check(&text, Ok((Some("PUBLIC KEY"), &bytes)));
        }
    }
}
