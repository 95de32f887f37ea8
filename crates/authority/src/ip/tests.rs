use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<IpRule, IpProblem> {
    IpRule::parse(text, IpForms::AddressesAndNetworks, &Policy::default())
}

fn list(text: &str) -> Result<Vec<String>, (String, IpProblem)> {
    IpRule::parse_list(text, IpForms::AddressesAndNetworks, &Policy::default())
        .map(|rules| rules.iter().map(ToString::to_string).collect())
        .map_err(|error| (error.entry.into(), error.problem))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn entries_have_one_canonical_form() {
    for (text, canonical) in [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1/32", "127.0.0.1"),
        ("10.1.0.0/16", "10.1.0.0/16"),
        ("10.1.2.128/25", "10.1.2.128/25"),
        ("::1", "::1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8::/48", "2001:db8::/48"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:0201", "192.0.2.1"),
        ("::ffff:10.1.0.0/112", "10.1.0.0/16"),
    ] {
        assert_eq!(parse(text).map(|rule| rule.to_string()), Ok(canonical.to_owned()), "{text}");
    }
}

#[test]
fn what_is_no_address_or_too_wide_is_refused() {
    use IpProblem::*;
    for (text, problem) in [
        ("", Nonsense),
        ("localhost", Nonsense),
        ("1.2.3", Nonsense),
        ("1.2.3.4.5", Nonsense),
        ("256.1.1.1", Nonsense),
        ("010.1.1.1", Nonsense),
        ("1.2.3.4 ", Nonsense),
        ("1.2.3.4:80", Nonsense),
        ("[::1]", Nonsense),
        ("fe80::1%eth0", Nonsense),
        ("0x7f000001", Nonsense),
        ("2130706433", Nonsense),
        ("1.2.3.4-1.2.3.9", Nonsense),
        ("*", Nonsense),
        ("10.0.0.0/", Prefix),
        ("10.0.0.0/33", Prefix),
        ("10.0.0.0/+16", Prefix),
        ("10.0.0.0/016", Prefix),
        ("10.0.0.0/16/16", Prefix),
        ("2001:db8::/129", Prefix),
        ("10.1.2.3/16", HostBits(parse("10.1.0.0/16").unwrap())),
        ("2001:db8::1/64", HostBits(parse("2001:db8::/64").unwrap())),
        ("10.0.0.0/15", TooWide(16)),
        ("10.0.0.0/8", TooWide(16)),
        ("::ffff:10.0.0.0/104", TooWide(16)),
        ("2001:db8::/47", TooWide(48)),
        ("0.0.0.0", Unspecified),
        ("0.0.0.0/0", Unspecified),
        ("0.0.0.0/16", Unspecified),
        ("::", Unspecified),
        ("::/0", Unspecified),
        ("::/64", Unspecified),
        ("::ffff:0.0.0.0", Unspecified),
        ("224.0.0.1", Multicast),
        ("239.255.0.0/16", Multicast),
        ("ff02::1", Multicast),
        ("::ffff:224.0.0.1", Multicast),
        ("255.255.255.255", Broadcast),
        ("255.255.0.0/16", Broadcast),
    ] {
        assert_eq!(parse(text), Err(problem), "{text}");
    }
}

#[test]
fn compatible_routes_take_addresses_alone() {
    let parse = |text| IpRule::parse(text, IpForms::Addresses, &Policy::default());
    assert!(parse("192.0.2.1").is_ok() && parse("2001:db8::1").is_ok());
    assert_eq!(parse("192.0.2.0/24"), Err(IpProblem::NetworkNotTaken));
    assert_eq!(parse("192.0.2.1/32"), Err(IpProblem::NetworkNotTaken));
}

#[test]
fn lists_divide_at_commas_spaces_and_line_breaks() {
    let three = Ok(vec!["192.0.2.1".into(), "192.0.2.2".into(), "::1".into()]);
    assert_eq!(list("192.0.2.1,192.0.2.2,::1"), three);
    assert_eq!(list(" 192.0.2.1, 192.0.2.2\r\n::1\n"), three);
    assert_eq!(list("192.0.2.1 192.0.2.2\t::1,192.0.2.1,::ffff:192.0.2.2"), three, "repetitions are left out");
    assert_eq!(list(""), Ok(vec![]));
    assert_eq!(list("192.0.2.1;192.0.2.2"), Err(("192.0.2.1;192.0.2.2".into(), IpProblem::Nonsense)));
}

#[test]
fn the_refused_entry_is_named_and_cut() {
    assert_eq!(list("192.0.2.1, nonsense, ::1"), Err(("nonsense".into(), IpProblem::Nonsense)));
    assert_eq!(list(&"é".repeat(500)), Err(("é".repeat(ENTRY_SHOWN_MAX), IpProblem::Nonsense)));
    let error = IpError { entry: "10.0.0.0/8".into(), problem: IpProblem::TooWide(16) };
    assert_eq!(error.to_string(), "`10.0.0.0/8` is too wide: the shortest prefix is /16");
}

#[test]
fn a_list_has_at_most_thirty_entries() {
    let entries = |n: u8| (1..=n).map(|i| format!("192.0.2.{i}")).collect::<Vec<_>>().join(",");
    assert_eq!(list(&entries(30)).map(|rules| rules.len()), Ok(30));
    assert_eq!(list(&entries(31)), Err(("192.0.2.31".into(), IpProblem::TooMany(30))));
    assert!(list(&format!("{},192.0.2.1", entries(30))).is_ok(), "a repetition does not count");
}

#[test]
fn the_matcher_compares_canonical_addresses() {
    let rules = |text| IpRule::parse_list(text, IpForms::AddressesAndNetworks, &Policy::default()).unwrap();
    let matcher = IpRestriction::Listed(rules("192.0.2.1, 10.1.0.0/16, 10.1.2.0/24, 2001:db8::/64")).matcher();
    for inside in ["192.0.2.1", "::ffff:192.0.2.1", "10.1.0.0", "10.1.255.255", "2001:db8::ffff"] {
        assert!(matcher.allows(ip(inside)), "{inside}");
    }
    for outside in ["192.0.2.2", "192.0.2.0", "10.0.255.255", "10.2.0.0", "2001:db8:0:1::", "::192.0.2.1", "::1"] {
        assert!(!matcher.allows(ip(outside)), "{outside}");
    }
    assert!(IpRestriction::Unrestricted.matcher().allows(ip("8.8.8.8")));
    assert!(!IpRestriction::Listed(vec![]).matcher().allows(ip("127.0.0.1")), "an empty list is nowhere");
}

#[test]
fn stored_rules_are_canonical_or_refused() {
    let read = serde_json::from_str::<IpRule>;
    for text in ["\"127.0.0.1\"", "\"10.0.0.0/8\"", "\"2001:db8::/48\""] {
        assert_eq!(serde_json::to_string(&read(text).unwrap()).unwrap(), text, "policy is not asked again");
    }
    for text in ["\"\"", "\"10.0.0.1/8\"", "\"::ffff:1.2.3.4\"", "\"1.2.3.4/32\"", "\"2001:DB8::1\"", "7"] {
        assert!(read(text).is_err(), "{text}");
    }
}

/// Any rule that policy takes.
fn any_rule() -> impl Strategy<Value = IpRule> {
    let v4 = (any::<u32>(), 16..=32u8)
        .prop_map(|(bits, prefix)| format!("{}/{prefix}", Ipv4Addr::from_bits(bits & mask_v4(prefix))));
    let v6 = (any::<u128>(), 48..=128u8)
        .prop_map(|(bits, prefix)| format!("{}/{prefix}", Ipv6Addr::from_bits(bits & mask_v6(prefix))));
    prop_oneof![v4, v6].prop_filter_map("taken by policy", |text| parse(&text).ok())
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(rule in any_rule()) {
        prop_assert_eq!(parse(&rule.to_string()), Ok(rule));
        let stored = serde_json::to_string(&rule).unwrap();
        prop_assert_eq!(serde_json::from_str::<IpRule>(&stored).unwrap(), rule);
    }

    #[test]
    fn the_matcher_agrees_with_the_rules(
        rules in prop::collection::vec(any_rule(), 0..30),
        random in any::<u32>(),
        near in any::<prop::sample::Index>(),
        step in -2i64..=2,
    ) {
        let matcher = IpRestriction::Listed(rules.clone()).matcher();
        let mut probes = vec![IpAddr::V4(Ipv4Addr::from_bits(random))];
        if !rules.is_empty() {
            // The neighbours of both ends of some rule, where mistakes would be.
            let rule = rules[near.index(rules.len())];
            if let Some((first, last)) = rule.range_v4() {
                for end in [first, last] {
                    let bits = (i64::from(end) + step).clamp(0, i64::from(u32::MAX));
                    probes.push(IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap())));
                }
            }
            if let Some((first, last)) = rule.range_v6() {
                for end in [first, last] {
                    probes.push(IpAddr::V6(Ipv6Addr::from_bits(end.wrapping_add_signed(step.into()))));
                }
            }
        }
        for probe in probes {
            prop_assert_eq!(matcher.allows(probe), rules.iter().any(|rule| rule.contains(probe)), "{}", probe);
        }
    }

    #[test]
    fn no_text_crashes_the_parser(text in "\\PC{0,40}") {
        let _ = list(&text);
        let _ = parse(&text);
    }
}
