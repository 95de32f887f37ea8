//! The signing examples of the published contract, byte for byte.
//! Sources: REST API, WebSocket API and FIX API documentation, request security; the Ed25519 rows
//! beyond the FIX logon are derived with its published key.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::sign::Signer;
use latchkey_crypto::verify::{BadSignature, Verifier};

const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u";
const PUBLIC: &str = "MCowBQYDK2VwAyEAGUIKv9dSpWXBViXp2m6vAIb8QMFJYBgyFEQsFJlqgA0=";

macro_rules! hmac_key {
    () => {
        "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
    };
}
macro_rules! ed25519_key {
    () => {
        "apiKey=4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO"
    };
}
macro_rules! encoded_symbol {
    () => {
        "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96"
    };
}
macro_rules! ws_order {
    () => {
        "&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC\
         &timestamp=1645423376532&type=LIMIT"
    };
}
macro_rules! ws_wide_order {
    () => {
        "&price=0.10000000&quantity=1.00000000&recvWindow=5000&side=BUY&symbol=１２３４５６&timeInForce=GTC\
         &timestamp=1645423376532&type=LIMIT"
    };
}
macro_rules! rest_order {
    () => {
        "&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
    };
}
macro_rules! rest_sale {
    () => {
        "&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918&recvWindow=5000"
    };
}

/// Name, payload, signature.
type Row = (&'static str, &'static str, &'static str);

const HMAC: [Row; 7] = [
    (
        "REST, in query or body",
        concat!("symbol=LTCBTC", rest_order!()),
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        "REST, non-ASCII symbol",
        concat!(encoded_symbol!(), rest_order!()),
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
    (
        "REST, query and body",
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=0.1&recvWindow=5000\
         &timestamp=1499827319559",
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
    ),
    (
        "WebSocket order.place",
        concat!(hmac_key!(), ws_order!()),
        "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
    ),
    (
        "WebSocket, raw UTF-8",
        concat!(hmac_key!(), ws_wide_order!()),
        "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
    ),
    (
        "WebSocket, with newOrderRespType",
        concat!(hmac_key!(), "&newOrderRespType=ACK", ws_order!()),
        "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a",
    ),
    (
        "WebSocket session.logon",
        concat!(hmac_key!(), "&timestamp=1649729878532"),
        "1cf54395b336b0a9727ef27d5d98987962bc47aca6e13fe978612d0adee066ed",
    ),
];

const ED25519: [Row; 5] = [
    (
        "FIX logon",
        "A\x01EXAMPLE\x01SPOT\x011\x0120240627-11:17:25.223",
        "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA==",
    ),
    (
        "REST",
        concat!("symbol=BTCUSDT", rest_sale!()),
        "inDT086KVIP8vgUfw5sV3VTkescWztiAGlf4x8FLKHM4NInsn0c1kYVLoGMO8cyjfR6vmTku2YQE0gtfVVlfCw==",
    ),
    (
        "REST, non-ASCII symbol",
        concat!(encoded_symbol!(), rest_sale!()),
        "vECjNXSlVOz1DskXXQ866KhikKY8cxajBXKAU0COlYYemqEr45TXiRS/jNB3LyHHh48pu7z2S6pTFhmhWNRBBw==",
    ),
    (
        "WebSocket order.place",
        concat!(ed25519_key!(), ws_order!()),
        "82wlF5RobwT7JZehRQgOaupNEm5GrAqJj5tqZeCCE6ZxkhlUbWBThOx00q3FVnCKn882P+9p85phztjk4bOMAQ==",
    ),
    (
        "WebSocket, raw UTF-8",
        concat!(ed25519_key!(), ws_wide_order!()),
        "c54NpyUZhXB0TQWxM60+OHcwRu50TfjPg5I3J3mPeFasLGjHZnuNGE6Ych+fRF6te6sr6URRF4lxUmYXbQ/rCA==",
    ),
];

#[track_caller]
fn check(rows: &[Row], signer: &Signer, verifier: &Verifier) {
    for (name, payload, text) in rows {
        let payload = payload.as_bytes();
        assert_eq!(signer.sign(&[payload]).unwrap(), *text, "{name}");
        let signature = verifier.decode(text.as_bytes()).unwrap();
        assert_eq!(verifier.verify(&[payload], &signature), Ok(()), "{name}");
        let (query, body) = payload.split_at(payload.len() / 2);
        assert_eq!(verifier.verify(&[query, b"", body], &signature), Ok(()), "{name}");
        assert_eq!(verifier.verify(&[query, b"&", body], &signature), Err(BadSignature), "{name}");
        assert_eq!(verifier.verify(&[query], &signature), Err(BadSignature), "{name}");
    }
}

#[test]
fn hmac() {
    let secret = SecretKey::parse(SECRET).unwrap();
    check(&HMAC, &Signer::hmac(&secret), &Verifier::hmac(&secret));
}

#[test]
fn ed25519() {
    let signer = Signer::from_pem(PRIVATE).unwrap();
    let public = signer.public_key().unwrap();
    assert_eq!(public.to_pem().lines().nth(1), Some(PUBLIC));
    check(&ED25519, &signer, &Verifier::public(&public));
}

/// What a client signs that encodes after signing: refused since 2026-01-15.
#[test]
fn hmac_over_text_that_was_not_yet_encoded() {
    let verifier = Verifier::hmac(&SecretKey::parse(SECRET).unwrap());
    let signature = verifier.decode(b"ca2cdfbf21d2e2958de492c7f2dd1f059dd2ed4d4459d26a5ec7928db50c8d4f").unwrap();
    let sent = concat!(encoded_symbol!(), rest_order!());
    assert_eq!(verifier.verify(&[sent.as_bytes()], &signature), Err(BadSignature));
    let raw = concat!("symbol=１２３４５６", rest_order!());
    assert_eq!(verifier.verify(&[raw.as_bytes()], &signature), Ok(()));
}
