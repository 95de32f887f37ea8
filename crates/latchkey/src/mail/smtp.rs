//! Letters by SMTP.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use latchkey_authority::account::Email;
use latchkey_console::ports::{Answer, Mail};
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use zeroize::Zeroizing;

use super::unavailable;
use crate::config::mail::{Mail as Settings, MailTls};

/// The longest that a letter may take to be accepted.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A mail server that takes letters.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// Takes the settings; nothing is connected yet.
    ///
    /// # Errors
    /// A sender that is none, or a file that cannot be read.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let from = settings.from.parse().context("`[mail] from` is neither an address nor `Name <address>`")?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port())
            .timeout(Some(TIMEOUT))
            .tls(tls(settings)?);
        if let (Some(user), Some(file)) = (&settings.user, &settings.password_file) {
            let text = fs::read_to_string(file).map(Zeroizing::new);
            let text = text.with_context(|| format!("the mail password `{}` cannot be read", file.display()))?;
            let password = text.trim_end_matches(['\r', '\n']).to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { transport: builder.build(), from })
    }

    fn letter(&self, to: &Email, subject: &str, text: &str) -> anyhow::Result<Message> {
        let letter = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.as_str().parse()?))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.to_owned())?;
        Ok(letter)
    }
}

fn tls(settings: &Settings) -> anyhow::Result<Tls> {
    if settings.tls == MailTls::None {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(settings.host.clone());
    parameters = match &settings.trusted_certificates {
        None => parameters.certificate_store(CertificateStore::WebpkiRoots),
        Some(file) => {
            let named = || format!("the certificates `{}` for mail cannot be used", file.display());
            let pem = fs::read(file).with_context(named)?;
            let trusted = Certificate::from_pem(&pem).with_context(named)?;
            parameters.certificate_store(CertificateStore::None).add_root_certificate(trusted)
        }
    };
    let parameters = parameters.build()?;
    Ok(match settings.tls {
        MailTls::Implicit => Tls::Wrapper(parameters),
        MailTls::Starttls | MailTls::None => Tls::Required(parameters),
    })
}

impl Mail for Smtp {
    fn send<'a>(&'a self, to: &'a Email, subject: &'a str, text: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let letter = self.letter(to, subject, text).map_err(unavailable)?;
            self.transport.send(letter).await.map(drop).map_err(unavailable)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn settings(port: u16, tls: &str) -> Settings {
        toml::from_str(&format!(
            "host = \"127.0.0.1\"\nport = {port}\ntls = \"{tls}\"\nfrom = \"Latchkey <keys@example.com>\""
        ))
        .unwrap()
    }

    /// A mail server that speaks plain text and takes one letter; gives what it was told.
    fn server() -> (u16, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let (mut out, mut heard) = (stream.try_clone().unwrap(), String::new());
            out.write_all(b"220 here\r\n").unwrap();
            let mut in_letter = false;
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                heard.push_str(&line);
                heard.push('\n');
                let answer: &[u8] = match line.as_str() {
                    "." => {
                        in_letter = false;
                        b"250 taken\r\n"
                    }
                    _ if in_letter => continue,
                    "DATA" => {
                        in_letter = true;
                        b"354 go on\r\n"
                    }
                    "QUIT" => return heard,
                    _ => b"250 fine\r\n",
                };
                if out.write_all(answer).is_err() {
                    return heard;
                }
            }
            heard
        });
        (port, told)
    }

    #[tokio::test]
    async fn a_letter_arrives_as_it_was_written() {
        let (port, told) = server();
        let smtp = Smtp::new(&settings(port, "none")).unwrap();
        let to = Email::parse("alice@example.com").unwrap();
        smtp.send(&to, "Your code", "12345678\nThe second line.").await.unwrap();
        drop(smtp);
        let told = told.join().unwrap();
        for line in [
            "MAIL FROM:<keys@example.com>",
            "RCPT TO:<alice@example.com>",
            "Subject: Your code",
            "12345678",
            "The second line.",
        ] {
            assert!(told.lines().any(|told| told == line), "{line}: {told}");
        }
    }

    #[tokio::test]
    async fn a_server_without_tls_gets_nothing() {
        let (port, told) = server();
        let smtp = Smtp::new(&settings(port, "starttls")).unwrap();
        let to = Email::parse("alice@example.com").unwrap();
        assert!(smtp.send(&to, "Your code", "12345678").await.is_err());
        drop(smtp);
        let told = told.join().unwrap();
        assert!(!told.contains("alice") && !told.contains("12345678"), "{told}");
    }

    #[test]
    fn a_line_break_in_a_subject_starts_no_header() {
        let smtp = Smtp::new(&settings(25, "none")).unwrap();
        let to = Email::parse("alice@example.com").unwrap();
        let letter = smtp.letter(&to, "Code\r\nBcc: eve@example.com", "text").unwrap().formatted();
        let letter = String::from_utf8(letter).unwrap();
        assert!(!letter.lines().any(|line| line.starts_with("Bcc")), "{letter}");
    }

    #[test]
    fn a_sender_that_is_none_is_refused() {
        let mut wrong = settings(25, "none");
        wrong.from = "nobody".into();
        assert!(Smtp::new(&wrong).is_err());
    }
}
