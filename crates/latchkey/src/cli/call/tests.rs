use super::*;
use clap::Parser as _;
use core::time::Duration;
use std::io::Read as _;
use std::net::TcpListener;
use std::thread::JoinHandle;

#[derive(clap::Parser)]
struct Verb {
    #[command(flatten)]
    args: Args,
}

struct Ended {
    exit: u8,
    out: String,
    notes: String,
}

fn run_with(words: &[&str]) -> Ended {
    let args = Verb::try_parse_from(std::iter::once(&"call").chain(words)).unwrap().args;
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let exit = call(&args, &mut out, &mut notes).unwrap();
    Ended { exit, out: String::from_utf8(out).unwrap(), notes: String::from_utf8(notes).unwrap() }
}

/// A server that answers the given statuses, headers and bodies, one connection each; it returns what was asked.
fn serve(answers: Vec<(u16, &'static str, &'static str)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for (status, headers, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            asked.push(String::from_utf8(request).unwrap());
            // Status 0: the connection is lost.
            if status != 0 {
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
                stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        }
        asked
    });
    (url, server)
}

const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

fn credentials_file() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials.json");
    let text = format!(
        r#"[{{"account":"a@example.com","label":"bot","type":"hmac","apiKey":"{API_KEY}","secretKey":"{SECRET}"}}]"#
    );
    super::super::private_file::write_new(&path, &text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn an_answer_is_printed_and_ends_with_zero() {
    let (url, server) =
        serve(vec![(200, "X-MBX-UUID: u-1\r\nX-MBX-USED-WEIGHT-1M: 5\r\nDate: now\r\n", r#"{"b":1,"a":"2.50"}"#)]);
    let ended = run_with(&["--base-url", &url, "get", "/api/v3/depth", "symbol=１２", "limit=5"]);
    assert_eq!((ended.exit, ended.out.as_str()), (0, "{\n  \"b\": 1,\n  \"a\": \"2.50\"\n}\n"));
    assert_eq!(ended.notes, "status: 200\nx-mbx-uuid: u-1\nx-mbx-used-weight-1m: 5\n");
    let asked = server.join().unwrap();
    assert!(asked[0].starts_with("GET /api/v3/depth?symbol=%EF%BC%91%EF%BC%92&limit=5 HTTP/1.1\r\n"), "{}", asked[0]);
}

#[test]
fn a_signed_call_carries_key_and_signature() {
    let (_folder, path) = credentials_file();
    let (url, server) = serve(vec![(200, "", "{}")]);
    let words = ["--base-url", &url, "--credentials", &path, "--key", "bot", "GET", "/backend/own", "recvWindow=60000"];
    assert_eq!(run_with(&words).exit, 0);
    let asked = server.join().unwrap().remove(0);
    assert!(asked.starts_with("GET /backend/own?recvWindow=60000&timestamp="), "{asked}");
    assert!(asked.contains("&signature=") && asked.contains(API_KEY) && !asked.contains(SECRET), "{asked}");
}

#[test]
fn a_refusal_is_told_and_ends_with_one() {
    let (url, server) = serve(vec![(400, "", "{\"code\":-1121,\"msg\":\"Invalid \\u001b[31msymbol.\"}")]);
    let ended = run_with(&["--base-url", &url, "--unsigned", "POST", "/api/v3/order"]);
    assert_eq!(ended.exit, 1);
    assert_eq!(ended.notes, "status: 400\nrefused: -1121 Invalid \\u{1b}[31msymbol. (status 400)\n");
    server.join().unwrap();
}

#[test]
fn a_lost_change_ends_with_three() {
    let (url, server) = serve(vec![(0, "", "")]);
    let ended = run_with(&["--base-url", &url, "--unsigned", "POST", "/backend/change", "a=1"]);
    assert_eq!((ended.exit, ended.out.as_str()), (3, ""));
    assert!(
        ended.notes.starts_with("outcome unknown: no answer") && ended.notes.contains("look before"),
        "{}",
        ended.notes
    );
    server.join().unwrap();
}

#[test]
fn a_lost_order_is_found() {
    let (_folder, path) = credentials_file();
    let (url, server) = serve(vec![(0, "", ""), (200, "", r#"{"status":"NEW"}"#)]);
    let words = ["--base-url", &url, "--credentials", &path, "--json", "POST", "/api/v3/order", "symbol=BTCUSDT"];
    let ended = run_with(&words);
    let wanted = r#"{"outcome":"answered","status":200,"foundByQuery":true,"headers":{},"body":{"status":"NEW"}}"#;
    assert_eq!((ended.exit, ended.out.trim(), ended.notes.as_str()), (0, wanted, ""));
    let asked = server.join().unwrap();
    assert!(asked[0].starts_with("POST /api/v3/order?symbol=BTCUSDT&newClientOrderId=lk-"));
    assert!(asked[1].starts_with("GET /api/v3/order?symbol=BTCUSDT&origClientOrderId=lk-"));
}

#[test]
fn json_has_everything_on_one_line() {
    let body = "{ \"code\": -2015,\n \"msg\": \"No.\" }";
    let (url, server) = serve(vec![(401, "X-MBX-UUID: u-2\r\n", body)]);
    let ended = run_with(&["--base-url", &url, "--json", "--unsigned", "GET", "/a"]);
    let wanted = r#"{"outcome":"refused","status":401,"code":-2015,"message":"No.","requestId":"u-2","headers":{"x-mbx-uuid":"u-2"},"body":{"code":-2015,"msg":"No."}}"#;
    assert_eq!((ended.exit, ended.out.as_str(), ended.notes.as_str()), (1, format!("{wanted}\n").as_str(), ""));
    server.join().unwrap();
}

#[test]
fn nobody_listening_is_told_at_once() {
    let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let url = format!("http://{address}");
    let ended = run_with(&["--base-url", &url, "--unsigned", "GET", "/a"]);
    assert_eq!(ended.exit, 1);
    assert!(ended.notes.starts_with("error: the request was not sent: no connection: "), "{}", ended.notes);
}

#[test]
fn wrong_usage_ends_with_two() {
    let (_folder, path) = credentials_file();
    for (words, text) in [
        (["--base-url", "http://example.com", "GET", "/a", "b=1"], "use `https`"),
        (["--unsigned", "GET", "a", "b=1", "c=1"], "the path must start with `/`"),
        (["--unsigned", "--body", "GET", "/a", "b=1"], "in the query"),
        (["--unsigned", "GET", "/a", "b=1", "b=2"], "given twice"),
        (["--unsigned", "GET", "/a", "b=1", "signature=2"], "`signature` cannot be given"),
        (["--credentials", "/no/such/file", "GET", "/a", "b=1"], "cannot read"),
        (["--credentials", &path, "--key=none", "GET", "/a"], "there is no such key"),
    ] {
        let ended = run_with(&words);
        assert_eq!(ended.exit, 2, "{words:?}");
        assert!(ended.notes.contains(text), "{}", ended.notes);
    }
    for words in
        [["call", "GET", "/a", "b"], ["call", "FETCH", "/a", "b=1"], ["call", "--profile=a", "--credentials=b", "GET"]]
    {
        assert!(Verb::try_parse_from(words).is_err(), "{words:?}");
    }
}
