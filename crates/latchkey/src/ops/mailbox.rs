//! The demo's mailbox: letters and text messages, for programs and for people.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Ops;
use super::operator::{Scope, find};
use super::problem::Problem;
use crate::mail::mailbox::Message;

/// `GET /ops/v1/mailbox`: the newest first.
pub(crate) async fn list(State(ops): State<Ops>) -> Result<Json<Value>, Problem> {
    let messages: Vec<Value> = messages(&ops)?
        .iter()
        .map(|message| {
            json!({
                "at": message.at.as_millis(),
                "channel": message.channel.as_str(),
                "to": message.to.as_str(),
                "subject": message.subject,
                "text": message.text,
            })
        })
        .collect();
    Ok(Json(json!({ "messages": messages })))
}

/// `GET /mailbox`: the same as a page.
pub(crate) async fn page(State(ops): State<Ops>) -> Result<Response, Problem> {
    const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
    let mut html = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Mailbox</title></head><body>\n\
         <h1>Mailbox of the demo</h1>\n",
    );
    let messages = messages(&ops)?;
    if messages.is_empty() {
        html.push_str("<p>Nothing was sent yet.</p>\n");
    }
    for message in &messages {
        let [to, subject, text] = [message.to.as_str(), &message.subject, &message.text].map(escape);
        html.push_str(&format!(
            "<article><h2>{subject}</h2><p>{} to {to}</p><pre>{text}</pre></article>\n",
            message.channel.as_str()
        ));
    }
    html.push_str("</body></html>\n");
    Ok(([(CONTENT_TYPE, HTML)], html).into_response())
}

fn messages(ops: &Ops) -> Result<Vec<Message>, Problem> {
    ops.mailbox.as_ref().map(|mailbox| mailbox.messages()).ok_or_else(|| Problem::not_found("mailbox"))
}

/// A browser shows the token as the password that it asks for; the user's name does not matter. This is for the page
/// alone, which reads and changes nothing.
pub(crate) async fn ask(State(ops): State<Ops>, request: Request, next: Next) -> Response {
    let found = match token(request.headers()) {
        None => Ok(None),
        Some(token) => find(&ops, &token).await,
    };
    match found {
        Ok(Some(operator)) if operator.scopes.contains(&Scope::Venue) => next.run(request).await,
        Ok(_) => {
            let ask = HeaderValue::from_static("Basic realm=\"operator's token as password\", charset=\"UTF-8\"");
            (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, ask)], "an operator's token is needed\n").into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

fn token(headers: &HeaderMap) -> Option<zeroize::Zeroizing<String>> {
    let encoded = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = zeroize::Zeroizing::new(String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?);
    pair.split_once(':').map(|(_, password)| zeroize::Zeroizing::new(password.to_owned()))
}

/// Makes a text inert in HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_browser_is_the_token() {
        let given = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, line.parse().unwrap());
            token(&headers).map(|token| token.to_string())
        };
        assert_eq!(given("Basic b3A6YTpi").as_deref(), Some("a:b"));
        for wrong in ["Basic", "Basic !", "Basic b3A=", "Bearer b3A6YTpi"] {
            assert_eq!(given(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_was_written_starts_no_markup() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
