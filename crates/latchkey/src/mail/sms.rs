//! Text messages by an operator's program.

use std::process::Stdio;

use anyhow::{Context, bail};
use latchkey_authority::account::Email;
use latchkey_console::ports::{Answer, Sms};
use latchkey_protocol::AccountId;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::unavailable;
use crate::config::mail::Sms as Settings;

/// A program that sends. It is run without a shell, and what to send stands on its standard input: arguments can be
/// seen by other users of the machine.
pub struct SmsCommand(Settings);

impl SmsCommand {
    /// The program of the configuration.
    pub const fn new(settings: Settings) -> Self {
        Self(settings)
    }

    async fn run(&self, line: &str) -> anyhow::Result<()> {
        let (program, arguments) = self.0.command.split_first().context("no program is named")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run `{program}`"))?;
        let stdin = child.stdin.take();
        let done = async {
            if let Some(mut stdin) = stdin {
                // A program that reads nothing may still send.
                stdin.write_all(line.as_bytes()).await.ok();
            }
            child.wait().await
        };
        match tokio::time::timeout(self.0.timeout(), done).await {
            Err(_) => bail!("`{program}` did not end within {} s", self.0.timeout().as_secs()),
            Ok(status) => {
                let status = status?;
                anyhow::ensure!(status.success(), "`{program}` ended with {status}");
                Ok(())
            }
        }
    }
}

impl Sms for SmsCommand {
    fn send<'a>(&'a self, account: AccountId, email: &'a Email, text: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let line = serde_json::json!({ "uid": account.0, "email": email.as_str(), "text": text });
            self.run(&format!("{line}\n")).await.map_err(unavailable)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str], timeout: u8) -> SmsCommand {
        let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
        let text = format!("command = [{}]\ntimeout_seconds = {timeout}", words.join(","));
        SmsCommand::new(toml::from_str(&text).unwrap())
    }

    async fn send(command: &SmsCommand) -> Result<(), String> {
        let to = Email::parse("alice@example.com").unwrap();
        let sent = command.send(AccountId(7), &to, "code $HOME 12345678").await;
        sent.map_err(|error| error.0.to_string())
    }

    #[tokio::test]
    async fn the_message_stands_on_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out");
        let copy = command(&["tee", file.to_str().unwrap()], 20);
        send(&copy).await.unwrap();
        let line: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(line, serde_json::json!({ "uid": 7, "email": "alice@example.com", "text": "code $HOME 12345678" }));
    }

    #[tokio::test]
    async fn failures_are_told() {
        assert!(send(&command(&["false"], 20)).await.unwrap_err().contains("exit status: 1"));
        assert!(send(&command(&["/no/such/program"], 20)).await.unwrap_err().contains("cannot run"));
        assert!(send(&command(&["sleep", "30"], 0)).await.unwrap_err().contains("did not end"));
        send(&command(&["true"], 20)).await.unwrap();
    }
}
