//! The published signing examples, through the request builder, byte for byte.
//! Sources: REST API, "SIGNED request examples", 2026-07-21, and its edition before 2025-12-17 for the mixed one;
//! the Ed25519 key is the one of the FIX API page, its REST signatures were derived with it.
#![allow(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use latchkey_client::credentials::Credentials;
use latchkey_client::request::{Proof, Request, RequestBuilder};
use latchkey_client::transport::Wire;
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::catalog::Method;
use latchkey_protocol::params::RawParams;
use latchkey_protocol::{RecvWindow, Timestamp};

const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u";
const WIDE: &str = "１２３４５６";

fn hmac() -> Credentials {
    Credentials::parse(API_KEY, KeyType::Hmac, SECRET).unwrap()
}

fn seal(builder: RequestBuilder, credentials: &Credentials, timestamp_ms: i64) -> Wire {
    let request = builder.proof(Proof::Signed).build().unwrap();
    request.seal(Some(credentials), Timestamp::from_millis(timestamp_ms), None).unwrap()
}

fn limit_order(builder: RequestBuilder, symbol: &str) -> RequestBuilder {
    builder
        .param("symbol", symbol)
        .param("side", "BUY")
        .param("type", "LIMIT")
        .param("timeInForce", "GTC")
        .param("quantity", "1")
        .param("price", "0.1")
        .param("recvWindow", "5000")
}

const PAYLOAD: &str =
    "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";

#[test]
fn hmac_all_in_the_query() {
    let wire = seal(limit_order(Request::post("/api/v3/order"), "LTCBTC"), &hmac(), 1_499_827_319_559);
    let signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
    assert_eq!(wire.target, format!("/api/v3/order?symbol=LTCBTC&{PAYLOAD}&signature={signature}"));
    assert_eq!(wire.body, None);
    assert_eq!(wire.api_key.unwrap().as_str(), API_KEY);
}

#[test]
fn hmac_all_in_the_body() {
    let wire = seal(limit_order(Request::post("/api/v3/order").in_body(), "LTCBTC"), &hmac(), 1_499_827_319_559);
    let signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
    assert_eq!(wire.target, "/api/v3/order");
    assert_eq!(wire.body, Some(format!("symbol=LTCBTC&{PAYLOAD}&signature={signature}")));
}

#[test]
fn hmac_with_a_symbol_outside_ascii() {
    let wire = seal(limit_order(Request::post("/api/v3/order"), WIDE), &hmac(), 1_499_827_319_559);
    let symbol = "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96";
    let signature = "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3";
    assert_eq!(wire.target, format!("/api/v3/order?symbol={symbol}&{PAYLOAD}&signature={signature}"));
}

#[test]
fn hmac_mixed_has_no_separator_between_query_and_body() {
    let builder = Request::post("/api/v3/order")
        .query("symbol", "LTCBTC")
        .query("side", "BUY")
        .query("type", "LIMIT")
        .query("timeInForce", "GTC")
        .in_body()
        .param("quantity", "1")
        .param("price", "0.1")
        .param("recvWindow", "5000");
    let wire = seal(builder, &hmac(), 1_499_827_319_559);
    assert_eq!(wire.target, "/api/v3/order?symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC");
    let signature = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77";
    let body = format!("quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559&signature={signature}");
    assert_eq!(wire.body, Some(body));
}

#[test]
fn ed25519_is_percent_encoded_once() {
    let order = |symbol: &str| {
        Request::post("/api/v3/order")
            .param("symbol", symbol)
            .param("side", "SELL")
            .param("type", "LIMIT")
            .param("timeInForce", "GTC")
            .param("quantity", "1")
            .param("price", "0.2")
            .param("timestamp", "1668481559918")
            .param("recvWindow", "5000")
    };
    let credentials = Credentials::parse(API_KEY, KeyType::Ed25519, ED25519).unwrap();
    let plain = seal(order("BTCUSDT"), &credentials, 1);
    let signature = "inDT086KVIP8vgUfw5sV3VTkescWztiAGlf4x8FLKHM4NInsn0c1kYVLoGMO8cyjfR6vmTku2YQE0gtfVVlfCw%3D%3D";
    assert!(plain.target.ends_with(&format!("&timestamp=1668481559918&recvWindow=5000&signature={signature}")));
    let wide = seal(order(WIDE), &credentials, 1);
    let signature = "vECjNXSlVOz1DskXXQ866KhikKY8cxajBXKAU0COlYYemqEr45TXiRS%2FjNB3LyHHh48pu7z2S6pTFhmhWNRBBw%3D%3D";
    assert!(wide.target.ends_with(&format!("&signature={signature}")), "{}", wide.target);
}

#[test]
fn whatever_is_built_is_read_back_by_the_venues_parser() {
    let builder = Request::builder(Method::Put, "/sapi/v1/margin/apiKey/ip")
        .query("a", "=&%+ ~")
        .in_body()
        .param("ip", "1.2.3.4,2001:db8::1")
        .param("empty", "");
    let request = builder.proof(Proof::Signed).build().unwrap();
    let window = RecvWindow::parse("1500.25", 60_000).unwrap();
    let wire = request.seal(Some(&hmac()), Timestamp::from_millis(7), Some(window)).unwrap();
    let (query, body) = (wire.target.split_once('?').unwrap().1, wire.body.unwrap());
    let params = RawParams::split(query.as_bytes(), body.as_bytes()).unwrap();
    let read: Vec<_> = params.pairs().iter().map(|pair| (pair.name, pair.value)).collect();
    let wanted: [(&str, &[u8]); 5] = [
        ("a", b"%3D%26%25%2B%20~"),
        ("ip", b"1.2.3.4%2C2001%3Adb8%3A%3A1"),
        ("empty", b""),
        ("recvWindow", b"1500.250"),
        ("timestamp", b"7"),
    ];
    assert_eq!(read, wanted);
    let signature = String::from_utf8(params.signature().unwrap().to_vec()).unwrap();
    assert_eq!(hmac().signer().sign(params.payload()).unwrap(), signature);
}
