//! Errors that the exchange itself gives to orders: `-1013` before the book, `-2010`, `-2011`, `-2013`, `-2038`
//! from the book. One row a text; the rows with `%s` alone carry a text that the exchange has composed.
//! Source: spot API error codes, 2026-07-21, "Messages for -1010, -2010, -2011 and -2038".

use super::rows;

rows! {
    /// Any text of the exchange, where no other number fits.
    ENGINE_MESSAGE = -1010 "ERROR_MSG_RECEIVED" 400 "%s" Spot;

    /// Refused before the book; the argument is the text.
    INVALID_MESSAGE = -1013 "INVALID_MESSAGE" 400 "%s" Spot;
    /// A filter refused; the argument is its name, for example `PRICE_FILTER`.
    FILTER_FAILURE = -1013 "INVALID_MESSAGE" 400 "Filter failure: %s" Spot;
    /// A quantity of zero or outside what the symbol can express.
    INVALID_QUANTITY = -1013 "INVALID_MESSAGE" 400 "Invalid quantity." Seen;
    /// A price of zero or outside what the symbol can express.
    INVALID_PRICE = -1013 "INVALID_MESSAGE" 400 "Invalid price." Seen;
    /// A quote quantity of zero.
    INVALID_QUOTE_QUANTITY = -1013 "INVALID_MESSAGE" 400 "Invalid quote order qty." Seen;
    /// A self-trade prevention mode that the symbol does not have.
    SELF_TRADE_PREVENTION_NOT_ALLOWED = -1013 "INVALID_MESSAGE" 400 "This symbol does not allow the specified self-trade prevention mode." Spot;

    /// A new order refused; the argument is the text.
    NEW_ORDER_REJECTED = -2010 "NEW_ORDER_REJECTED" 400 "%s" Spot;
    /// The funds do not suffice.
    INSUFFICIENT_BALANCE = -2010 "NEW_ORDER_REJECTED" 400 "Account has insufficient balance for requested action." Spot;
    /// The client order id is in use by an open order.
    DUPLICATE_ORDER = -2010 "NEW_ORDER_REJECTED" 400 "Duplicate order sent." Spot;
    /// The symbol does not trade.
    MARKET_CLOSED = -2010 "NEW_ORDER_REJECTED" 400 "Market is closed." Spot;
    /// The symbol takes no market orders.
    MARKET_ORDERS_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "Market orders are not supported for this symbol." Spot;
    /// The symbol takes no icebergs.
    ICEBERG_ORDERS_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "Iceberg orders are not supported for this symbol." Spot;
    /// The symbol takes no stop-loss orders.
    STOP_LOSS_ORDERS_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "Stop loss orders are not supported for this symbol." Spot;
    /// The symbol takes no stop-loss-limit orders.
    STOP_LOSS_LIMIT_ORDERS_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "Stop loss limit orders are not supported for this symbol." Spot;
    /// The symbol takes no take-profit orders.
    TAKE_PROFIT_ORDERS_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "Take profit orders are not supported for this symbol." Spot;
    /// The symbol takes no take-profit-limit orders.
    TAKE_PROFIT_LIMIT_ORDERS_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "Take profit limit orders are not supported for this symbol." Spot;
    /// The symbol takes no trailing stops.
    TRAILING_STOP_ORDERS_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "Trailing stop orders are not supported for this symbol." Spot;
    /// The symbol takes no pegged orders.
    PEGGED_ORDERS_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "Pegged orders are not supported for this symbol." Spot;
    /// The symbol takes no OCO.
    OCO_ORDERS_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "OCO orders are not supported for this symbol" Spot;
    /// The symbol takes no OPO.
    OPO_ORDERS_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "OPO orders are not supported for this symbol." Spot;
    /// The symbol takes no cancel-replace.
    CANCEL_REPLACE_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "Order cancel-replace is not supported for this symbol." Spot;
    /// The symbol takes no market orders by quote quantity.
    QUOTE_QUANTITY_NOT_SUPPORTED = -2010 "NEW_ORDER_REJECTED" 400 "Quote order qty market orders are not support for this symbol." Spot;
    /// Price by quantity is nothing.
    NOTIONAL_ZERO = -2010 "NEW_ORDER_REJECTED" 400 "Price * QTY is zero or less." Spot;
    /// The visible part is larger than the order.
    ICEBERG_EXCEEDS_QUANTITY = -2010 "NEW_ORDER_REJECTED" 400 "IcebergQty exceeds QTY." Spot;
    /// Something was switched off for the account.
    ACTION_DISABLED = -2010 "NEW_ORDER_REJECTED" 400 "This action is disabled on this account." Spot;
    /// Trading was switched off for the account.
    TRADING_DISABLED = -2010 "NEW_ORDER_REJECTED" 400 "This account may not place or cancel orders." Spot;
    /// Type, time in force and quantities do not go together.
    UNSUPPORTED_COMBINATION = -2010 "NEW_ORDER_REJECTED" 400 "Unsupported order combination" Spot;
    /// The stop price is reached already.
    WOULD_TRIGGER_IMMEDIATELY = -2010 "NEW_ORDER_REJECTED" 400 "Order would trigger immediately." Spot;
    /// A `LIMIT_MAKER` order that would take.
    WOULD_MATCH_IMMEDIATELY = -2010 "NEW_ORDER_REJECTED" 400 "Order would immediately match and take." Spot;
    /// The prices of a list contradict each other.
    BAD_PRICE_RELATION = -2010 "NEW_ORDER_REJECTED" 400 "The relationship of the prices for the orders is not correct." Spot;
    /// The permission sets of account and symbol do not meet.
    SYMBOL_NOT_PERMITTED = -2010 "NEW_ORDER_REJECTED" 400 "This symbol is not permitted for this account." Spot;
    /// The wallet does not trade this symbol: an isolated wallet trades its own.
    SYMBOL_RESTRICTED = -2010 "NEW_ORDER_REJECTED" 400 "This symbol is restricted for this account." Spot;
    /// The key's own list of symbols does not name this one.
    SYMBOL_NOT_WHITELISTED = -2010 "NEW_ORDER_REJECTED" 400 "Symbol not whitelisted for API key" Seen;
    /// The REST door takes no orders.
    REST_TRADING_DISABLED = -2010 "NEW_ORDER_REJECTED" 400 "Rest API trading is not enabled." Spot;
    /// The WebSocket door takes no orders.
    WEBSOCKET_TRADING_DISABLED = -2010 "NEW_ORDER_REJECTED" 400 "WebSocket API trading is not enabled." Spot;
    /// The FIX door takes no orders.
    FIX_TRADING_DISABLED = -2010 "NEW_ORDER_REJECTED" 400 "FIX API trading is not enabled." Spot;
    /// The book offers less than the least quantity of `LOT_SIZE`.
    LIQUIDITY_BELOW_LOT_SIZE = -2010 "NEW_ORDER_REJECTED" 400 "Order book liquidity is less than `LOT_SIZE` filter minimum quantity." Spot;
    /// The book offers less than the least quantity of `MARKET_LOT_SIZE`.
    LIQUIDITY_BELOW_MARKET_LOT_SIZE = -2010 "NEW_ORDER_REJECTED" 400 "Order book liquidity is less than `MARKET_LOT_SIZE` filter minimum quantity." Spot;
    /// The book offers nothing.
    LIQUIDITY_BELOW_SYMBOL = -2010 "NEW_ORDER_REJECTED" 400 "Order book liquidity is less than symbol minimum quantity." Spot;
    /// The order type takes no peg.
    TYPE_NOT_PEGGED = -2010 "NEW_ORDER_REJECTED" 400 "This order type may not use pegged price." Spot;
    /// The peg does not go with the order type.
    PEG_NOT_FOR_TYPE = -2010 "NEW_ORDER_REJECTED" 400 "This price peg cannot be used with this order type." Spot;
    /// The book has no level for the peg.
    LIQUIDITY_BELOW_PEG = -2010 "NEW_ORDER_REJECTED" 400 "Order book liquidity is too low for this pegged order." Spot;

    /// A cancel refused; the argument is the text.
    CANCEL_REJECTED = -2011 "CANCEL_REJECTED" 400 "%s" Spot;
    /// No open order of that name.
    UNKNOWN_ORDER = -2011 "CANCEL_REJECTED" 400 "Unknown order sent." Spot;
    /// The cancel names no order.
    CANCEL_NAMES_NO_ORDER = -2011 "CANCEL_REJECTED" 400 "Cancel order is invalid. Check origClOrdId and orderId." Spot;
    /// The order is not in the state that `cancelRestrictions` asks for.
    NOT_CANCELED_BY_RESTRICTIONS = -2011 "CANCEL_REJECTED" 400 "Order was not canceled due to cancel restrictions." Spot;
    /// Something was switched off for the account; told to a cancel.
    CANCEL_ACTION_DISABLED = -2011 "CANCEL_REJECTED" 400 "This action is disabled on this account." Spot;
    /// Trading was switched off for the account; told to a cancel.
    CANCEL_TRADING_DISABLED = -2011 "CANCEL_REJECTED" 400 "This account may not place or cancel orders." Spot;
    /// The symbol does not trade; told to a cancel.
    CANCEL_MARKET_CLOSED = -2011 "CANCEL_REJECTED" 400 "Market is closed." Spot;

    /// No order of that name, open or closed.
    NO_SUCH_ORDER = -2013 "NO_SUCH_ORDER" 400 "Order does not exist." Spot;
    /// The order is too old.
    ORDER_ARCHIVED = -2026 "ORDER_ARCHIVED" 400 "Order was canceled or expired with no executed qty over 90 days ago and has been archived." Spot;
    /// Order id and client order id name different orders.
    CLIENT_ORDER_ID_MISMATCH = -2039 "CLIENT_ORDER_ID_INVALID" 400 "Client order ID is not correct for this order ID." Spot;

    /// One half of a cancel-replace failed; `data` has both halves.
    CANCEL_REPLACE_PARTIALLY_FAILED = -2021 "CANCEL_REPLACE_PARTIALLY_FAILED" 409 "Order cancel-replace partially failed." Sapi;
    /// As [`CANCEL_REPLACE_PARTIALLY_FAILED`], because the order count was exceeded.
    CANCEL_REPLACE_PARTIALLY_LIMITED = -2021 "CANCEL_REPLACE_PARTIALLY_FAILED" 429 "Order cancel-replace partially failed." Sapi;
    /// Both halves of a cancel-replace failed, or the second was not tried; `data` has both.
    CANCEL_REPLACE_FAILED = -2022 "CANCEL_REPLACE_FAILED" 400 "Order cancel-replace failed." Sapi;
    /// As [`CANCEL_REPLACE_FAILED`], because the order count was exceeded.
    CANCEL_REPLACE_LIMITED = -2022 "CANCEL_REPLACE_FAILED" 429 "Order cancel-replace failed." Sapi;

    /// An amendment refused; the argument is the text.
    AMEND_REJECTED = -2038 "ORDER_AMEND_REJECTED" 400 "%s" Spot;
    /// An amendment may only make an order smaller.
    AMEND_INCREASE_NOT_SUPPORTED = -2038 "ORDER_AMEND_REJECTED" 400 "Order amend (quantity increase) is not supported." Spot;
    /// The amendment says what is so already.
    AMEND_CHANGES_NOTHING = -2038 "ORDER_AMEND_REJECTED" 400 "The requested action would change no state; rejecting" Spot;
    /// The symbol takes no amendments.
    AMEND_NOT_SUPPORTED = -2038 "ORDER_AMEND_REJECTED" 400 "Order amend is not supported for this symbol." Spot;
    /// The quantity of an OPO's pending order follows the working order.
    AMEND_PENDING_OPO_NOT_SUPPORTED = -2038 "ORDER_AMEND_REJECTED" 400 "Order amend (pending OPO order) is not supported." Spot;
    /// No open order of that name; told to an amendment.
    AMEND_UNKNOWN_ORDER = -2038 "ORDER_AMEND_REJECTED" 400 "Unknown order sent." Spot;
    /// The order was amended too often.
    AMEND_TOO_OFTEN = -2038 "ORDER_AMEND_REJECTED" 400 "Filter failure: MAX_NUM_ORDER_AMENDS" Spot;
}
