//! Every error row against the published lists, and how its text is filled.

use std::collections::BTreeSet;

use latchkey_protocol::Value;
use latchkey_protocol::catalog::Family;
use latchkey_protocol::code::{self, ErrorRow, Source};

/// `code status NAME text` of each row in the table.
fn table() -> BTreeSet<String> {
    let lines = include_str!("../testdata/codes.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn show(row: &ErrorRow) -> String {
    format!("{} {} {} {}", row.code, row.status, row.name, row.text)
}

#[test]
fn every_published_text_has_a_row_and_every_row_is_in_the_table() {
    let table = table();
    let rows: BTreeSet<String> =
        code::all().filter(|row| matches!(row.source, Source::Spot | Source::Sapi)).map(show).collect();
    assert_eq!(table.difference(&rows).collect::<Vec<_>>(), [""; 0], "published, without a row");
    assert_eq!(rows.difference(&table).collect::<Vec<_>>(), [""; 0], "a row that was never published");
    assert!(table.len() > 200, "the table was read");
}

#[test]
fn rows_are_distinct_and_well_formed() {
    let mut seen = BTreeSet::new();
    for row in code::all() {
        assert!(seen.insert(format!("{} {:?}", show(row), row.source)), "{row:?} twice");
        assert!(row.code < 0, "{row:?}");
        assert!((400..600).contains(&row.status), "{row:?}");
        assert!(row.name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'), "{row:?}");
        assert!(!row.text.is_empty() && row.text.trim() == row.text, "{row:?}");
        assert_eq!(row.text.matches('%').count(), row.text.matches("%s").count() + row.text.matches("5%").count());
    }
}

#[test]
fn rows_take_as_many_arguments_as_they_have_places() {
    for (row, arguments, message) in [
        (
            &code::TOO_MUCH_WEIGHT,
            &["6000", "1 MINUTE"][..],
            "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
        ),
        (
            &code::BANNED,
            &["1784641649500"],
            "Way too much request weight used; IP banned until 1784641649500. Please use WebSocket Streams for live updates to avoid bans.",
        ),
        (
            &code::TOO_MANY_ORDERS,
            &["50", "10 SECOND"],
            "Too many new orders; current limit is 50 orders per 10 SECOND.",
        ),
        (
            &code::ILLEGAL_CHARS_IN,
            &["symbol", "^[A-Z]$"],
            "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z]$'.",
        ),
        (&code::TOO_MANY_PARAMETERS_COUNTED, &["2", "3"], "Too many parameters; expected '2' and received '3'."),
        (
            &code::MANDATORY_PARAMETER,
            &["signature"],
            "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.",
        ),
        (
            &code::EITHER_PARAMETER,
            &["orderId", "origClientOrderId"],
            "Param 'orderId' or 'origClientOrderId' must be sent, but both were empty/null!",
        ),
        (
            &code::CANNOT_BE_GREATER,
            &["recvWindow", "60000"],
            "'recvWindow' contains unexpected value. Cannot be greater than 60000.",
        ),
        (
            &code::UNREAD_PARAMETERS,
            &["8", "9"],
            "Not all sent parameters were read; read '8' parameter(s) but was sent '9'.",
        ),
        (&code::MORE_THAN_HOURS, &["24"], "More than 24 hours between startTime and endTime."),
        (&code::FILTER_FAILURE, &["LOT_SIZE"], "Filter failure: LOT_SIZE"),
        (&code::SPECIAL_KEY_COOLDOWN, &["1784641649500"], "Special key mode is in cooldown until 1784641649500."),
        (&code::BAD_RECV_WINDOW, &["60000"], "recvWindow must be less than 60000"),
        (
            &code::NOT_AVAILABLE,
            &["GET /api/v3/ticker"],
            "This operation is not supported: 'GET /api/v3/ticker' is not available on this venue.",
        ),
        (&code::INSUFFICIENT_BALANCE, &[], "Account has insufficient balance for requested action."),
    ] {
        assert_eq!(row.text.matches("%s").count(), arguments.len(), "{row:?}");
        assert_eq!(row.with(arguments.iter().copied()).message(), message);
    }
}

#[test]
fn an_argument_is_never_a_template() {
    let error = code::ILLEGAL_CHARS_IN.with(["%s%s", "%n"]);
    assert_eq!(error.message(), "Illegal characters found in parameter '%s%s'; legal range is '%n'.");
    assert_eq!(code::EITHER_PARAMETER.plain().message(), "Param '' or '' must be sent, but both were empty/null!");
}

#[test]
fn the_body_is_code_message_and_data() {
    let mut error = code::CANCEL_REPLACE_FAILED.plain();
    let json = |value: &Value| {
        let mut out = Vec::new();
        value.write_json(latchkey_protocol::TimeUnit::Millisecond, &mut out);
        String::from_utf8(out).expect("JSON is text")
    };
    assert_eq!(json(&error.to_value()), r#"{"code":-2022,"msg":"Order cancel-replace failed."}"#);
    error.data = Some(Value::Object(vec![("cancelResult", Value::from("FAILURE".to_owned()))]));
    let expected = r#"{"code":-2022,"msg":"Order cancel-replace failed.","data":{"cancelResult":"FAILURE"}}"#;
    assert_eq!(json(&error.to_value()), expected);
}

/// The same failure has another number and status in another family, as seen in live answers.
#[test]
fn families_answer_in_their_own_numbers() {
    for (family, format, unknown, rejected) in [
        (Family::Api, (-2014, 401), (-2015, 401), (-2015, 401)),
        (Family::Sapi, (-2014, 401), (-2008, 400), (-2015, 400)),
        (Family::Futures, (-2014, 401), (-2015, 401), (-2015, 401)),
        (Family::Latchkey, (-2014, 401), (-2015, 401), (-2015, 401)),
    ] {
        let pair = |row: &ErrorRow| (row.code, row.status);
        assert_eq!(pair(family.bad_key_format()), format, "{family:?}");
        assert_eq!(pair(family.unknown_key()), unknown, "{family:?}");
        assert_eq!(pair(family.rejected_key()), rejected, "{family:?}");
    }
}

#[test]
fn on_api_an_unknown_key_and_an_unlisted_address_get_the_same_bytes() {
    assert_eq!(Family::Api.unknown_key(), Family::Api.rejected_key());
}

#[test]
fn statuses_follow_the_kind_of_failure() {
    for row in code::all() {
        match row.code {
            -1003 => assert!([418, 429].contains(&row.status), "{row:?}"),
            -1015 => assert_eq!(row.status, 429, "{row:?}"),
            -1001 | -1006 | -1007 => assert!(row.status >= 500, "an unknown outcome is never the caller's: {row:?}"),
            -1021 | -1022 | -1199..=-1100 | -2013..=-2010 | -3999..=-3000 => assert_eq!(row.status, 400, "{row:?}"),
            _ => {}
        }
    }
}
