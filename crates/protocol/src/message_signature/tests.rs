use super::MessageSignatureError as Error;
use super::*;
use proptest::prelude::*;

const DIGEST: &str =
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
const INPUT: &str = r#"sig1=("@method" "@authority" "@path" "@query");created=1618884473;nonce="n";keyid="k""#;

/// The request of RFC 9421, appendix B.2.
const REQUEST: RequestParts<'static> =
    RequestParts { method: "POST", authority: "example.com", path: "/foo", query: b"param=Value&Pet=dog" };

fn field(name: &str) -> Option<Vec<u8>> {
    let value = match name {
        "date" => "Tue, 20 Apr 2021 02:07:55 GMT",
        "content-type" => "application/json",
        "content-digest" => DIGEST,
        "content-length" => "18",
        _ => return None,
    };
    Some(value.into())
}

fn parse(input: &str) -> Result<MessageSignature<'_>, Error> {
    MessageSignature::parse(input.as_bytes(), b"sig1=:AAAA:")
}

/// Source: RFC 9421, appendix B.2.1, B.2.3, B.2.5, B.2.6.
#[test]
fn the_published_bases_come_out() {
    let lines = |lines: &[&str]| lines.join("\n");
    let digest = format!("\"content-digest\": {DIGEST}");
    let rows = [
        (
            r#"();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
            lines(&[
                r#""@signature-params": ();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
            ]),
        ),
        (
            r#"("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
            lines(&[
                r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
                r#""@method": POST"#,
                r#""@path": /foo"#,
                r#""@query": ?param=Value&Pet=dog"#,
                r#""@authority": example.com"#,
                r#""content-type": application/json"#,
                &digest,
                r#""content-length": 18"#,
                r#""@signature-params": ("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
            ]),
        ),
        (
            r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
            lines(&[
                r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
                r#""@authority": example.com"#,
                r#""content-type": application/json"#,
                r#""@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
            ]),
        ),
        (
            r#"("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
            lines(&[
                r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
                r#""@method": POST"#,
                r#""@path": /foo"#,
                r#""@authority": example.com"#,
                r#""content-type": application/json"#,
                r#""content-length": 18"#,
                r#""@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
            ]),
        ),
    ];
    for (params, base) in rows {
        let input = format!("sig1={params}");
        let signature = parse(&input).unwrap();
        assert_eq!(signature.created, 1_618_884_473);
        let built = signature.base(&REQUEST, &mut field).unwrap();
        assert_eq!(String::from_utf8(built).unwrap(), base);
    }
}

#[test]
fn a_draft_reads_back_and_has_the_same_base() {
    for has_content in [false, true] {
        let draft = Draft { has_content, created: 7, nonce: "n-1", key_id: "k", algorithm: "ed25519" };
        let input = format!("sig1={}", draft.params());
        let signature = parse(&input).unwrap();
        assert_eq!(signature.check_covers(true).is_ok(), has_content);
        assert_eq!(signature.check_covers(false), Ok(()));
        assert_eq!((signature.nonce, signature.key_id, signature.algorithm), (Some("n-1"), "k", Some("ed25519")));
        assert_eq!(signature.base(&REQUEST, &mut field).unwrap(), draft.base(&REQUEST, DIGEST));
    }
}

#[test]
fn everything_that_ties_a_signature_to_its_request_must_be_covered() {
    for left_out in REQUIRED {
        let input = INPUT.replacen(&format!("\"{left_out}\""), "\"date\"", 1);
        assert_eq!(parse(&input).unwrap().check_covers(false), Err(Error::NotCovered(left_out)));
    }
    assert_eq!(parse(INPUT).unwrap().check_covers(true), Err(Error::NotCovered(CONTENT_DIGEST)));
    let input = INPUT.replace(";nonce=\"n\"", "");
    assert_eq!(parse(&input).unwrap().check_covers(false), Err(Error::ParameterMissing("nonce")));
}

#[test]
fn every_other_spelling_is_refused() {
    const NAME: &str = "Signature-Input";
    let with = |from: &str, to: &str| {
        assert!(INPUT.contains(from));
        parse(&INPUT.replacen(from, to, 1)).err()
    };
    assert_eq!(parse(INPUT).err(), None);
    assert_eq!(parse(&format!("  {INPUT}\t")).err(), None, "white space around a field");
    for (from, to, error) in [
        ("sig1=", "sig1 =", Error::Malformed(NAME)),
        ("sig1=", "Sig1=", Error::Malformed(NAME)),
        ("sig1=", "=", Error::Malformed(NAME)),
        ("sig1=", "sig2=", Error::OtherLabel),
        (" \"@path\"", "  \"@path\"", Error::Malformed(NAME)),
        ("(\"", "( \"", Error::Malformed(NAME)),
        ("\")", "\" )", Error::Malformed(NAME)),
        (";created", "; created", Error::Malformed(NAME)),
        ("\"@path\"", "@path", Error::Malformed(NAME)),
        ("\"@path\"", "\"\\@path\"", Error::Malformed(NAME)),
        ("\"@path\"", "\"@method\"", Error::ComponentTwice),
        ("\"@path\"", "\"@path\";req", Error::Component),
        ("\"@path\"", "\"@path\";sf", Error::Component),
        ("\"@path\"", "\"@status\"", Error::Component),
        ("\"@path\"", "\"@request-target\"", Error::Component),
        ("\"@path\"", "\"@target-uri\"", Error::Component),
        ("\"@path\"", "\"@signature-params\"", Error::Component),
        ("\"@path\"", "\"signature\"", Error::Component),
        ("\"@path\"", "\"Date\"", Error::Component),
        ("\"@path\"", "\"da te\"", Error::Component),
        ("\"@path\"", "\"\"", Error::Component),
        ("created=1618884473", "created=01", Error::ParameterValue("created")),
        ("created=1618884473", "created=-1", Error::ParameterValue("created")),
        ("created=1618884473", "created=1234567890123456", Error::ParameterValue("created")),
        ("created=1618884473", "created=1.5", Error::Malformed(NAME)),
        ("created=1618884473", "created=\"1\"", Error::ParameterValue("created")),
        ("created=1618884473", "created", Error::Malformed(NAME)),
        ("created=1618884473", "created=1;created=1", Error::ParameterTwice("created")),
        ("created=1618884473", "created=1;expires=1", Error::ParameterValue("expires")),
        (";created=1618884473", "", Error::ParameterMissing("created")),
        (";keyid=\"k\"", "", Error::ParameterMissing("keyid")),
        ("keyid=\"k\"", "keyid=\"k", Error::Malformed(NAME)),
        ("keyid=\"k\"", "keyid=k", Error::Malformed(NAME)),
        ("keyid=\"k\"", "keyid=\"\"", Error::ParameterValue("keyid")),
        ("keyid=\"k\"", "keyid=\"é\"", Error::Malformed(NAME)),
        ("nonce=\"n\"", "nonce=\"\"", Error::ParameterValue("nonce")),
        ("keyid=\"k\"", "keyid=\"k\";else=1", Error::Parameter),
        ("keyid=\"k\"", "keyid=\"k\", sig2=()", Error::Several(NAME)),
        ("keyid=\"k\"", "keyid=\"k\";", Error::Malformed(NAME)),
    ] {
        assert_eq!(with(from, to), Some(error), "{from} as {to}");
    }
    assert_eq!(with("nonce=\"n\"", &format!("nonce=\"{}\"", "n".repeat(NONCE_MAX))), None);
    let long = format!("nonce=\"{}\"", "n".repeat(NONCE_MAX + 1));
    assert_eq!(with("nonce=\"n\"", &long), Some(Error::ParameterValue("nonce")));
    let many: Vec<_> = (0..=COMPONENTS_MAX).map(|n| format!("\"x-{n}\"")).collect();
    let many = format!("sig1=({});created=1;keyid=\"k\"", many.join(" "));
    assert_eq!(parse(&many).err(), Some(Error::TooManyComponents));
    let long = format!("sig1=(\"x\");created=1;keyid=\"{}\"", "k".repeat(FIELD_MAX));
    assert_eq!(parse(&long).err(), Some(Error::TooLong(NAME)));
}

#[test]
fn one_signature_in_the_canonical_form_is_read() {
    fn signature(text: &str) -> Result<&str, Error> {
        MessageSignature::parse(INPUT.as_bytes(), text.as_bytes()).map(|found| found.signature)
    }
    assert_eq!(signature("sig1=:AA+/=:"), Ok("AA+/="));
    for (text, error) in [
        ("sig1=AAAA", Error::Malformed("Signature")),
        ("sig1=:AAAA", Error::Malformed("Signature")),
        ("sig1=:AA AA:", Error::Malformed("Signature")),
        ("sig1=:AAAA:;x", Error::Malformed("Signature")),
        ("sig2=:AAAA:", Error::OtherLabel),
        ("sig1=:AAAA:, sig2=:AAAA:", Error::Several("Signature")),
        ("sig2=:AAAA:, sig1=:AAAA:", Error::OtherLabel),
        ("", Error::Malformed("Signature")),
    ] {
        assert_eq!(signature(text), Err(error), "{text}");
    }
}

#[test]
fn a_digest_needs_one_that_is_understood() {
    let parse = |text: &'static str| ContentDigest::parse(text.as_bytes());
    let one = ContentDigest { sha_256: Some("AA=="), sha_512: None };
    assert_eq!(parse("sha-256=:AA==:"), Ok(one));
    assert_eq!(parse("md5=:AA:, sha-256=:AA==:"), Ok(one));
    assert_eq!(parse("sha-256=:AA==:, sha-512=:B:"), Ok(ContentDigest { sha_512: Some("B"), ..one }));
    for text in
        ["", "md5=:AA==:", "sha-256=AA==", "sha-256=:AA==:,", "sha-256=:A:, sha-256=:A:", "sha-256=:A:,sha-512=:B:"]
    {
        assert_eq!(parse(text), Err(Error::Malformed("Content-Digest")), "{text}");
    }
}

#[test]
fn an_authority_is_in_lower_case_and_without_the_usual_port() {
    assert_eq!(authority("Example.COM"), "example.com");
    assert_eq!(authority("example.com:443"), "example.com");
    assert_eq!(authority("example.com:80"), "example.com");
    assert_eq!(authority("127.0.0.1:8600"), "127.0.0.1:8600");
}

#[test]
fn lines_of_a_field_are_joined_without_the_space_around_them() {
    assert_eq!(join_lines([&b" a "[..], b"b"]).as_deref(), Some(&b"a, b"[..]));
    assert_eq!(join_lines([&b""[..]]).as_deref(), Some(&b""[..]));
    assert_eq!(join_lines([]), None);
}

/// How many cases a property tries: `LATCHKEY_PROOF_CASES`, or few.
#[expect(clippy::disallowed_methods, reason = "the length of a proof is the caller's choice")]
fn cases() -> ProptestConfig {
    let asked = std::env::var("LATCHKEY_PROOF_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(500))
}

proptest! {
    #![proptest_config(cases())]

    /// Whatever bytes come, the parser ends without a panic, and what it takes it writes back as it came.
    #[test]
    fn no_bytes_break_the_parser(input in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = MessageSignature::parse(&input, b"sig1=:AAAA:");
        let _ = MessageSignature::parse(INPUT.as_bytes(), &input);
        let _ = ContentDigest::parse(&input);
    }

    /// A changed character of a good field is refused or changes what is signed.
    #[test]
    fn no_two_fields_have_one_base(at in 0..INPUT.len(), byte in 0x20_u8..0x7f) {
        let mut changed = INPUT.as_bytes().to_vec();
        changed[at] = byte;
        let base = parse(INPUT).unwrap().base(&REQUEST, &mut field).unwrap();
        if let Ok(other) = MessageSignature::parse(&changed, b"sig1=:AAAA:")
            && let Ok(other) = other.base(&REQUEST, &mut field)
        {
            prop_assert_eq!(changed == INPUT.as_bytes(), other == base);
        }
    }
}
