//! Which calls place an order that can be found again, and how.

use latchkey_protocol::catalog::Method;

use crate::request::{Proof, Request};

/// A call that places one order under an id that the caller chooses.
struct Row {
    /// The path of the placement.
    place: &'static str,
    /// The path that finds the order by `origClientOrderId`.
    find: &'static str,
    /// The parameters that both share.
    shared: &'static [&'static str],
}

/// Source: REST API, "New order", "Query order"; margin trading, "Margin Account New Order", "Query Margin Account's Order".
static ROWS: &[Row] = &[
    Row { place: "/api/v3/order", find: "/api/v3/order", shared: &["symbol", "recvWindow"] },
    Row { place: "/api/v3/sor/order", find: "/api/v3/order", shared: &["symbol", "recvWindow"] },
    Row {
        place: "/sapi/v1/margin/order",
        find: "/sapi/v1/margin/order",
        shared: &["symbol", "isIsolated", "recvWindow"],
    },
];

/// An order on its way: the id it goes by and the request that finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    /// The value of `newClientOrderId`.
    pub client_order_id: String,
    /// Finds the order.
    pub find: Request,
}

/// Makes a placement findable: adds `newClientOrderId` when the request has none. Other requests stay as they are.
/// `noise` is 128 fresh random bits; the id is `lk-` and their 32 hexadecimal digits, inside the contract's
/// 36 characters `[A-Za-z0-9_-]`.
pub fn prepare(request: Request, noise: [u8; 16]) -> (Request, Option<Placement>) {
    let row = ROWS.iter().find(|row| request.method() == Method::Post && request.path() == row.place);
    let Some(row) = row else { return (request, None) };
    let request = if request.value("newClientOrderId").is_some() {
        request
    } else {
        request.with("newClientOrderId", format!("lk-{:032x}", u128::from_be_bytes(noise)))
    };
    let client_order_id = request.value("newClientOrderId").unwrap_or_default().to_owned();
    let shared = row.shared.iter().filter_map(|name| request.value(name).map(|value| (*name, value)));
    let find = shared
        .fold(Request::get(row.find).proof(Proof::Signed), |find, (name, value)| find.param(name, value))
        .param("origClientOrderId", client_order_id.as_str())
        .build();
    match find {
        // An empty id is the venue's to refuse; nothing could be found by it.
        Ok(find) if !client_order_id.is_empty() => (request, Some(Placement { client_order_id, find })),
        Ok(_) | Err(_) => (request, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_without_an_id_gets_one_and_is_found_by_it() {
        let order = Request::post("/sapi/v1/margin/order")
            .in_body()
            .param("symbol", "BTCUSDT")
            .param("isIsolated", "TRUE")
            .param("side", "BUY")
            .build()
            .unwrap();
        let (order, placement) = prepare(order, [0xab; 16]);
        let placement = placement.unwrap();
        let id = format!("lk-{}", "ab".repeat(16));
        assert_eq!(order.value("newClientOrderId"), Some(id.as_str()));
        assert_eq!(placement.client_order_id, id);
        assert!(id.len() <= 36);
        let wanted = r#"Request(GET /sapi/v1/margin/order ["symbol", "isIsolated", "origClientOrderId"])"#;
        assert_eq!(format!("{:?}", placement.find), wanted);
        assert_eq!(placement.find.value("origClientOrderId"), Some(id.as_str()));
    }

    #[test]
    fn the_rows_agree_with_the_catalog() {
        use latchkey_protocol::catalog::{Catalog, Endpoint, Found, Route};
        let catalog = Catalog::builtin();
        for row in ROWS {
            let Found::Endpoint(place) = catalog.find(Method::Post, row.place) else { panic!("{}", row.place) };
            let Found::Endpoint(find) = catalog.find(Method::Get, row.find) else { panic!("{}", row.find) };
            assert!(place.changes_state && !find.changes_state);
            let has = |endpoint: &Endpoint, name| {
                // Rows that are not offered yet name no parameters.
                endpoint.route == Route::Unavailable || endpoint.params.iter().any(|param| param.name == name)
            };
            assert!(has(place, "newClientOrderId") && has(find, "origClientOrderId"), "{place:?}");
            // `recvWindow` belongs to every signed row.
            for name in row.shared.iter().filter(|name| **name != "recvWindow") {
                assert!(has(place, name) && has(find, name), "{place:?} {name}");
            }
        }
    }

    #[test]
    fn the_callers_own_id_stays() {
        let order = Request::post("/api/v3/order")
            .param("symbol", "BTCUSDT")
            .param("newClientOrderId", "mine")
            .build()
            .unwrap();
        let (same, placement) = prepare(order.clone(), [0; 16]);
        assert_eq!(same, order);
        assert_eq!(placement.unwrap().client_order_id, "mine");
    }

    #[test]
    fn other_calls_stay_as_they_are() {
        for builder in [
            Request::post("/api/v3/order/test"),
            Request::post("/api/v3/order/cancelReplace"),
            Request::delete("/api/v3/order"),
            Request::get("/api/v3/order"),
            Request::post("/api/v3/order").param("newClientOrderId", ""),
        ] {
            let request = builder.build().unwrap();
            assert_eq!(prepare(request.clone(), [1; 16]), (request, None));
        }
    }
}
