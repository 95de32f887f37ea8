//! `latchkey sign`: the signature of exact bytes.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use latchkey_client::credentials::{self, Credentials};
use latchkey_client::encode::percent_encode;
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::sign::Signer;

use super::profiles::{self, Profile};
use super::secret_source::{SecretSource, secret_text};
use super::{KeyArgs, SchemeArg, credentials_file};

mod message;

/// Sign exact bytes
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    key: KeyArgs,

    /// Without profile: the type of the key, ed25519, rsa or hmac
    #[arg(long, value_name = "TYPE", value_parser = super::parse_key_type, requires = "secret_file",
          conflicts_with_all = ["profile", "credentials"])]
    key_type: Option<KeyType>,

    /// Without profile: the file with the private key or the HMAC secret, readable by you alone
    #[arg(long, value_name = "FILE", requires = "key_type")]
    secret_file: Option<PathBuf>,

    /// Percent-encode the signature, as a URL needs it
    #[arg(long, conflicts_with = "url")]
    url_encoded: bool,

    /// What to make: a signature of the payload, or the header fields that sign a whole request
    #[arg(long, value_name = "SCHEME", value_enum, default_value_t, requires_if("rfc9421", "url"))]
    scheme: SchemeArg,

    #[command(flatten)]
    message: message::RequestArgs,

    /// What to sign, byte for byte; `-` reads standard input to its end. With `--scheme rfc9421` the body, if any
    #[arg(value_name = "PAYLOAD", allow_hyphen_values = true, required_unless_present = "url")]
    payload: Option<OsString>,
}

const EXAMPLES: &str = "\
The payload of a request is its query string followed at once by its body, without `signature`.
Nothing is added or taken away, also no line end: pipe with printf, not with echo.

Examples:
  latchkey sign --profile bot 'symbol=BTCUSDT&timestamp=1700000000000'
  printf %s \"$QUERY\" | latchkey sign --profile bot --url-encoded -
  latchkey sign --key-type ed25519 --secret-file bot.pem 'symbol=BTCUSDT&timestamp=1700000000000'
  latchkey sign --credentials ./demo/credentials.json --key bot 'timestamp=1700000000000'
  latchkey sign --profile bot --scheme rfc9421 --url https://keys.example.com/api/v3/account";

/// The most bytes that are signed: the largest request that a server may take.
const PAYLOAD_MAX: u64 = 1024 * 1024;

/// Prints the signature: lower-case hex for HMAC, base64 for the other types; of a whole request the header fields that
/// sign it. It fails (exit status 1, told on
/// standard error) when no key is named, it cannot be read, or the payload is too large.
///
/// # Errors
/// When not even standard error can be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match sign(args, &mut std::io::stdin().lock(), &mut std::io::stdout().lock()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            super::tell(&error, &mut std::io::stderr().lock())?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn sign(args: &Args, input: &mut dyn Read, out: &mut dyn Write) -> anyhow::Result<()> {
    let payload = match &args.payload {
        Some(dash) if dash == "-" => {
            let mut payload = Vec::new();
            input.take(PAYLOAD_MAX + 1).read_to_end(&mut payload).context("cannot read standard input")?;
            payload
        }
        Some(payload) => payload.as_bytes().to_vec(),
        None => Vec::new(),
    };
    let size = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    ensure!(size <= PAYLOAD_MAX, "the payload is larger than {PAYLOAD_MAX} bytes");
    if args.scheme == SchemeArg::Rfc9421 {
        return message::sign(&args.message, payload, credentials(args)?, out);
    }
    let signature = with_signer(args, |signer| Ok(signer.sign(&[&payload])?))?;
    let signature = if args.url_encoded { percent_encode(&signature) } else { signature };
    writeln!(out, "{signature}")?;
    Ok(())
}

/// The key with its name: a message signature says whose it is.
fn credentials(args: &Args) -> anyhow::Result<Credentials> {
    if let (Some(key_type), Some(path)) = (args.key_type, &args.secret_file) {
        let text = SecretSource::File(path.clone()).read(&format!("`{}`", path.display()))?;
        let api_key = args.message.api_key.as_deref().context("no API key: give --api-key with --secret-file")?;
        return Ok(Credentials::parse(api_key, key_type, &secret_text(key_type, &text)?)?);
    }
    if let Some(name) = &args.key.profile {
        let path = args.key.profiles.clone().map_or_else(profiles::default_path, Ok)?;
        return Profile::load(&path, name)?.credentials();
    }
    let path = args.key.credentials.as_deref();
    let path = path.context("no key: give --profile NAME, --credentials FILE, or --key-type and --secret-file")?;
    credentials_file::load(path, args.key.key.as_deref())
}

fn with_signer(args: &Args, sign: impl FnOnce(&Signer) -> anyhow::Result<String>) -> anyhow::Result<String> {
    if let (Some(key_type), Some(path)) = (args.key_type, &args.secret_file) {
        let text = SecretSource::File(path.clone()).read(&format!("`{}`", path.display()))?;
        let signer = credentials::signer(key_type, &secret_text(key_type, &text)?)?;
        return sign(&signer);
    }
    if let Some(name) = &args.key.profile {
        let path = args.key.profiles.clone().map_or_else(profiles::default_path, Ok)?;
        return sign(Profile::load(&path, name)?.credentials()?.signer());
    }
    let path = args.key.credentials.as_deref();
    let path = path.context("no key: give --profile NAME, --credentials FILE, or --key-type and --secret-file")?;
    sign(credentials_file::load(path, args.key.key.as_deref())?.signer())
}

#[cfg(test)]
mod tests {
    use super::super::private_file;
    use super::*;
    use clap::Parser as _;

    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u";
    const PAYLOAD: &str = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
    const SIGNED: &str = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";

    #[derive(clap::Parser)]
    struct Verb {
        #[command(flatten)]
        args: Args,
    }

    /// Signs with a secret in a file; `words` follow its flags.
    fn check(key_type: &str, secret: &str, words: &[&str], mut input: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        private_file::write_new(&path, secret).unwrap();
        let flags = ["sign", "--key-type", key_type, "--secret-file", path.to_str().unwrap()];
        let args = Verb::try_parse_from(flags.iter().chain(words)).map_err(|error| error.to_string())?.args;
        let mut out = Vec::new();
        sign(&args, &mut input, &mut out).map_err(|error| format!("{error:#}"))?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_published_example_comes_out() {
        assert_eq!(check("hmac", SECRET, &[PAYLOAD], b"").unwrap(), format!("{SIGNED}\n"));
        assert_eq!(check("hmac", SECRET, &["-"], PAYLOAD.as_bytes()).unwrap(), format!("{SIGNED}\n"));
        let pair = format!("api_key = \"k\"\nsecret_key = \"{SECRET}\"\n");
        assert_eq!(check("hmac", &pair, &[PAYLOAD], b"").unwrap(), format!("{SIGNED}\n"));
    }

    #[test]
    fn no_byte_is_added_or_lost() {
        assert_ne!(check("hmac", SECRET, &["-"], format!("{PAYLOAD}\n").as_bytes()).unwrap(), format!("{SIGNED}\n"));
        assert!(check("hmac", SECRET, &["-"], &[0xff, 0x00]).is_ok());
        assert!(check("hmac", SECRET, &["-a=b"], b"").is_ok());
    }

    #[test]
    fn base64_can_be_had_for_a_url() {
        let payload = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918&recvWindow=5000";
        let plain = "inDT086KVIP8vgUfw5sV3VTkescWztiAGlf4x8FLKHM4NInsn0c1kYVLoGMO8cyjfR6vmTku2YQE0gtfVVlfCw";
        assert_eq!(check("ed25519", ED25519, &[payload], b"").unwrap(), format!("{plain}==\n"));
        assert_eq!(check("ed25519", ED25519, &["--url-encoded", payload], b"").unwrap(), format!("{plain}%3D%3D\n"));
    }

    #[test]
    fn a_whole_request_is_signed_by_three_fields() {
        let key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
        let words = |more: &[&'static str]| {
            let url = "http://127.0.0.1:8600/api/v3/order?symbol=BTCUSDT";
            let common = ["--scheme", "rfc9421", "--url", url, "--created", "1618884473", "--nonce", "n"];
            let mut words = common.to_vec();
            words.extend(more);
            words
        };
        let input = |components: &str| {
            format!(
                "Signature-Input: sig1=({components});created=1618884473;nonce=\"n\";keyid=\"{key}\";alg=\"ed25519\""
            )
        };
        let printed = check("ed25519", ED25519, &words(&["--api-key", key]), b"").unwrap();
        let lines: Vec<_> = printed.lines().collect();
        assert_eq!(lines[0], input(r#""@method" "@authority" "@path" "@query""#));
        assert!(lines.len() == 2 && lines[1].starts_with("Signature: sig1=:") && lines[1].ends_with("==:"));
        let post = words(&["--api-key", key, "--method", "POST", "{\"hello\": \"world\"}"]);
        let printed = check("ed25519", ED25519, &post, b"").unwrap();
        let lines: Vec<_> = printed.lines().collect();
        // Source: RFC 9530, appendix A.
        assert_eq!(lines[0], "Content-Digest: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
        assert_eq!(lines[1], input(r#""@method" "@authority" "@path" "@query" "content-digest""#));
        assert!(check("ed25519", ED25519, &words(&[]), b"").unwrap_err().contains("--api-key"));
        assert!(check("ed25519", ED25519, &["--scheme", "rfc9421", "a"], b"").unwrap_err().contains("--url"));
    }

    #[test]
    fn a_key_must_be_named_and_fit() {
        assert!(check("rsa", ED25519, &["a"], b"").unwrap_err().contains("is of type `ed25519`, not `rsa`"));
        assert!(check("hmac", SECRET, &["--profile", "bot", "a"], b"").unwrap_err().contains("cannot be used with"));
        let args = Verb::try_parse_from(["sign", "a"]).unwrap().args;
        assert!(sign(&args, &mut std::io::empty(), &mut Vec::new()).unwrap_err().to_string().contains("no key"));
        assert!(Verb::try_parse_from(["sign", "--key-type", "hmac", "a"]).is_err());
    }
}
