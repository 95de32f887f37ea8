//! Public data.

use latchkey_exchange::Flow;

use crate::harness::{House, Setup, number_of};

async fn get(house: &House, path: &str, query: &str) -> String {
    house.good(None, "GET", path, query).await
}

/// A trade of 0.01 BTC at 50000, with 0.01 left on offer and a bid at 49000.
async fn traded() -> House {
    let house = House::new().await;
    let (maker, taker) = (house.trader(2), house.trader(1));
    for (key, order) in [
        (&maker, "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.02&price=50000"),
        (&taker, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01"),
        (&taker, "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=49000"),
    ] {
        house.good(Some(key), "POST", "/api/v3/order", order).await;
    }
    house
}

#[tokio::test]
async fn ping_time_and_futures_are_answered_at_once() {
    let house = House::new().await;
    assert_eq!(get(&house, "/api/v3/ping", "").await, "{}");
    assert_eq!(get(&house, "/api/v3/time", "").await, r#"{"serverTime":1790000000000}"#);
    for path in ["/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"] {
        let body = get(&house, path, "").await;
        assert!(body.contains(r#""symbols":[]"#) && body.contains(r#""serverTime":1790000000000"#), "{body}");
    }
}

#[tokio::test]
async fn the_exchange_announces_its_limits_and_symbols() {
    let house = House::new().await;
    let body = get(&house, "/api/v3/exchangeInfo", "symbol=BTCUSDT").await;
    assert_eq!(
        body,
        concat!(
            r#"{"timezone":"UTC","serverTime":1790000000000,"rateLimits":["#,
            r#"{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":1200},"#,
            r#"{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100},"#,
            r#"{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":200000},"#,
            r#"{"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":61000}],"#,
            r#""exchangeFilters":[],"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","#,
            r#""baseAssetPrecision":8,"quoteAsset":"USDT","quotePrecision":8,"quoteAssetPrecision":8,"#,
            r#""baseCommissionPrecision":8,"quoteCommissionPrecision":8,"#,
            r#""orderTypes":["LIMIT","LIMIT_MAKER","MARKET"],"icebergAllowed":false,"ocoAllowed":false,"#,
            r#""otoAllowed":false,"opoAllowed":false,"quoteOrderQtyMarketAllowed":true,"allowTrailingStop":false,"#,
            r#""cancelReplaceAllowed":false,"amendAllowed":false,"pegInstructionsAllowed":false,"#,
            r#""isSpotTradingAllowed":true,"isMarginTradingAllowed":true,"filters":["#,
        )
        .to_owned()
            + FILTERS
            + r#"],"permissions":[],"permissionSets":[["SPOT","MARGIN"]],"#
            + r#""defaultSelfTradePreventionMode":"EXPIRE_MAKER","#
            + r#""allowedSelfTradePreventionModes":["NONE","EXPIRE_TAKER","EXPIRE_MAKER","EXPIRE_BOTH","DECREMENT"]}]}"#
    );
}

const FILTERS: &str = concat!(
    r#"{"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},"#,
    r#"{"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},"#,
    r#"{"filterType":"ICEBERG_PARTS","limit":10},"#,
    r#"{"filterType":"MARKET_LOT_SIZE","minQty":"0.00000000","maxQty":"900.00000000","stepSize":"0.00000000"},"#,
    r#"{"filterType":"TRAILING_DELTA","minTrailingAboveDelta":10,"maxTrailingAboveDelta":2000,"#,
    r#""minTrailingBelowDelta":10,"maxTrailingBelowDelta":2000},"#,
    r#"{"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","bidMultiplierDown":"0.2","#,
    r#""askMultiplierUp":"5","askMultiplierDown":"0.2","avgPriceMins":5},"#,
    r#"{"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true,"#,
    r#""maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5},"#,
    r#"{"filterType":"MAX_NUM_ORDERS","maxNumOrders":200},{"filterType":"MAX_NUM_ORDER_LISTS","maxNumOrderLists":20},"#,
    r#"{"filterType":"MAX_NUM_ALGO_ORDERS","maxNumAlgoOrders":5},"#,
    r#"{"filterType":"MAX_NUM_ORDER_AMENDS","maxNumOrderAmends":10}"#,
);

#[tokio::test]
async fn exchange_information_is_narrowed_by_its_parameters() {
    let house = House::new().await;
    let path = "/api/v3/exchangeInfo";
    let names = |body: &str| body.matches(r#"{"symbol":""#).count();
    for (query, expected) in [
        ("", 2),
        ("symbols=[%22ETHUSDT%22,%22BTCUSDT%22]", 2),
        ("symbols=%5B%22ETHUSDT%22%5D", 1),
        ("permissions=SPOT", 2),
        ("permissions=%5B%22MARGIN%22%2C%22LEVERAGED%22%5D", 2),
        ("permissions=LEVERAGED", 0),
        ("symbolStatus=TRADING", 2),
        ("symbolStatus=HALT", 0),
    ] {
        assert_eq!(names(&get(&house, path, query).await), expected, "{query}");
    }
    let body = get(&house, path, "showPermissionSets=false").await;
    assert!(body.contains(r#""permissionSets":[],"#) && !body.contains(r#"[["SPOT""#), "{body}");
    for (query, code) in [
        ("symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D", -1128),
        ("symbol=BTCUSDT&permissions=SPOT", -1128),
        ("symbols=%5B%22BTCUSDT%22%5D&symbolStatus=TRADING", -1128),
        ("symbol=NOPE", -1121),
        ("symbols=%5B%22BTCUSDT%22%2C%22NOPE%22%5D", -1121),
        ("symbols=%5B%5D", -1130),
        ("permissions=FLYING", -1130),
        ("permissions=%5BSPOT%5D", -1130),
        ("symbolStatus=OPEN", -1122),
    ] {
        assert_eq!(number_of(&house.refused(None, "GET", path, query).await.1, "code"), code, "{query}");
    }
}

#[tokio::test]
async fn book_and_trades_have_their_shapes() {
    let house = traded().await;
    let depth = get(&house, "/api/v3/depth", "symbol=BTCUSDT").await;
    assert!(
        depth.ends_with(r#""bids":[["49000.00000000","0.50000000"]],"asks":[["50000.00000000","0.01000000"]]}"#),
        "{depth}"
    );
    let trade = concat!(
        r#"[{"id":1,"price":"50000.00000000","qty":"0.01000000","quoteQty":"500.00000000","time":1790000000000,"#,
        r#""isBuyerMaker":false,"isBestMatch":true}]"#
    );
    assert_eq!(get(&house, "/api/v3/trades", "symbol=BTCUSDT").await, trade);
    assert_eq!(get(&house, "/api/v3/historicalTrades", "symbol=BTCUSDT&fromId=1&limit=1").await, trade);
    assert_eq!(
        get(&house, "/api/v3/aggTrades", "symbol=BTCUSDT").await,
        r#"[{"a":1,"p":"50000.00000000","q":"0.01000000","f":1,"l":1,"T":1790000000000,"m":false,"M":true}]"#
    );
    assert_eq!(
        get(&house, "/api/v3/avgPrice", "symbol=BTCUSDT").await,
        r#"{"mins":5,"price":"50000.00000000","closeTime":1790000000000}"#
    );
    for (path, query, code) in [
        ("/api/v3/depth", "symbol=NOPE", -1121),
        ("/api/v3/depth", "symbol=BTCUSDT&symbolStatus=HALT", -1220),
        ("/api/v3/trades", "symbol=NOPE", -1121),
        ("/api/v3/avgPrice", "symbol=NOPE", -1121),
        ("/api/v3/aggTrades", "symbol=BTCUSDT&fromId=1&startTime=1790000000000", -1128),
        ("/api/v3/klines", "symbol=NOPE&interval=1m", -1121),
        ("/api/v3/klines", "symbol=NOPE&interval=1d&timeZone=8", -1121),
        ("/api/v3/klines", "symbol=BTCUSDT&interval=2m", -1120),
    ] {
        assert_eq!(number_of(&house.refused(None, "GET", path, query).await.1, "code"), code, "{path}?{query}");
    }
}

#[tokio::test]
async fn candles_begin_where_their_zone_says() {
    let house = traded().await;
    let rest = concat!(
        r#""50000.00000000","50000.00000000","50000.00000000","50000.00000000","0.01000000",{close},"#,
        r#""500.00000000",1,"0.01000000","500.00000000","0"]]"#
    );
    // 2026-09-21T00:00:00Z, and the midnight of a zone eight hours east, which is that of the 22nd's first hours.
    let (day, length) = (1_789_948_800_000_i64, 86_400_000_i64);
    for (zone, begin) in [("", day), ("&timeZone=8", day - 8 * 3_600_000), ("&timeZone=-1:30", day + 5_400_000)] {
        let query = format!("symbol=BTCUSDT&interval=1d{zone}");
        let close = (begin + length - 1).to_string();
        let expected = format!("[[{begin},{}", rest.replace("{close}", &close));
        assert_eq!(get(&house, "/api/v3/klines", &query).await, expected, "{zone}");
        assert_eq!(get(&house, "/api/v3/uiKlines", &query).await, expected, "{zone}");
    }
}

#[tokio::test]
async fn tickers_answer_one_some_or_all() {
    let house = traded().await;
    let price = r#"{"symbol":"BTCUSDT","price":"50000.00000000"}"#;
    let path = "/api/v3/ticker/price";
    assert_eq!(get(&house, path, "symbol=BTCUSDT").await, price);
    assert_eq!(get(&house, path, "symbols=%5B%22BTCUSDT%22%5D").await, format!("[{price}]"));
    assert!(get(&house, path, "").await.starts_with(&format!("[{price},")));
    assert_eq!(get(&house, path, "symbolStatus=BREAK").await, "[]");
    assert_eq!(
        get(&house, "/api/v3/ticker/bookTicker", "symbol=BTCUSDT").await,
        concat!(
            r#"{"symbol":"BTCUSDT","bidPrice":"49000.00000000","bidQty":"0.50000000","#,
            r#""askPrice":"50000.00000000","askQty":"0.01000000"}"#
        )
    );
    assert_eq!(
        get(&house, "/api/v3/ticker/24hr", "symbol=BTCUSDT").await,
        concat!(
            r#"{"symbol":"BTCUSDT","priceChange":"0.00000000","priceChangePercent":"0.000","#,
            r#""weightedAvgPrice":"50000.00000000","prevClosePrice":"50000.00000000","lastPrice":"50000.00000000","#,
            r#""lastQty":"0.01000000","bidPrice":"49000.00000000","bidQty":"0.50000000","askPrice":"50000.00000000","#,
            r#""askQty":"0.01000000","openPrice":"50000.00000000","highPrice":"50000.00000000","#,
            r#""lowPrice":"50000.00000000","volume":"0.01000000","quoteVolume":"500.00000000","#,
            r#""openTime":1789913600000,"closeTime":1790000000000,"firstId":1,"lastId":1,"count":1}"#,
        )
    );
    assert_eq!(
        get(&house, "/api/v3/ticker/24hr", "symbol=BTCUSDT&type=MINI").await,
        concat!(
            r#"{"symbol":"BTCUSDT","openPrice":"50000.00000000","highPrice":"50000.00000000","#,
            r#""lowPrice":"50000.00000000","lastPrice":"50000.00000000","volume":"0.01000000","#,
            r#""quoteVolume":"500.00000000","openTime":1789913600000,"closeTime":1790000000000,"firstId":1,"#,
            r#""lastId":1,"count":1}"#,
        )
    );
    for path in ["/api/v3/ticker/price", "/api/v3/ticker/bookTicker", "/api/v3/ticker/24hr"] {
        for (query, code) in [
            ("symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D", -1128),
            ("symbol=NOPE", -1121),
            ("symbols=%5B%22NOPE%22%5D", -1121),
            ("symbol=BTCUSDT&symbolStatus=HALT", -1220),
        ] {
            assert_eq!(number_of(&house.refused(None, "GET", path, query).await.1, "code"), code, "{path}?{query}");
        }
    }
}

#[tokio::test]
async fn margin_pairs_need_a_key_and_no_signature() {
    let house = House::new().await;
    let key = house.reader(1);
    let bitcoin = r#""isBuyAllowed":true,"isMarginTrade":true,"isSellAllowed":true,"quote":"USDT","symbol":"BTCUSDT"}"#;
    let all = house.good(Some(&key), "GET", "/sapi/v1/margin/allPairs", "").await;
    assert!(all.starts_with(&format!(r#"[{{"base":"BTC","id":1,{bitcoin},{{"base":"ETH","id":2,"#)), "{all}");
    let isolated = house.good(Some(&key), "GET", "/sapi/v1/margin/isolated/allPairs", "symbol=BTCUSDT").await;
    assert_eq!(isolated, format!(r#"[{{"base":"BTC",{bitcoin}]"#));
    let (_, body) = house.refused(Some(&key), "GET", "/sapi/v1/margin/allPairs", "symbol=NOPE").await;
    assert_eq!(number_of(&body, "code"), -1121);
}

#[tokio::test]
async fn the_synthetic_market_is_there_before_the_first_call_and_goes_on_by_itself() {
    let house = House::with(Setup { flow: Flow::Synthetic, ..Setup::default() }).await;
    let depth = get(&house, "/api/v3/depth", "symbol=BTCUSDT&limit=5").await;
    assert_eq!(depth.matches("],[").count(), 8, "five levels a side: {depth}");
    let before = house.gate.commits();
    house.clock.advance_millis(1_000);
    for _ in 0..1_000 {
        house.venue.exchange().state_hash().await.unwrap();
        if house.gate.commits() > before {
            return;
        }
    }
    panic!("a step was due");
}

#[tokio::test]
async fn a_new_symbol_is_announced_once_it_is_durable() {
    use latchkey_exchange::Command;
    use latchkey_exchange::spec::SymbolSpec;
    use latchkey_protocol::order::SymbolStatus;
    let house = House::new().await;
    let spec = SymbolSpec::builtin().remove(2);
    let symbol = spec.symbol;
    house.venue.exchange().carry_out(Command::AddSymbol(Box::new(spec))).await.unwrap();
    assert!(get(&house, "/api/v3/exchangeInfo", "symbol=BNBUSDT").await.contains(r#""status":"TRADING""#));
    let halt = Command::SetSymbolStatus { symbol, status: SymbolStatus::Halt };
    house.venue.exchange().carry_out(halt).await.unwrap();
    assert!(get(&house, "/api/v3/exchangeInfo", "symbol=BNBUSDT").await.contains(r#""status":"HALT""#));
    assert_eq!(get(&house, "/api/v3/ticker/price", "symbolStatus=HALT").await.matches("BNBUSDT").count(), 1);
}
