//! `latchkey keygen`: makes a key pair, or an API key and its HMAC secret.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::secret::{SecretKey, generate_key_text};
use latchkey_crypto::sign::{RsaSize, Signer};
use zeroize::Zeroizing;

use super::private_file;

/// Make a key
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The type of key: ed25519, rsa or hmac
    #[arg(long = "type", value_name = "TYPE", value_parser = super::parse_key_type)]
    key_type: KeyType,

    /// The size of an RSA key: 2048, 3072 or 4096 [default: 2048]
    #[arg(long, value_name = "BITS", value_parser = parse_bits)]
    bits: Option<RsaSize>,

    /// Where the private part goes, readable by you alone; never overwritten
    /// [default: latchkey-TYPE.pem, latchkey-hmac.toml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// With --type hmac: also print the secret to standard output
    #[arg(long)]
    show: bool,
}

const EXAMPLES: &str = "\
The private part is written to a file of mode 0600. Standard output carries the public part alone:
the public key to register, or for HMAC the API key.

Examples:
  latchkey keygen --type ed25519 --out bot.pem > bot.pub.pem
  latchkey keygen --type rsa --bits 4096 --out bot.pem
  latchkey keygen --type hmac --out bot.toml      # `api_key` and `secret_key`, for a world file";

fn parse_bits(text: &str) -> Result<RsaSize, &'static str> {
    match text {
        "2048" => Ok(RsaSize::Bits2048),
        "3072" => Ok(RsaSize::Bits3072),
        "4096" => Ok(RsaSize::Bits4096),
        _ => Err("use 2048, 3072 or 4096"),
    }
}

/// Makes the key, writes the private part and prints the public one. It fails (exit status 1, told on standard
/// error) when flags do not fit together, the file exists already, or something cannot be written.
///
/// # Errors
/// When not even standard error can be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match make(args, &mut std::io::stdout().lock(), &mut std::io::stderr().lock()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            super::tell(&error, &mut std::io::stderr().lock())?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn make(args: &Args, out: &mut dyn Write, hints: &mut dyn Write) -> anyhow::Result<()> {
    anyhow::ensure!(args.bits.is_none() || args.key_type == KeyType::Rsa, "--bits is for --type rsa");
    anyhow::ensure!(!args.show || args.key_type == KeyType::Hmac, "--show is for --type hmac");
    let extension = if args.key_type == KeyType::Hmac { "toml" } else { "pem" };
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("latchkey-{}.{extension}", args.key_type)));
    // Before the key is made: a large one takes seconds, and the file would be refused after them.
    if path.symlink_metadata().is_ok() {
        return Err(private_file::PrivateFileError::Exists(path).into());
    }
    let signer = match args.key_type {
        KeyType::Hmac => return make_hmac(args, path, out, hints),
        KeyType::Ed25519 => Signer::generate_ed25519(&mut system_entropy),
        KeyType::Rsa => Signer::generate_rsa(args.bits.unwrap_or(RsaSize::Bits2048)).context("no RSA key was made")?,
    };
    let pem = signer.private_pem()?.context("the key has no private part")?;
    let public = signer.public_key().context("the key has no public part")?;
    private_file::write_new(&path, pem.expose())?;
    out.write_all(public.to_pem().as_bytes())?;
    writeln!(hints, "private key: {} (mode 0600)", path.display())?;
    writeln!(hints, "register the public key printed above")?;
    Ok(())
}

fn make_hmac(args: &Args, path: PathBuf, out: &mut dyn Write, hints: &mut dyn Write) -> anyhow::Result<()> {
    let api_key = generate_key_text(&mut system_entropy);
    let secret = SecretKey::generate(&mut system_entropy);
    let pair = Zeroizing::new(format!("api_key = \"{api_key}\"\nsecret_key = \"{}\"\n", secret.expose()));
    private_file::write_new(&path, &pair)?;
    if args.show {
        out.write_all(pair.as_bytes())?;
    } else {
        writeln!(out, "{api_key}")?;
    }
    writeln!(hints, "API key and secret: {} (mode 0600)", path.display())?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the command line is where randomness enters")]
pub(super) fn system_entropy(bytes: &mut [u8]) {
    // INVARIANT: a key made from missing randomness is worse than no key; nothing may go on.
    assert!(getrandom::fill(bytes).is_ok(), "the system's random source failed");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use latchkey_client::credentials::signer;
    use std::os::unix::fs::PermissionsExt as _;

    #[derive(clap::Parser)]
    struct Verb {
        #[command(flatten)]
        args: Args,
    }

    /// Runs with `words` and `--out`; gives standard output and the file's text.
    fn keygen(words: &str) -> Result<(String, String), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let words = format!("keygen {words} --out {}", path.display());
        let args = Verb::try_parse_from(words.split(' ')).map_err(|error| error.to_string())?.args;
        let (mut out, mut hints) = (Vec::new(), Vec::new());
        make(&args, &mut out, &mut hints).map_err(|error| error.to_string())?;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = make(&args, &mut out, &mut hints).unwrap_err().to_string();
        assert!(again.contains("is not overwritten"), "{again}");
        Ok((String::from_utf8(out).unwrap(), std::fs::read_to_string(&path).unwrap()))
    }

    #[test]
    fn a_pair_fits_together_and_the_private_half_is_not_printed() {
        for (words, key_type) in [("--type ed25519", KeyType::Ed25519), ("--type rsa", KeyType::Rsa)] {
            let (public, private) = keygen(words).unwrap();
            assert!(
                public.starts_with("-----BEGIN PUBLIC KEY-----\n") && public.ends_with("-----END PUBLIC KEY-----\n")
            );
            assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n"));
            let own = signer(key_type, &private).unwrap().public_key().unwrap();
            assert_eq!(own.to_pem(), public);
        }
    }

    #[test]
    fn an_hmac_secret_is_printed_only_when_asked_for() {
        let (printed, file) = keygen("--type hmac").unwrap();
        let secret = file.split('"').nth(3).unwrap();
        assert_eq!(secret.len(), 64);
        assert!(!printed.contains(secret) && file.contains(printed.trim()), "{printed}");
        let (printed, file) = keygen("--type hmac --show").unwrap();
        assert_eq!(printed, file);
    }

    #[test]
    fn flags_that_do_not_fit_are_refused() {
        assert!(keygen("--type ed25519 --bits 2048").unwrap_err().contains("--bits is for"));
        assert!(keygen("--type rsa --show").unwrap_err().contains("--show is for"));
        assert!(keygen("--type rsa --bits 1024").unwrap_err().contains("use 2048, 3072 or 4096"));
        assert!(keygen("--type ecdsa").unwrap_err().contains("use `hmac`, `rsa` or `ed25519`"));
    }
}
