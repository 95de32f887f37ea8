//! From text to typed argument: one case a line in `testdata/arguments.txt`.
#![expect(clippy::expect_used, reason = "the tables of a test are well formed")]

use latchkey_protocol::catalog::{Argument, Arguments, Kind, Param};
use latchkey_protocol::code;
use proptest::prelude::*;

static PARAMS: &[Param] = &[
    Param::must("symbol", Kind::Symbol),
    Param::must("symbols", Kind::Symbols),
    Param::must("csv", Kind::SymbolCsv),
    Param::must("asset", Kind::Asset),
    Param::must("price", Kind::Decimal),
    Param::must("count", Kind::Int { min: 0, max: 100 }),
    Param::must("orderId", Kind::Int { min: 0, max: i64::MAX }),
    Param::must("strategyType", Kind::AtLeast { min: 1_000_000, error: &code::BAD_STRATEGY_TYPE }),
    Param::must("limit", Kind::Limit { max: 1000 }),
    Param::must("startTime", Kind::Time),
    Param::must("timeZone", Kind::TimeZone),
    Param::must("flag", Kind::Bool),
    Param::must("side", Kind::Choice { values: &["BUY", "SELL"], error: &code::INVALID_SIDE }),
    Param::must("mode", Kind::Choice { values: &["TRADE", "READ"], error: &code::INVALID_PARAMETER }),
    Param::must("newClientOrderId", Kind::ClientOrderId),
    Param::must("apiName", Kind::Text { max: 60 }),
    Param::must("publicKey", Kind::Pem),
];

/// `\n`, `\r`, `\t`, `\0`, `\x7f` and `\\`; `<A*21>` stands for twenty-one times `A`.
fn unescape(cell: &str) -> String {
    let mut text = String::new();
    let mut rest = cell;
    while let Some(next) = rest.chars().next() {
        let repeated = rest.strip_prefix('<').and_then(|tail| tail.split_once('>'));
        if let Some((repetition, tail)) = repeated {
            let (what, times) = repetition.split_once('*').expect("<what*times>");
            text.push_str(&what.repeat(times.parse().expect("a number")));
            rest = tail;
            continue;
        }
        let escapes = [("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\\0", "\0"), ("\\x7f", "\x7f"), ("\\\\", "\\")];
        let escaped = escapes.iter().find(|(escape, _)| rest.starts_with(escape));
        match escaped {
            Some((escape, plain)) => {
                text.push_str(plain);
                rest = &rest[escape.len()..];
            }
            None => {
                text.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    text
}

fn show(argument: &Argument) -> String {
    match argument {
        Argument::Symbol(symbol) => symbol.to_string(),
        Argument::Symbols(symbols) => symbols.iter().map(ToString::to_string).collect::<Vec<_>>().join("+"),
        Argument::Asset(asset) => asset.to_string(),
        Argument::Decimal(amount) => amount.to_string(),
        Argument::Int(value) => value.to_string(),
        Argument::Time(time) => time.as_micros().to_string(),
        Argument::Bool(value) => value.to_string(),
        Argument::Choice(value) => (*value).to_owned(),
        Argument::Text(text) => text.to_string(),
    }
}

#[test]
fn every_kind_reads_its_table() {
    let mut cases = 0;
    for line in include_str!("../testdata/arguments.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [name, text, expected] = cells[..] else { panic!("three cells: {line}") };
        let param = PARAMS.iter().find(|param| param.name == name).expect(line);
        let actual = match param.parse(&unescape(text)) {
            Ok(argument) => format!("= {}", show(&argument)),
            Err(error) => format!("{} {}", error.row.code, error.message()),
        };
        // A row may name the number alone.
        let shortened = actual.split(' ').next().unwrap_or_default();
        let expected = if expected.starts_with('=') { unescape(expected) } else { expected.to_owned() };
        assert!(actual.trim_end_matches(' ') == expected || shortened == expected, "{line}\n  got `{actual}`");
        cases += 1;
    }
    assert!(cases > 130, "the table was read");
}

#[test]
fn arguments_are_found_by_name_and_kind() {
    let mut arguments = Arguments::default();
    for (name, text) in [("symbol", "BTCUSDT"), ("price", "1.5"), ("flag", "TRUE"), ("side", "SELL")] {
        let param = PARAMS.iter().find(|param| param.name == name).expect("a parameter");
        arguments.push(param.name, param.parse(text).expect("an argument"));
    }
    assert_eq!(arguments.symbol("symbol").map(|symbol| symbol.to_string()).as_deref(), Some("BTCUSDT"));
    assert_eq!(arguments.bool("flag"), Some(true));
    assert_eq!(arguments.choice("side"), Some("SELL"));
    assert_eq!(arguments.int("price"), None, "a decimal is not a whole number");
    assert_eq!(arguments.text("absent"), None);
    assert_eq!(arguments.names().collect::<Vec<_>>(), ["symbol", "price", "flag", "side"]);
}

proptest! {
    #[test]
    fn no_text_makes_a_kind_panic_and_no_error_echoes_it(text in "\\PC{0,80}|[\\x00-\\x7f]{0,80}") {
        for param in PARAMS {
            if let Err(error) = param.parse(&text) {
                prop_assert_eq!(error.row.status, 400);
                let echoes = text.len() > 12 && error.message().contains(&text);
                prop_assert!(!echoes, "a caller's text in an error");
            }
        }
    }
}
