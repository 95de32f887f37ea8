//! Orders, byte for byte.

use latchkey_authority::key::Scope;

use crate::harness::{House, TestKey, number_of, pair};

const PLACE: &str = "/api/v3/order";

/// Account 2 offers 0.02 BTC at 50000.
async fn offer(house: &House) -> TestKey {
    let maker = house.trader(2);
    let query = "symbol=BTCUSDT&side=SELL&type=LIMIT_MAKER&quantity=0.02&price=50000&newClientOrderId=offer";
    let body = house.good(Some(&maker), "POST", PLACE, query).await;
    let ack =
        r#"{"symbol":"BTCUSDT","orderId":1,"orderListId":-1,"clientOrderId":"offer","transactTime":1790000000000}"#;
    assert_eq!(body, ack, "LIMIT_MAKER answers ACK unless asked");
    maker
}

#[tokio::test]
async fn a_limit_order_answers_full_with_its_fills() {
    let house = House::new().await;
    offer(&house).await;
    let key = house.trader(1);
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.05&price=50000&newClientOrderId=take\
                 &strategyId=7&strategyType=1000000";
    let body = house.good(Some(&key), "POST", PLACE, query).await;
    assert_eq!(
        body,
        concat!(
            r#"{"symbol":"BTCUSDT","orderId":2,"orderListId":-1,"clientOrderId":"take","transactTime":1790000000000,"#,
            r#""price":"50000.00000000","origQty":"0.05000000","executedQty":"0.02000000","#,
            r#""origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"1000.00000000","status":"EXPIRED","#,
            r#""timeInForce":"IOC","type":"LIMIT","side":"BUY","workingTime":1790000000000,"#,
            r#""selfTradePreventionMode":"EXPIRE_MAKER","strategyId":7,"strategyType":1000000,"#,
            r#""expiryReason":"UNFILLED_IOC_QUANTITY_EXPIRED","fills":[{"price":"50000.00000000","qty":"0.02000000","#,
            r#""commission":"0.00002000","commissionAsset":"BTC","tradeId":1}]}"#,
        )
    );
}

#[tokio::test]
async fn market_orders_answer_full_and_result_leaves_the_fills_out() {
    let house = House::new().await;
    offer(&house).await;
    let key = house.trader(1);
    let query = "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=500&newOrderRespType=RESULT&newClientOrderId=m";
    let body = house.good(Some(&key), "POST", PLACE, query).await;
    assert_eq!(
        body,
        concat!(
            r#"{"symbol":"BTCUSDT","orderId":2,"orderListId":-1,"clientOrderId":"m","transactTime":1790000000000,"#,
            r#""price":"0.00000000","origQty":"0.01000000","executedQty":"0.01000000","#,
            r#""origQuoteOrderQty":"500.00000000","cummulativeQuoteQty":"500.00000000","status":"FILLED","#,
            r#""timeInForce":"GTC","type":"MARKET","side":"BUY","workingTime":1790000000000,"#,
            r#""selfTradePreventionMode":"EXPIRE_MAKER"}"#,
        )
    );
    let body = house.good(Some(&key), "POST", PLACE, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01").await;
    assert!(body.ends_with(r#""commissionAsset":"BTC","tradeId":2}]}"#), "{body}");
}

#[tokio::test]
async fn an_open_order_is_queried_listed_and_cancelled() {
    let house = House::new().await;
    let key = house.trader(1);
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=40000&newClientOrderId=rest";
    house.good(Some(&key), "POST", PLACE, &format!("{query}&newOrderRespType=ACK")).await;
    let order = concat!(
        r#"{"symbol":"BTCUSDT","orderId":1,"orderListId":-1,"clientOrderId":"rest","price":"40000.00000000","#,
        r#""origQty":"0.01000000","executedQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"NEW","#,
        r#""timeInForce":"GTC","type":"LIMIT","side":"BUY","stopPrice":"0.00000000","icebergQty":"0.00000000","#,
        r#""time":1790000000000,"updateTime":1790000000000,"isWorking":true,"workingTime":1790000000000,"#,
        r#""origQuoteOrderQty":"0.00000000","selfTradePreventionMode":"EXPIRE_MAKER"}"#,
    );
    for name in ["orderId=1", "origClientOrderId=rest", "orderId=1&origClientOrderId=rest"] {
        assert_eq!(house.good(Some(&key), "GET", PLACE, &format!("symbol=BTCUSDT&{name}")).await, order);
    }
    let listed = format!("[{order}]");
    assert_eq!(house.good(Some(&key), "GET", "/api/v3/openOrders", "").await, listed);
    assert_eq!(house.good(Some(&key), "GET", "/api/v3/openOrders", "symbol=ETHUSDT").await, "[]");
    assert_eq!(house.good(Some(&key), "GET", "/api/v3/allOrders", "symbol=BTCUSDT").await, listed);

    let cancel = "symbol=BTCUSDT&origClientOrderId=rest&newClientOrderId=gone";
    let body = house.good(Some(&key), "DELETE", PLACE, cancel).await;
    let cancelled = concat!(
        r#"{"symbol":"BTCUSDT","origClientOrderId":"rest","orderId":1,"orderListId":-1,"clientOrderId":"gone","#,
        r#""transactTime":1790000000000,"price":"40000.00000000","origQty":"0.01000000","executedQty":"0.00000000","#,
        r#""origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"CANCELED","#,
        r#""timeInForce":"GTC","type":"LIMIT","side":"BUY","selfTradePreventionMode":"EXPIRE_MAKER"}"#,
    );
    assert_eq!(body, cancelled);
}

#[tokio::test]
async fn all_open_orders_of_a_symbol_are_cancelled_at_once() {
    let house = House::new().await;
    let key = house.trader(1);
    for price in [40_000, 41_000] {
        let query = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price}");
        house.good(Some(&key), "POST", PLACE, &query).await;
    }
    let body = house.good(Some(&key), "DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await;
    assert_eq!(body.matches(r#""status":"CANCELED""#).count(), 2, "{body}");
    let (status, body) = house.refused(Some(&key), "DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await;
    assert_eq!((status, body.as_str()), (400, r#"{"code":-2011,"msg":"Unknown order sent."}"#));
}

#[tokio::test]
async fn a_test_order_says_nothing_or_the_rates() {
    let house = House::new().await;
    let key = house.trader(1);
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=40000";
    assert_eq!(house.good(Some(&key), "POST", "/api/v3/order/test", query).await, "{}");
    let with_rates = format!("{query}&computeCommissionRates=true");
    assert_eq!(
        house.good(Some(&key), "POST", "/api/v3/order/test", &with_rates).await,
        concat!(
            r#"{"standardCommissionForOrder":{"maker":"0.00100000","taker":"0.00100000"},"#,
            r#""specialCommissionForOrder":{"maker":"0.00000000","taker":"0.00000000"},"#,
            r#""taxCommissionForOrder":{"maker":"0.00000000","taker":"0.00000000"},"#,
            r#""discount":{"enabledForAccount":false,"enabledForSymbol":false,"discountAsset":"BNB","#,
            r#""discount":"0.25000000"}}"#,
        )
    );
    assert_eq!(house.good(Some(&key), "GET", "/api/v3/openOrders", "").await, "[]");
    let too_much = query.replace("quantity=0.01", "quantity=100");
    let (_, body) = house.refused(Some(&key), "POST", "/api/v3/order/test", &too_much).await;
    assert_eq!(number_of(&body, "code"), -2010);
}

#[tokio::test]
async fn refusals_carry_the_contracts_numbers_and_words() {
    let house = House::new().await;
    let key = house.trader(1);
    let limit = "side=BUY&type=LIMIT&timeInForce=GTC";
    let cases = [
        ("POST", PLACE, format!("symbol=NOPE&{limit}&quantity=1&price=1"), -1121, "Invalid symbol."),
        (
            "POST",
            PLACE,
            format!("symbol=BTCUSDT&{limit}&price=40000"),
            -1102,
            "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.",
        ),
        (
            "POST",
            PLACE,
            format!("symbol=BTCUSDT&{limit}&price=40000&quantity=1&stopPrice=1"),
            -1106,
            "Parameter 'stopPrice' sent when not required.",
        ),
        (
            "POST",
            PLACE,
            format!("symbol=BTCUSDT&{limit}&price=40000&quantity=0.0000001"),
            -1013,
            "Filter failure: LOT_SIZE",
        ),
        (
            "POST",
            PLACE,
            format!("symbol=BTCUSDT&{limit}&price=40000&quantity=99999999999999"),
            -1108,
            "Parameter 'quantity' overflowed.",
        ),
        (
            "POST",
            PLACE,
            format!("symbol=BTCUSDT&{limit}&price=50000&quantity=9"),
            -2010,
            "Account has insufficient balance for requested action.",
        ),
        (
            "POST",
            PLACE,
            "symbol=BTCUSDT&side=BUY&type=STOP_LOSS&quantity=1&stopPrice=60000".to_owned(),
            -2010,
            "Stop loss orders are not supported for this symbol.",
        ),
        (
            "POST",
            PLACE,
            format!("symbol=BTCUSDT&{limit}&price=40000&quantity=1&pegPriceType=PRIMARY_PEG"),
            -2010,
            "Pegged orders are not supported for this symbol.",
        ),
        ("GET", PLACE, "symbol=BTCUSDT&orderId=9".to_owned(), -2013, "Order does not exist."),
        (
            "GET",
            PLACE,
            "symbol=BTCUSDT".to_owned(),
            -1102,
            "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
        ),
        ("DELETE", PLACE, "symbol=BTCUSDT&orderId=9".to_owned(), -2011, "Unknown order sent."),
        (
            "GET",
            "/api/v3/allOrders",
            "symbol=BTCUSDT&startTime=1790000000000&endTime=1790086400001".to_owned(),
            -1127,
            "More than 24 hours between startTime and endTime.",
        ),
    ];
    for (method, path, query, code, message) in cases {
        let (status, body) = house.refused(Some(&key), method, path, &query).await;
        assert_eq!((status, body), (400, format!(r#"{{"code":{code},"msg":"{message}"}}"#)), "{method} {path}?{query}");
    }
}

#[tokio::test]
async fn the_order_limit_answers_429() {
    let house = House::new().await;
    let key = house.trader(1);
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";
    for _ in 0..100 {
        house.good(Some(&key), "POST", PLACE, query).await;
    }
    let (status, body) = house.refused(Some(&key), "POST", PLACE, query).await;
    let expected = r#"{"code":-1015,"msg":"Too many new orders; current limit is 100 orders per 10 SECOND."}"#;
    assert_eq!((status, body.as_str()), (429, expected));
    let counts = house.good(Some(&key), "GET", "/api/v3/rateLimit/order", "").await;
    assert_eq!(
        counts,
        concat!(
            r#"[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100,"count":100},"#,
            r#"{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":200000,"count":100}]"#,
        )
    );
}

#[tokio::test]
async fn an_isolated_special_key_trades_its_pair_from_its_own_wallet() {
    let house = House::new().await;
    let spot = house.trader(1);
    let key = house.special(1, Scope::Isolated(pair("BTCUSDT")));
    let order = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=40000";
    house.good(Some(&key), "POST", PLACE, &format!("symbol=BTCUSDT&{order}")).await;
    assert_eq!(house.good(Some(&spot), "GET", "/api/v3/openOrders", "").await, "[]", "not the spot wallet");
    let (_, body) = house.refused(Some(&key), "POST", PLACE, &format!("symbol=ETHUSDT&{order}")).await;
    assert_eq!(body, r#"{"code":-2010,"msg":"This symbol is restricted for this account."}"#);
    let reader = house.reader(1);
    let (status, body) = house.refused(Some(&reader), "POST", PLACE, &format!("symbol=BTCUSDT&{order}")).await;
    assert_eq!((status, number_of(&body, "code")), (401, -2015));
}
