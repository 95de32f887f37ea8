//! The page that greets a visitor.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};

use crate::Settings;
use crate::problem::ROWS;

/// A page and its type.
type Page = ([(HeaderName, HeaderValue); 1], String);

/// The style sheet of all pages.
pub(crate) const STYLE: ([(HeaderName, HeaderValue); 1], &str) = (
    [(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))],
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#1c2024;background:#fcfcfd}\
     code{background:#eef0f2;padding:.1em .3em;border-radius:4px}h1{letter-spacing:-.02em}\
     @media(prefers-color-scheme:dark){body{color:#edeef0;background:#111113}code{background:#26282b}}\n",
);

/// The landing page: what this is, and where programs connect.
pub(crate) fn landing(settings: &Settings) -> Page {
    let api = escape(&settings.api);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Latchkey</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/style.css\"></head><body><main>\
         <h1>Latchkey</h1>\
         <p>This server issues API keys and checks every request that is signed with one.</p>\
         <p>Programs connect to <code>{api}</code>. From a terminal: <code>latchkey call GET /api/v3/time --base-url {api}</code>.</p>\
         <p>Accounts and keys are managed by the API under <code>/v1</code>; <a href=\"/v1/openapi.json\">its description</a> \
         is for programs, its errors are explained <a href=\"/docs/errors\">here</a>. This page reads nothing.</p>\
         </main></body></html>\n"
    );
    ([(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], html)
}

/// What every problem of the management API means: where their `type` leads to.
pub(crate) fn errors() -> Page {
    let mut rows = String::new();
    for row in ROWS {
        let (name, status, title) = (row.name, row.status, escape(row.title));
        rows.push_str(&format!("<tr id=\"{name}\"><td><code>{name}</code></td><td>{status}</td><td>{title}</td></tr>"));
    }
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Errors of the management API</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/style.css\"></head><body><main>\
         <h1>Errors of the management API</h1>\
         <p>Every error is a problem document (RFC 9457); its <code>type</code> leads to a line of this table, its \
         <code>detail</code> says what happened.</p>\
         <table><thead><tr><th>name</th><th>status</th><th>meaning</th></tr></thead><tbody>{rows}</tbody></table>\
         </main></body></html>\n"
    );
    ([(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], html)
}

/// Makes a text inert in HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_pages_stand_apart() {
        let settings = Settings { origin: String::new(), api: String::new() };
        for (_, html) in [landing(&settings), errors()] {
            for mark in ["</a>", "</code>"] {
                for after in html.split(mark).skip(1) {
                    assert!(!after.starts_with(char::is_alphanumeric), "{mark}{}", after.split(' ').next().unwrap());
                }
            }
            for mark in ["<a ", "<code>"] {
                for part in html.split(mark) {
                    assert!(part.is_empty() || !part.ends_with(char::is_alphanumeric), "{part}{mark}");
                }
            }
        }
    }
}
