use std::time::Duration;

use crate::server::{Server, instant};
use crate::template::Values;
use crate::wire::{Answer, Wire, get};
use crate::world::{house, trader};

const TABLE: &str = include_str!("../../testdata/bad_input.txt");
const SMUGGLING: &str = include_str!("../../testdata/smuggling.txt");

/// No row may keep a connection busy for longer, the slow ones aside.
const LONGEST: Duration = Duration::from_secs(5);

/// What stands behind every row. Answered with the time, which no row asks for rightly, so that a request that
/// was smuggled in cannot pass for it.
const MARKER: &str = "GET /api/v3/time HTTP/1.1\\r\\n{H}Connection: close\\r\\n\\r\\n";

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    /// The request behind is answered.
    Keep,
    /// It is not.
    Close,
    /// Nothing follows: the caller ends in the middle of its request.
    Short,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    /// Status and code; none: closed without an answer.
    answer: Option<(u16, Option<i64>)>,
    fate: Fate,
    head_only: bool,
    request: String,
}

fn rows(table: &'static str) -> Vec<Row> {
    table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(row).collect()
}

fn row(line: &'static str) -> Row {
    let mut columns = line.splitn(4, '|');
    let mut column = || columns.next().unwrap_or_else(|| panic!("a column is missing in {line}"));
    let (name, answer, kind) = (column().trim(), column().trim(), column().trim());
    // One space separates; what follows belongs to the request.
    let request = column();
    let request = request.strip_prefix(' ').unwrap_or(request);
    let (answer, fate) = match answer.split_whitespace().collect::<Vec<_>>()[..] {
        ["closed"] => (None, Fate::Close),
        [status, code, fate] => {
            let code = (code != "-").then(|| code.parse().unwrap_or_else(|_| panic!("no code in {line}")));
            let fate = match fate {
                "keep" => Fate::Keep,
                "close" => Fate::Close,
                "short" => Fate::Short,
                _ => panic!("no fate in {line}"),
            };
            (Some((status.parse().expect("a status"), code)), fate)
        }
        _ => panic!("no answer in {line}"),
    };
    let request = match kind {
        "raw" | "head" => request.to_owned(),
        "get" => format!("GET {request}{{v}}{{H}}\\r\\n"),
        "key" => with_key(request, false),
        "signed" => with_key(request, true),
        _ => panic!("no kind in {line}"),
    };
    Row { name, answer, fate, head_only: kind == "head", request }
}

fn with_key(request: &str, sign: bool) -> String {
    let mut words = request.splitn(3, ' ');
    let (method, mut target) = (words.next().expect("a method"), words.next().expect("a target").to_owned());
    let mut body = words.next().unwrap_or_default().to_owned();
    if sign {
        let part = if body.is_empty() || method == "GET" { &mut target } else { &mut body };
        let joint = if part.contains('?') || part.contains('=') { '&' } else { '?' };
        part.push(joint);
        part.push_str("timestamp={ts}&signature={sig}");
    }
    format!(
        "{method} {target}{{v}}{{H}}{{K}}Content-Type: application/x-www-form-urlencoded\\r\\n\
         Content-Length: {{len}}\\r\\n\\r\\n{body}"
    )
}

/// Sends one row with the marker behind it; tells what is not as it should be.
fn check(server: &Server, row: &Row) -> Result<(), String> {
    let key = trader();
    let values = Values { host: server.api, key: &key };
    let started = instant();
    let mut wire = Wire::open(server.api);
    let mut bytes = values.fill(&row.request);
    if row.fate != Fate::Short {
        bytes.extend(values.fill(MARKER));
    }
    // A server that closed in the meantime takes no more; what it said is judged.
    wire.send(&bytes);
    if row.fate == Fate::Short {
        wire.end();
    }
    if row.head_only {
        wire.expect_head();
    }
    let answers = wire.all();
    let took = started.elapsed();
    let heard = || answers.iter().map(told).collect::<Vec<_>>().join(", then ");
    if let Some(fault) = answers.iter().find(|answer| answer.status >= 500) {
        return Err(format!("a fault of the server: {}", told(fault)));
    }
    if took > LONGEST {
        return Err(format!("took {took:?}"));
    }
    let first = answers.first().map(|answer| (answer.status, answer.code()));
    if first != row.answer {
        return Err(format!("answered {}, not {:?}", heard(), row.answer));
    }
    let behind = answers.get(1..).unwrap_or_default();
    let marked = behind.len() == 1 && behind[0].status == 200 && behind[0].json().get("serverTime").is_some();
    if marked != (row.fate == Fate::Keep) || !marked && !behind.is_empty() {
        return Err(format!("answered {}", heard()));
    }
    let alive = get(server.api, "/api/v3/ping", "");
    if alive.status != 200 {
        return Err(format!("the server is not well: {}", told(&alive)));
    }
    Ok(())
}

fn told(answer: &Answer) -> String {
    format!("{} {:?}", answer.status, answer.text())
}

#[test]
fn every_malformed_request_is_refused_as_the_table_says() {
    check_all(TABLE, 150);
}

#[test]
fn no_request_is_smuggled_behind_another() {
    check_all(SMUGGLING, 200);
}

fn check_all(table: &'static str, fewest: usize) {
    let house = house();
    let rows = rows(table);
    assert!(rows.len() >= fewest, "{} rows", rows.len());
    let wrong: Vec<_> = rows
        .iter()
        .filter_map(|row| check(&house.server, row).err().map(|why| format!("{}: {why}", row.name)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    let log = house.server.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_caller_that_trickles_its_body_is_cut_off() {
    let house = house();
    let key = trader();
    let values = Values { host: house.server.api, key: &key };
    let started = instant();
    let mut wire = Wire::open(house.server.api);
    wire.send(&values.fill("POST /api/v3/order{v}{H}{K}Content-Length: 6000\\r\\n\\r\\na="));
    let cut = loop {
        if let Some(answer) = wire.answer_or_silence(Duration::from_millis(250)) {
            break answer;
        }
        wire.send(b"b");
        assert!(started.elapsed() < Duration::from_secs(14), "still listening after {:?}", started.elapsed());
    };
    let answer = cut.expect("an answer before the end");
    assert_eq!((answer.status, answer.code()), (408, Some(-1000)), "{}", answer.text());
    assert_eq!(get(house.server.api, "/api/v3/ping", "").status, 200);
}
