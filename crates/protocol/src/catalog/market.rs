//! Public market data: `/api/v3` without a key, and what clients ask of the futures families at start.

use super::shared::{ID, INTERVAL, SYMBOL, SYMBOL_STATUS, TICKER_TYPE};
use super::table::endpoints;
use super::{Kind, Param};

endpoints! {
    /// Spot market data.
    ROWS from "REST API, 2026-07-21";
    Get "/api/v3/ping"                         None Ip 1               => Ping;
    Get "/api/v3/time"                         None Ip 1               => Time;
    Get "/api/v3/exchangeInfo"                 None Ip 20              => ExchangeInfo(EXCHANGE_INFO);
    Get "/api/v3/executionRules"               None Ip execution_rules => Unavailable;
    Get "/api/v3/depth"                        None Ip depth           => Depth(DEPTH);
    Get "/api/v3/trades"                       None Ip 25              => Trades(TRADES);
    Get "/api/v3/historicalTrades"             None Ip 25              => HistoricalTrades(HISTORICAL_TRADES);
    Get "/api/v3/historicalBlockTrades"        None Ip 25              => Unavailable;
    Get "/api/v3/aggTrades"                    None Ip 4               => AggTrades(AGG_TRADES);
    Get "/api/v3/klines"                       None Ip 2               => Klines(KLINES);
    Get "/api/v3/uiKlines"                     None Ip 2               => UiKlines(KLINES);
    Get "/api/v3/avgPrice"                     None Ip 2               => AvgPrice(SYMBOL);
    Get "/api/v3/ticker/24hr"                  None Ip ticker_24hr     => Ticker24hr(TICKER_24HR);
    Get "/api/v3/ticker/tradingDay"            None Ip ticker_window   => Unavailable;
    Get "/api/v3/ticker/price"                 None Ip ticker          => TickerPrice(TICKER);
    Get "/api/v3/ticker/bookTicker"            None Ip ticker          => TickerBook(TICKER);
    Get "/api/v3/ticker"                       None Ip ticker_window   => Unavailable;
    Get "/api/v3/referencePrice"               None Ip 2               => Unavailable;
    Get "/api/v3/referencePrice/calculation"   None Ip 2               => Unavailable;
}

endpoints! {
    /// Clients of several families load these lists together; here they are empty.
    FUTURES from "USD-M and COIN-M futures, exchange information, 2026-01-15";
    Get "/fapi/v1/exchangeInfo"                None Ip 1               => FuturesExchangeInfo;
    Get "/dapi/v1/exchangeInfo"                None Ip 1               => DeliveryExchangeInfo;
}

const LIMIT: Param = Param::may("limit", Kind::Limit { max: 1000 });

const EXCHANGE_INFO: &[Param] = &[
    Param::may("symbol", Kind::Symbol),
    Param::may("symbols", Kind::Symbols),
    Param::may("permissions", Kind::Text { max: 1024 }),
    Param::may("showPermissionSets", Kind::Bool),
    Param::may("symbolStatus", SYMBOL_STATUS),
];

const DEPTH: &[Param] = &[
    Param::must("symbol", Kind::Symbol),
    Param::may("limit", Kind::Limit { max: 5000 }),
    Param::may("symbolStatus", SYMBOL_STATUS),
];

const TRADES: &[Param] = &[Param::must("symbol", Kind::Symbol), LIMIT];

const HISTORICAL_TRADES: &[Param] = &[Param::must("symbol", Kind::Symbol), LIMIT, Param::may("fromId", ID)];

const AGG_TRADES: &[Param] = &[
    Param::must("symbol", Kind::Symbol),
    Param::may("fromId", ID),
    Param::may("startTime", Kind::Time),
    Param::may("endTime", Kind::Time),
    LIMIT,
];

const KLINES: &[Param] = &[
    Param::must("symbol", Kind::Symbol),
    Param::must("interval", INTERVAL),
    Param::may("startTime", Kind::Time),
    Param::may("endTime", Kind::Time),
    Param::may("timeZone", Kind::TimeZone),
    LIMIT,
];

const TICKER_24HR: &[Param] = &[
    Param::may("symbol", Kind::Symbol),
    Param::may("symbols", Kind::Symbols),
    Param::may("type", TICKER_TYPE),
    Param::may("symbolStatus", SYMBOL_STATUS),
];

const TICKER: &[Param] = &[
    Param::may("symbol", Kind::Symbol),
    Param::may("symbols", Kind::Symbols),
    Param::may("symbolStatus", SYMBOL_STATUS),
];
