//! What an account reads of itself: `/api` and the wallet and margin families.

use latchkey_authority::key::Scope;

use crate::harness::{House, number_of, pair};

#[tokio::test]
async fn the_account_is_that_of_the_wallet_that_the_key_unlocks() {
    let house = House::new().await;
    let key = house.trader(1);
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=40000";
    house.good(Some(&key), "POST", "/api/v3/order", order).await;
    let body = house.good(Some(&key), "GET", "/api/v3/account", "").await;
    assert_eq!(
        body,
        concat!(
            r#"{"makerCommission":10,"takerCommission":10,"buyerCommission":0,"sellerCommission":0,"#,
            r#""commissionRates":{"maker":"0.00100000","taker":"0.00100000","buyer":"0.00000000","#,
            r#""seller":"0.00000000"},"canTrade":true,"canWithdraw":true,"canDeposit":true,"brokered":false,"#,
            r#""requireSelfTradePrevention":false,"preventSor":false,"updateTime":1790000000000,"#,
            r#""accountType":"SPOT","balances":["#,
            r#"{"asset":"BTC","free":"10.00000000","locked":"0.00000000"},"#,
            r#"{"asset":"ETH","free":"0.00000000","locked":"0.00000000"},"#,
            r#"{"asset":"USDT","free":"99600.00000000","locked":"400.00000000"}],"permissions":["SPOT"],"uid":1}"#,
        )
    );
    let body = house.good(Some(&house.reader(1)), "GET", "/api/v3/account", "omitZeroBalances=true").await;
    assert!(body.contains(r#""canTrade":false"#) && !body.contains("ETH"), "{body}");

    let cross = house.special(1, Scope::Cross);
    let cross = house.good(Some(&cross), "GET", "/api/v3/account", "omitZeroBalances=true").await;
    assert!(
        cross.ends_with(concat!(
            r#""accountType":"MARGIN","balances":[{"asset":"USDT","free":"50000.00000000","locked":"0.00000000"}],"#,
            r#""permissions":["MARGIN"],"uid":1}"#
        )),
        "{cross}"
    );
    let isolated = house.special(1, Scope::Isolated(pair("BTCUSDT")));
    let isolated = house.good(Some(&isolated), "GET", "/api/v3/account", "").await;
    assert!(
        isolated.ends_with(concat!(
            r#""accountType":"ISOLATED_MARGIN","balances":[{"asset":"BTC","free":"0.00000000","locked":"0.00000000"},"#,
            r#"{"asset":"USDT","free":"2000.00000000","locked":"0.00000000"}],"permissions":["MARGIN"],"uid":1}"#
        )),
        "{isolated}"
    );
    assert!(isolated.contains(r#""canTrade":true,"canWithdraw":false,"canDeposit":false"#), "{isolated}");
}

#[tokio::test]
async fn trades_are_listed_and_odd_combinations_refused() {
    let house = House::new().await;
    let (maker, key) = (house.trader(2), house.trader(1));
    let sell = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.01&price=50000";
    house.good(Some(&maker), "POST", "/api/v3/order", sell).await;
    house.good(Some(&key), "POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01").await;
    let trade = concat!(
        r#"[{"symbol":"BTCUSDT","id":1,"orderId":2,"orderListId":-1,"price":"50000.00000000","qty":"0.01000000","#,
        r#""quoteQty":"500.00000000","commission":"0.00001000","commissionAsset":"BTC","time":1790000000000,"#,
        r#""isBuyer":true,"isMaker":false,"isBestMatch":true}]"#,
    );
    let path = "/api/v3/myTrades";
    for more in ["", "&orderId=2", "&fromId=1", "&orderId=2&fromId=0", "&startTime=1790000000000", "&limit=5"] {
        assert_eq!(house.good(Some(&key), "GET", path, &format!("symbol=BTCUSDT{more}")).await, trade, "{more}");
    }
    let maker_side = house.good(Some(&maker), "GET", path, "symbol=BTCUSDT").await;
    assert!(maker_side.contains(r#""commission":"0.50000000","commissionAsset":"USDT""#), "{maker_side}");
    for more in ["&orderId=2&startTime=1790000000000", "&fromId=1&endTime=1790000000000"] {
        let (_, body) = house.refused(Some(&key), "GET", path, &format!("symbol=BTCUSDT{more}")).await;
        assert_eq!(number_of(&body, "code"), -1128, "{more}");
    }
    let day = "symbol=BTCUSDT&startTime=1789900000000&endTime=1789986400001";
    let (_, body) = house.refused(Some(&key), "GET", path, day).await;
    assert_eq!(number_of(&body, "code"), -1127);
}

#[tokio::test]
async fn rates_are_told_per_symbol() {
    let house = House::new().await;
    let key = house.reader(1);
    let none = r#"{"maker":"0.00000000","taker":"0.00000000","buyer":"0.00000000","seller":"0.00000000"}"#;
    let standard = r#"{"maker":"0.00100000","taker":"0.00100000","buyer":"0.00000000","seller":"0.00000000"}"#;
    let discount =
        r#"{"enabledForAccount":false,"enabledForSymbol":false,"discountAsset":"BNB","discount":"0.25000000"}"#;
    assert_eq!(
        house.good(Some(&key), "GET", "/api/v3/account/commission", "symbol=BTCUSDT").await,
        format!(
            r#"{{"symbol":"BTCUSDT","standardCommission":{standard},"specialCommission":{none},"taxCommission":{none},"discount":{discount}}}"#
        )
    );
    let fee = r#"{"symbol":"ETHUSDT","makerCommission":"0.00100000","takerCommission":"0.00100000"}"#;
    let path = "/sapi/v1/asset/tradeFee";
    assert_eq!(house.good(Some(&key), "GET", path, "symbol=ETHUSDT").await, format!("[{fee}]"), "always a list");
    assert!(house.good(Some(&key), "GET", path, "").await.ends_with(&format!(",{fee}]")));
    assert_eq!(number_of(&house.refused(Some(&key), "GET", path, "symbol=NOPE").await.1, "code"), -1121);
}

#[tokio::test]
async fn the_wallet_family_reads_the_key_and_its_account() {
    let house = House::new().await;
    let key = house.trader(1);
    let get = |path| house.good(Some(&key), "GET", path, "");
    assert_eq!(
        get("/sapi/v1/account/apiRestrictions").await,
        concat!(
            r#"{"ipRestrict":true,"createTime":1789913600000,"enableReading":true,"enableWithdrawals":false,"#,
            r#""enableInternalTransfer":false,"enableMargin":false,"enableFutures":false,"#,
            r#""permitsUniversalTransfer":false,"enableVanillaOptions":false,"enableFixApiTrade":false,"#,
            r#""enableFixReadOnly":false,"enableSpotAndMarginTrading":true,"enablePortfolioMarginTrading":false}"#,
        )
    );
    assert_eq!(
        get("/sapi/v1/account/info").await,
        concat!(
            r#"{"vipLevel":9,"isMarginEnabled":true,"isFutureEnabled":true,"isOptionsEnabled":false,"#,
            r#""isPortfolioMarginRetailEnabled":false}"#
        )
    );
    assert_eq!(get("/sapi/v1/account/status").await, r#"{"data":"Normal"}"#);
    assert_eq!(
        get("/sapi/v1/account/apiTradingStatus").await,
        concat!(
            r#"{"data":{"isLocked":false,"plannedRecoverTime":0,"#,
            r#""triggerCondition":{"GCR":150,"IFER":150,"UFR":300},"updateTime":1790000000000}}"#
        )
    );
    let coins = get("/sapi/v1/capital/config/getall").await;
    let bitcoin = concat!(
        r#"[{"coin":"BTC","depositAllEnable":false,"free":"10.00000000","freeze":"0.00000000","ipoable":"0.00000000","#,
        r#""ipoing":"0.00000000","isLegalMoney":false,"locked":"0.00000000","name":"BTC","networkList":[],"#,
        r#""storage":"0.00000000","trading":true,"withdrawAllEnable":false,"withdrawing":"0.00000000"},{"coin":"ETH""#,
    );
    assert!(coins.starts_with(bitcoin), "{coins}");
    let special = house.special(1, Scope::Cross);
    let coins = house.good(Some(&special), "GET", "/sapi/v1/capital/config/getall", "").await;
    assert!(
        coins.contains(r#""coin":"USDT""#) && !coins.contains("100000"),
        "served, without the spot wallet: {coins}"
    );
}

#[tokio::test]
async fn margin_accounts_show_balances_and_their_worth() {
    let house = House::new().await;
    let key = house.reader(1);
    assert_eq!(
        house.good(Some(&key), "GET", "/sapi/v1/margin/account", "").await,
        concat!(
            r#"{"created":true,"borrowEnabled":false,"marginLevel":"999.00000000","#,
            r#""collateralMarginLevel":"999.00000000","totalAssetOfBtc":"1.00000000","#,
            r#""totalLiabilityOfBtc":"0.00000000","totalNetAssetOfBtc":"1.00000000","#,
            r#""TotalCollateralValueInUSDT":"50000.00000000","totalOpenOrderLossInUSDT":"0.00000000","#,
            r#""tradeEnabled":true,"transferInEnabled":false,"transferOutEnabled":false,"accountType":"MARGIN_1","#,
            r#""userAssets":[{"asset":"BTC","borrowed":"0.00000000","free":"0.00000000","interest":"0.00000000","#,
            r#""locked":"0.00000000","netAsset":"0.00000000"},{"asset":"ETH","borrowed":"0.00000000","#,
            r#""free":"0.00000000","interest":"0.00000000","locked":"0.00000000","netAsset":"0.00000000"},"#,
            r#"{"asset":"USDT","borrowed":"0.00000000","free":"50000.00000000","interest":"0.00000000","#,
            r#""locked":"0.00000000","netAsset":"50000.00000000"}]}"#,
        )
    );
    let empty = house.good(Some(&house.reader(2)), "GET", "/sapi/v1/margin/account", "").await;
    assert!(empty.starts_with(r#"{"created":false"#) && empty.contains(r#""tradeEnabled":false"#), "{empty}");

    let side = |asset: &str, free: &str, worth: &str| {
        format!(
            r#"{{"asset":"{asset}","borrowEnabled":false,"borrowed":"0.00000000","free":"{free}","interest":"0.00000000","locked":"0.00000000","netAsset":"{free}","netAssetOfBtc":"{worth}","repayEnabled":false,"totalAsset":"{free}"}}"#
        )
    };
    let (base, quote) = (side("BTC", "0.00000000", "0.00000000"), side("USDT", "2000.00000000", "0.04000000"));
    let row = format!(
        r#"{{"baseAsset":{base},"quoteAsset":{quote},"symbol":"BTCUSDT","isolatedCreated":true,"enabled":true,"marginLevel":"999.00000000","marginLevelStatus":"EXCESSIVE","marginRatio":"10.00000000","indexPrice":"50000.00000000","liquidatePrice":"0.00000000","liquidateRate":"0.00000000","tradeEnabled":true}}"#
    );
    let totals =
        r#""totalAssetOfBtc":"0.04000000","totalLiabilityOfBtc":"0.00000000","totalNetAssetOfBtc":"0.04000000""#;
    let path = "/sapi/v1/margin/isolated/account";
    assert_eq!(house.good(Some(&key), "GET", path, "").await, format!(r#"{{"assets":[{row}],{totals}}}"#));
    let named = house.good(Some(&key), "GET", path, "symbols=BTCUSDT,ETHUSDT").await;
    assert_eq!(named, format!(r#"{{"assets":[{row}]}}"#), "no totals when pairs are named");
    for (query, code) in [("symbols=NOPE", -3028), ("symbols=A,B,C,D,E,F", -1130)] {
        assert_eq!(number_of(&house.refused(Some(&key), "GET", path, query).await.1, "code"), code, "{query}");
    }
}

#[tokio::test]
async fn a_special_key_sees_the_margin_account_that_it_unlocks_and_no_other() {
    let house = House::new().await;
    let cross = house.special(1, Scope::Cross);
    let isolated = house.special(1, Scope::Isolated(pair("BTCUSDT")));
    let (of_cross, of_isolated) = ("/sapi/v1/margin/account", "/sapi/v1/margin/isolated/account");
    assert!(house.good(Some(&cross), "GET", of_cross, "").await.contains("50000.00000000"));
    assert!(house.good(Some(&isolated), "GET", of_isolated, "").await.contains("2000.00000000"));
    assert!(house.good(Some(&isolated), "GET", of_isolated, "symbols=BTCUSDT").await.contains("2000.00000000"));
    for (key, path, query) in
        [(&isolated, of_cross, ""), (&cross, of_isolated, ""), (&isolated, of_isolated, "symbols=BTCUSDT,ETHUSDT")]
    {
        let (status, body) = house.refused(Some(key), "GET", path, query).await;
        assert_eq!((status, number_of(&body, "code")), (400, -2015), "{path}?{query}");
    }
}
