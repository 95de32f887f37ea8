//! Errors of the market: symbols, what an order says of itself, order lists, market data.

use super::rows;

rows! {
    /// The book has no orders.
    NO_DEPTH = -1112 "NO_DEPTH" 400 "No orders on book for symbol." Spot;
    /// A symbol listed twice.
    DUPLICATE_SYMBOLS = -1151 "DUPLICATE_SYMBOLS" 400 "Symbol is present multiple times in the list." Spot;
    /// Unknown trading pair.
    BAD_SYMBOL = -1121 "BAD_SYMBOL" 400 "Invalid symbol." Spot;
    /// Unknown `symbolStatus`.
    INVALID_SYMBOL_STATUS = -1122 "INVALID_SYMBOLSTATUS" 400 "Invalid symbolStatus." Spot;
    /// The symbol is not in the `symbolStatus` asked for.
    SYMBOL_STATUS_MISMATCH = -1220 "SYMBOL_DOES_NOT_MATCH_STATUS" 400 "The symbol's status does not match the requested symbolStatus." Spot;
    /// Unknown kline interval.
    BAD_INTERVAL = -1120 "BAD_INTERVAL" 400 "Invalid interval." Spot;
    /// Ticker type neither `FULL` nor `MINI`.
    INVALID_TICKER_TYPE = -1139 "INVALID_TICKER_TYPE" 400 "Invalid ticker type." Spot;
    /// `startTime` and `endTime` too far apart.
    LOOKUP_INTERVAL_TOO_BIG = -1127 "MORE_THAN_XX_HOURS" 400 "Lookup interval is too big." Spot;
    /// `startTime` and `endTime` too far apart; the argument is the largest distance in hours.
    MORE_THAN_HOURS = -1127 "MORE_THAN_XX_HOURS" 400 "More than %s hours between startTime and endTime." Spot;
    /// No window of trades to compute from.
    NO_TRADING_WINDOW = -2016 "NO_TRADING_WINDOW" 400 "No trading window could be found for the symbol. Try ticker/24hrs instead." Spot;
    /// The symbol has no reference price.
    NO_REFERENCE_PRICE = -2043 "NO_REFERENCE_PRICE" 400 "This symbol doesn't have a reference price." Spot;

    /// Type, time in force and price do not go together.
    UNKNOWN_ORDER_COMPOSITION = -1014 "UNKNOWN_ORDER_COMPOSITION" 400 "Unsupported order combination." Spot;
    /// A time in force with a type that has none.
    TIME_IN_FORCE_NOT_REQUIRED = -1114 "TIF_NOT_REQUIRED" 400 "TimeInForce parameter sent when not required." Spot;
    /// Unknown time in force.
    INVALID_TIME_IN_FORCE = -1115 "INVALID_TIF" 400 "Invalid timeInForce." Spot;
    /// Unknown order type.
    INVALID_ORDER_TYPE = -1116 "INVALID_ORDER_TYPE" 400 "Invalid orderType." Spot;
    /// Unknown side.
    INVALID_SIDE = -1117 "INVALID_SIDE" 400 "Invalid side." Spot;
    /// An empty `newClientOrderId`.
    EMPTY_NEW_CLIENT_ORDER_ID = -1118 "EMPTY_NEW_CL_ORD_ID" 400 "New client order ID was empty." Spot;
    /// An empty `origClientOrderId`.
    EMPTY_ORIGINAL_CLIENT_ORDER_ID = -1119 "EMPTY_ORG_CL_ORD_ID" 400 "Original client order ID was empty." Spot;
    /// `strategyType` below its least.
    BAD_STRATEGY_TYPE = -1134 "BAD_STRATEGY_TYPE" 400 "'strategyType' was less than 1000000." Spot;
    /// Unknown `newOrderRespType`.
    INVALID_RESPONSE_TYPE = -1136 "INVALID_NEW_ORDER_RESP_TYPE" 400 "Invalid newOrderRespType." Seen;
    /// Unknown `cancelRestrictions`.
    INVALID_CANCEL_RESTRICTIONS = -1145 "INVALID_CANCEL_RESTRICTIONS" 400 "'cancelRestrictions' has to be either 'ONLY_NEW' or 'ONLY_PARTIALLY_FILLED'." Spot;
    /// Unknown `pegPriceType`.
    INVALID_PEG_PRICE_TYPE = -1210 "INVALID_PEG_PRICE_TYPE" 400 "Invalid pegPriceType." Spot;
    /// Unknown `pegOffsetType`.
    INVALID_PEG_OFFSET_TYPE = -1211 "INVALID_PEG_OFFSET_TYPE" 400 "Invalid pegOffsetType." Spot;

    /// A leg of a type that an OCO does not take.
    OCO_ORDER_TYPE_REJECTED = -1158 "OCO_ORDER_TYPE_REJECTED" 400 "Order type not supported in OCO." Spot;
    /// An iceberg leg of an OCO that is not GTC.
    OCO_ICEBERG_NEEDS_GTC = -1160 "OCO_ICEBERGQTY_TIMEINFORCE" 400 "Parameter '%s' is not supported if 'aboveTimeInForce'/'belowTimeInForce' is not GTC." Spot;
    /// The limit leg of a buy OCO stands above.
    BUY_OCO_LIMIT_MUST_BE_BELOW = -1165 "BUY_OCO_LIMIT_MUST_BE_BELOW" 400 "A limit order in a buy OCO must be below." Spot;
    /// The limit leg of a sell OCO stands below.
    SELL_OCO_LIMIT_MUST_BE_ABOVE = -1166 "SELL_OCO_LIMIT_MUST_BE_ABOVE" 400 "A limit order in a sell OCO must be above." Spot;
    /// No leg of an OCO is contingent.
    BOTH_OCO_ORDERS_CANNOT_BE_LIMIT = -1168 "BOTH_OCO_ORDERS_CANNOT_BE_LIMIT" 400 "At least one OCO order must be contingent." Spot;
    /// The stop leg of a buy OCO stands below.
    BUY_OCO_STOP_LOSS_MUST_BE_ABOVE = -1196 "BUY_OCO_STOP_LOSS_MUST_BE_ABOVE" 400 "A stop loss order in a buy OCO must be above." Spot;
    /// The stop leg of a sell OCO stands above.
    SELL_OCO_STOP_LOSS_MUST_BE_BELOW = -1197 "SELL_OCO_STOP_LOSS_MUST_BE_BELOW" 400 "A stop loss order in a sell OCO must be below." Spot;
    /// The take-profit leg of a buy OCO stands above.
    BUY_OCO_TAKE_PROFIT_MUST_BE_BELOW = -1198 "BUY_OCO_TAKE_PROFIT_MUST_BE_BELOW" 400 "A take profit order in a buy OCO must be below." Spot;
    /// The take-profit leg of a sell OCO stands below.
    SELL_OCO_TAKE_PROFIT_MUST_BE_ABOVE = -1199 "SELL_OCO_TAKE_PROFIT_MUST_BE_ABOVE" 400 "A take profit order in a sell OCO must be above." Spot;
    /// The working order of an OPO sells.
    OPO_WORKING_MUST_BE_BUY = -1222 "OPO_WORKING_MUST_BE_BUY" 400 "Working order in an OPO list must be a bid." Spot;
    /// A pending order of an OPO buys.
    OPO_PENDING_MUST_BE_SELL = -1223 "OPO_PENDING_MUST_BE_SELL" 400 "Pending orders in an OPO list must be asks." Spot;
    /// The working order of an OPO lacks a field.
    WORKING_PARAMETER_REQUIRED = -1224 "WORKING_PARAM_REQUIRED" 400 "Working order must include the '%s' tag." Spot;
    /// A pending order of an OPO has a field too many.
    PENDING_PARAMETER_NOT_REQUIRED = -1225 "PENDING_PARAM_NOT_REQUIRED" 400 "Pending orders should not include the '%s' tag." Spot;

    /// Both OCO orders of an OTOCO are contingent, on `/sapi`.
    OTO_BOTH_OCO_SAPI = -1110 "OTO_BOTH_OCO" 400 "Both OCO orders cannot be contingent." Sapi;
    /// No leg of an OCO is contingent, on `/sapi`.
    OTO_AT_LEAST_ONE_OCO_SAPI = -1122 "OTO_AT_LEAST_NOE_OCO" 400 "At least one OCO order must be contingent." Sapi;
    /// The visible part is larger than the order, on `/sapi`.
    ICEBERG_EXCEEDS_QUANTITY_SAPI = -1123 "ICEBERG_QTY_EXCEEDS_QTY" 400 "IcebergQty exceeds QTY." Sapi;
    /// An iceberg that is not GTC, on `/sapi`.
    ICEBERG_WITHOUT_GTC_SAPI = -1124 "ICEBERG_WITHOUT_GTC" 400 "Parameter '%s' is not supported if '%s' is not GTC." Sapi;
    /// The two orders of an OTO differ in size, on `/sapi`.
    OTO_QUANTITY_NOT_SAME_SAPI = -2017 "OTO_QUANTITY_NOT_SAME" 400 "Parameter 'pendingQuantity' must be the same as workingQuantity." Sapi;
    /// The two orders of an OTO stand on one side, on `/sapi`.
    OTO_PENDING_SIDE_SAPI = -2018 "OTO_PENDING_SIDE_ERROR" 400 "Parameter 'pendingSide' must be the opposite of workingSide." Sapi;
}
