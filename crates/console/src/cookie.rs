//! The two cookies of a session: the session itself, which scripts cannot read, and its CSRF token, which they can.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use crate::token::Token;

/// The session, as the document names it; over http the prefix is left out, because browsers refuse it there.
pub(crate) const SESSION: &str = "__Host-latchkey";
const CSRF: &str = "__Host-latchkey-csrf";
/// The header that repeats the CSRF token.
pub(crate) const CSRF_HEADER: &str = "x-latchkey-csrf";

/// How cookies of this origin are named and bounded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cookies {
    secure: bool,
}

impl Cookies {
    /// For pages at `origin`.
    pub(crate) fn of(origin: &str) -> Self {
        Self { secure: origin.starts_with("https://") }
    }

    fn name(self, name: &'static str) -> &'static str {
        if self.secure { name } else { name.trim_start_matches("__Host-") }
    }

    /// The session token that a browser sent. Two of them are none.
    pub(crate) fn session(self, headers: &HeaderMap) -> Option<Token> {
        let name = self.name(SESSION);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut values = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        });
        let value = values.next()?;
        if values.next().is_some() { None } else { Token::parse(value) }
    }

    /// Sets both cookies until the session's end.
    pub(crate) fn set(self, session: &Token, csrf: &str, max_age_s: i64) -> Vec<HeaderValue> {
        let bounds = if self.secure { "; Secure" } else { "" };
        let (first, second) = (self.name(SESSION), self.name(CSRF));
        let token = session.expose();
        [
            format!("{first}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{bounds}"),
            format!("{second}={csrf}; Path=/; Max-Age={max_age_s}; SameSite=Strict{bounds}"),
        ]
        .into_iter()
        .filter_map(|text| HeaderValue::try_from(text).ok())
        .collect()
    }

    /// Removes both.
    pub(crate) fn clear(self) -> Vec<HeaderValue> {
        let bounds = if self.secure { "; Secure" } else { "" };
        [self.name(SESSION), self.name(CSRF)]
            .into_iter()
            .filter_map(|name| {
                HeaderValue::try_from(format!("{name}=; Path=/; Max-Age=0; SameSite=Strict{bounds}")).ok()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn one_session_cookie_is_read_and_two_are_none() {
        let (one, two) = ("a".repeat(64), "b".repeat(64));
        let https = Cookies::of("https://keys.example.com");
        let read = |lines: &[&str]| https.session(&headers(lines)).map(|token| token.expose().to_owned());
        assert_eq!(read(&[&format!("x=1; __Host-latchkey={one}; y=2")]), Some(one.clone()));
        assert_eq!(read(&[&format!("latchkey={one}")]), None, "a name without the prefix may come from a sibling");
        assert_eq!(read(&[&format!("__Host-latchkey={one}"), &format!("__Host-latchkey={two}")]), None);
        let http = Cookies::of("http://localhost:8601");
        assert!(http.session(&headers(&[&format!("latchkey={one}")])).is_some());
    }

    #[test]
    fn the_session_is_out_of_reach_of_scripts_and_other_sites() {
        let token = Token::parse(&"a".repeat(64)).unwrap();
        let texts: Vec<String> = Cookies::of("https://keys.example.com")
            .set(&token, "c", 60)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        assert!(
            texts[0].starts_with("__Host-latchkey=aaa") && texts[0].contains("; HttpOnly; SameSite=Strict; Secure")
        );
        assert!(texts[0].contains("; Path=/") && !texts[0].contains("Domain"));
        assert!(texts[1].contains("SameSite=Strict; Secure") && !texts[1].contains("HttpOnly"));
    }
}
