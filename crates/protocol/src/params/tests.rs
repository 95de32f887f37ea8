use proptest::prelude::*;

use super::*;

fn payload(query: &str, body: &str) -> Result<String, ParamsError> {
    RawParams::split(query.as_bytes(), body.as_bytes()).map(|p| String::from_utf8(p.payload().concat()).expect("UTF-8"))
}

#[test]
fn the_signature_is_cut_out_wherever_it_stands() {
    let cases = [
        ("a=1&b=2&signature=x", "", "a=1&b=2"),
        ("a=1&signature=x&b=2", "", "a=1&b=2"),
        ("signature=x&a=1&b=2", "", "a=1&b=2"),
        ("signature=x", "", ""),
        ("a=1", "b=2&signature=x", "a=1b=2"),
        ("a=1", "signature=x", "a=1"),
        ("a=1", "signature=x&b=2", "a=1b=2"),
        ("a=1&signature=x", "b=2", "a=1b=2"),
        ("", "a=1&signature=x&b=2", "a=1&b=2"),
    ];
    for (query, body, expected) in cases {
        assert_eq!(payload(query, body).as_deref(), Ok(expected), "{query} | {body}");
    }
}

#[test]
fn unencoded_base64_is_a_signature() {
    let params = RawParams::split(b"a=1&signature=ab+/cd==", b"").expect("parameters");
    assert_eq!(decode_signature(params.signature().expect("a signature")).as_deref(), Ok("ab+/cd=="));
    assert_eq!(decode_signature(b"ab%2B%2fcd%3D%3d").as_deref(), Ok("ab+/cd=="));
}

#[test]
fn ambiguous_requests_are_refused() {
    let cases = [
        ("a", "", ParamsError::MalformedPair),
        ("a=1&b", "", ParamsError::MalformedPair),
        ("=1", "", ParamsError::MalformedPair),
        ("a=1=2", "", ParamsError::MalformedPair),
        ("a=1b=2", "", ParamsError::MalformedPair),
        ("a=1&a=2", "", ParamsError::Duplicate),
        ("", "a=1&a=1", ParamsError::Duplicate),
        ("a=1", "a=2&a=3", ParamsError::Duplicate),
        ("signature=a&signature=b", "", ParamsError::Duplicate),
        ("signature=a", "signature=a", ParamsError::Duplicate),
        ("%61=1", "", ParamsError::IllegalName),
        ("a b=1", "", ParamsError::IllegalName),
        // The end of a value that was signed before a body.
        ("recvWindow=500", "0symbol=BTCUSDT", ParamsError::IllegalName),
        ("recvWindow=5", ".5symbol=BTCUSDT", ParamsError::IllegalName),
        ("symbols[]=1", "", ParamsError::IllegalName),
    ];
    for (query, body, expected) in cases {
        assert_eq!(payload(query, body), Err(expected), "{query} | {body}");
    }
    let many = (0..=PARAMS_MAX).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
    assert_eq!(payload(&many, ""), Err(ParamsError::TooMany));
}

#[test]
fn the_query_wins_over_the_body() {
    let params = RawParams::split(b"a=1", b"a=2&b=3").expect("parameters");
    assert_eq!(params.raw("a"), Some(&b"1"[..]));
    assert_eq!(params.raw("b"), Some(&b"3"[..]));
    assert_eq!(params.payload().concat(), b"a=1a=2&b=3");
}

#[test]
fn values_are_decoded_once() {
    assert_eq!(decode(b"a%40b+c%2Bd").as_deref(), Ok("a@b c+d"));
    assert_eq!(decode(b"%2541").as_deref(), Ok("%41"));
    assert_eq!(decode(b"%EF%BC%91").as_deref(), Ok("１"));
    for bad in [&b"%"[..], b"%4", b"%zz", b"%ff", b"a\xff", b"%+1"] {
        assert_eq!(decode(bad), Err(ParamsError::BadEncoding), "{bad:?}");
    }
}

proptest! {
    /// Moving the boundary between query and body never changes what an accepted request says: either a name
    /// appears that no endpoint has, or the request is refused, or the parameters are the same.
    #[test]
    fn moving_the_boundary_never_changes_the_parameters(
        values in prop::collection::vec("[A-Za-z0-9.%]{1,8}", 2..6),
        first in 0_usize..6,
        moved in 0_usize..64,
    ) {
        const NAMES: [&str; 6] = ["symbol", "side", "quantity", "price", "recvWindow", "timestamp"];
        let pairs: Vec<String> = NAMES.iter().zip(&values).map(|(n, v)| format!("{n}={v}")).collect();
        let first = first.min(pairs.len());
        let (query, body) = (pairs[..first].join("&"), pairs[first..].join("&"));
        let whole = format!("{query}{body}");
        let cut = moved.min(whole.len());
        let list = |p: &RawParams<'_>| p.pairs().iter().map(|pair| (pair.name.to_owned(), pair.value.to_vec())).collect::<Vec<_>>();
        let original = RawParams::split(query.as_bytes(), body.as_bytes()).expect("parameters");
        if let Ok(other) = RawParams::split(&whole.as_bytes()[..cut], &whole.as_bytes()[cut..]) {
            prop_assert_eq!(other.payload().concat(), original.payload().concat());
            let known = other.pairs().iter().all(|pair| NAMES.contains(&pair.name));
            prop_assert!(!known || list(&other) == list(&original), "{} | {}", &whole[..cut], &whole[cut..]);
        }
    }

    #[test]
    fn splitting_never_panics(query in prop::collection::vec(any::<u8>(), 0..200), body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(params) = RawParams::split(&query, &body) {
            for pair in params.pairs() {
                let _ = decode(pair.value);
            }
            prop_assert!(params.payload().len() <= 4);
        }
    }
}
