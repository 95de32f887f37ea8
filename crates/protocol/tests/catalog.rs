//! The catalog as a whole: what must hold for every row, and each row against its table.
#![expect(clippy::expect_used, reason = "the tables of a test are well formed")]

use std::collections::{BTreeMap, BTreeSet, HashSet};

use latchkey_protocol::Permission;
use latchkey_protocol::catalog::{
    Budget, Catalog, Endpoint, Family, Found, KeyKinds, Kind, Method, Route, SecurityType, Weight,
};
use latchkey_protocol::params::RawParams;

fn name(row: &Endpoint) -> String {
    format!("{} {}", row.method.as_str(), row.path)
}

fn weigh(row: &Endpoint, query: &str) -> u32 {
    match row.weight {
        Weight::Fixed(weight) => weight,
        Weight::By(function) => function(&RawParams::split(query.as_bytes(), b"").expect("a query")),
    }
}

fn find(line: &str) -> &'static Endpoint {
    let (method, path) = line.trim().split_once(' ').expect("method and path");
    match Catalog::builtin().find(Method::parse(method).expect("a method"), path.trim()) {
        Found::Endpoint(row) => row,
        other => panic!("{line}: {other:?}"),
    }
}

/// The lines of a table without comments and blank lines.
fn lines(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[test]
fn every_row_is_as_its_table_says() {
    let table = include_str!("../testdata/endpoints.txt");
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected: BTreeSet<String> = lines(table).map(squeeze).collect();
    let actual: BTreeSet<String> = Catalog::rows()
        .map(|row| {
            let permission = row.permission.map_or("-", Permission::as_str);
            let keys = match row.key_kinds {
                KeyKinds::Any => "any",
                KeyKinds::StandardOnly => "standard",
                KeyKinds::Report => "report",
            };
            let (name, weight) = (name(row), weigh(row, ""));
            format!("{name} {:?} {permission} {keys} {:?} {weight} {:?}", row.security, row.budget, row.route)
        })
        .collect();
    assert_eq!(expected.difference(&actual).collect::<Vec<_>>(), [""; 0], "in the table, not in the catalog");
    assert_eq!(actual.difference(&expected).collect::<Vec<_>>(), [""; 0], "in the catalog, not in the table");
}

#[test]
fn weights_follow_what_is_asked() {
    for line in lines(include_str!("../testdata/weights.txt")) {
        let mut cells = line.split(" | ").map(str::trim);
        let row = find(cells.next().expect("an endpoint"));
        let query = cells.next().expect("a query");
        let weight: u32 = cells.next().expect("a weight").parse().expect("a number");
        assert_eq!(weigh(row, query), weight, "{line}");
    }
}

#[test]
fn weights_of_many_symbols_are_capped() {
    let of = |endpoint: &str, count: usize| {
        let list = (0..count).map(|index| format!("%22S{index}%22")).collect::<Vec<_>>().join(",");
        weigh(find(endpoint), &format!("symbols=%5B{list}%5D"))
    };
    for (count, weight) in [(1, 2), (20, 2), (21, 40), (100, 40), (101, 80), (1000, 80)] {
        assert_eq!(of("GET /api/v3/ticker/24hr", count), weight, "24hr of {count}");
    }
    for (count, weight) in [(1, 4), (2, 8), (49, 196), (50, 200), (51, 200)] {
        assert_eq!(of("GET /api/v3/ticker", count), weight, "window of {count}");
        assert_eq!(of("GET /api/v3/ticker/tradingDay", count), weight, "day of {count}");
    }
    for (count, weight) in [(1, 2), (20, 40), (21, 40)] {
        assert_eq!(of("GET /api/v3/executionRules", count), weight, "rules of {count}");
    }
}

#[test]
fn weights_are_never_zero() {
    for row in Catalog::rows() {
        for query in ["", "symbol=", "symbols=", "symbols=[]", "limit=", "limit=x", "limit=%zz", "symbols=%ff"] {
            assert!(weigh(row, query) > 0, "{} with `{query}`", name(row));
        }
    }
}

#[test]
fn no_two_rows_share_method_and_path() {
    let mut seen = HashSet::new();
    for row in Catalog::rows() {
        assert!(seen.insert(name(row)), "{} twice", name(row));
    }
}

#[test]
fn every_route_but_unavailable_has_exactly_one_row() {
    let mut by_route: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in Catalog::rows().filter(|row| row.route != Route::Unavailable) {
        by_route.entry(format!("{:?}", row.route)).or_default().push(name(row));
    }
    for (route, rows) in &by_route {
        assert_eq!(rows.len(), 1, "{route}: {rows:?}");
    }
    assert_eq!(by_route.len(), Route::OwnKey as usize, "a route without a row");
}

#[test]
fn a_signed_row_needs_a_permission_and_a_public_one_none() {
    let hiding = [Route::OwnCalls, Route::OwnRefusal];
    for row in Catalog::rows().filter(|row| !hiding.contains(&row.route)) {
        assert_eq!(
            row.permission.is_some(),
            row.security.is_signed() || row.security == SecurityType::UserStream,
            "{row:?}"
        );
        if row.security == SecurityType::Trade {
            assert_eq!(row.permission, Some(Permission::SpotAndMarginTrading), "{row:?}");
        }
        if row.security == SecurityType::Margin {
            assert_eq!(row.permission, Some(Permission::Margin), "{row:?}");
        }
    }
}

#[test]
fn reading_alone_changes_nothing() {
    let exceptions = [
        // Extends what reading gives anyway: a stream of the account.
        SecurityType::UserStream,
    ];
    for row in Catalog::rows().filter(|row| row.changes_state && !exceptions.contains(&row.security)) {
        assert!(!matches!(row.permission, None | Some(Permission::Reading)), "{row:?}");
    }
}

#[test]
fn what_changes_state_is_not_a_get_and_tests_change_nothing() {
    for row in Catalog::rows() {
        let test = row.path.ends_with("/test");
        assert_eq!(row.changes_state, row.method != Method::Get && !test, "{row:?}");
        assert!(!row.free_on_success || row.changes_state, "{row:?}");
    }
}

#[test]
fn only_spot_orders_are_free_on_success() {
    for row in Catalog::rows() {
        let order = row.path.starts_with("/api/v3/order")
            || row.path == "/api/v3/openOrders"
            || row.path == "/api/v3/sor/order";
        // An amendment keeps its weight unless it ends the order.
        let expected = order && row.changes_state && row.path != "/api/v3/order/amend/keepPriority";
        assert_eq!(row.free_on_success, expected, "{row:?}");
    }
}

#[test]
fn special_keys_manage_neither_keys_nor_funds() {
    let management = ["/apiKey", "/api-key-list", "/sub-account/", "/broker/", "/transfer", "/borrow-repay", "/repay"];
    for row in Catalog::rows().filter(|row| management.iter().any(|part| row.path.contains(part))) {
        let reads_funds = row.method == Method::Get
            && ["/transfer", "/repay", "/borrow-repay"].iter().any(|part| row.path.contains(part));
        assert!(row.key_kinds == KeyKinds::StandardOnly || reads_funds, "{row:?}");
    }
}

#[test]
fn a_tax_report_key_only_reads_and_reaches_nothing_but_histories() {
    let reports: Vec<_> = Catalog::rows().filter(|row| row.key_kinds == KeyKinds::Report).collect();
    assert!(reports.len() > 10, "{reports:?}");
    for row in reports {
        assert_eq!((row.method, row.permission), (Method::Get, Some(Permission::Reading)), "{row:?}");
        let histories = ["all", "my", "history", "History", "transfer", "flow", "forceLiquidationRec", "borrow-repay"];
        let last = row.path.rsplit('/').next().expect("a last segment");
        assert!(histories.iter().any(|part| last.contains(part)), "{row:?}");
    }
}

#[test]
fn families_follow_paths_and_budgets_follow_families() {
    for row in Catalog::rows() {
        let family = match row.path.split('/').nth(1).expect("a first segment") {
            "api" => Family::Api,
            "sapi" => Family::Sapi,
            "fapi" | "dapi" => Family::Futures,
            "latchkey" => Family::Latchkey,
            other => panic!("{other}"),
        };
        assert_eq!(row.family, family, "{row:?}");
        assert_eq!(row.budget == Budget::Ip, family != Family::Sapi, "{row:?}");
    }
}

#[test]
fn parameters_have_names_of_their_own_and_no_security_fields() {
    for row in Catalog::rows() {
        let mut seen = HashSet::new();
        for param in row.params {
            assert!(seen.insert(param.name), "{row:?}: `{}` twice", param.name);
            assert!(!["timestamp", "recvWindow", "signature"].contains(&param.name), "{row:?}");
            if let Kind::Choice { values, error } = param.kind {
                assert!(!values.is_empty(), "{row:?} {}", param.name);
                assert!(error.text.matches("%s").count() <= 1, "{row:?} {}", param.name);
            }
        }
        assert!(row.params.is_empty() || row.route != Route::Unavailable, "{row:?} is refused before its parameters");
    }
}

#[test]
fn sources_name_a_title_and_bodies_are_bounded() {
    for row in Catalog::rows() {
        assert!(row.source.len() > 5, "{row:?}");
        assert!((1024..=1024 * 1024).contains(&row.body_max), "{row:?}");
    }
}

#[test]
fn lookup_tells_path_from_method() {
    let catalog = Catalog::builtin();
    assert!(matches!(catalog.find(Method::Get, "/api/v3/ping"), Found::Endpoint(row) if row.route == Route::Ping));
    assert!(matches!(catalog.find(Method::Post, "/api/v3/ping"), Found::OtherMethod));
    for unknown in ["/api/v3/Ping", "/api/v3/ping/", "//api/v3/ping", "/api/v1/ping", "", "/"] {
        assert!(matches!(catalog.find(Method::Get, unknown), Found::Nothing), "{unknown}");
    }
    let of = |length| catalog.find(Method::Get, &format!("/latchkey/v1/refusals/{}", "a".repeat(length)));
    assert!(matches!(of(64), Found::Endpoint(_)) && matches!(of(65), Found::Nothing), "ids have an end");
}
