//! An order as the core keeps it, from its acceptance for good.
//!
//! ```text
//! NEW ── fill ──▶ PARTIALLY_FILLED ── fill ──▶ FILLED
//!  │                    │
//!  ├── cancel ──────────┼──▶ CANCELED
//!  ├── rest expires ────┼──▶ EXPIRED (with its reason)
//!  └── self-trade ──────┴──▶ EXPIRED_IN_MATCH
//! ```

use latchkey_protocol::order::{ExpiryReason, OrderStatus, OrderType, SelfTradePrevention, Side, TimeInForce};
use latchkey_protocol::{Amount, Price, Quantity, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ClientOrderId;
use crate::book::NodeId;
use crate::ledger::TradeLink;
use crate::view::{OrderView, Prevented};

/// Where an order lives: which market, and its index among that market's orders. The order id is the index + 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct OrderRef {
    pub(crate) market: u16,
    pub(crate) order: u32,
}

/// One order of a trading account. Prices, quantities and amounts are scaled by 10^8, times are microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) wallet: u32,
    pub(crate) client_order_id: ClientOrderId,
    /// The order before it with the same fingerprint of wallet, market and client order id.
    pub(crate) same_name_before: Option<OrderRef>,
    pub(crate) side: Side,
    pub(crate) order_type: OrderType,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) self_trade_prevention: SelfTradePrevention,
    pub(crate) status: OrderStatus,
    pub(crate) expiry: Option<ExpiryReason>,
    /// Zero for a market order.
    pub(crate) price: i64,
    pub(crate) quantity: i64,
    pub(crate) executed: i64,
    pub(crate) prevented: i64,
    pub(crate) prevented_match: i64,
    pub(crate) quote_quantity: i128,
    pub(crate) spent: i128,
    pub(crate) time: i64,
    pub(crate) updated: i64,
    pub(crate) strategy_id: Option<i64>,
    pub(crate) strategy_type: Option<i64>,
    /// Its place in the book while it rests there.
    pub(crate) node: Option<NodeId>,
    /// Its last trade; found again from the trades when the state is read back.
    #[serde(skip)]
    pub(crate) last_trade: Option<TradeLink>,
}

impl Order {
    /// What can still trade.
    pub(crate) const fn open_quantity(&self) -> i64 {
        self.quantity - self.executed - self.prevented
    }

    /// Whether it can still trade.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.status, OrderStatus::New | OrderStatus::PartiallyFilled)
    }

    /// What resting `quantity` of it holds, of quote for a buyer and of base for a seller.
    pub(crate) fn hold(&self, quantity: i64) -> i128 {
        match self.side {
            Side::Buy => notional(self.price, quantity),
            Side::Sell => i128::from(quantity),
        }
    }

    pub(crate) fn view(&self, symbol: Symbol, index: u32) -> OrderView {
        let time = Timestamp::from_micros(self.time);
        OrderView {
            symbol,
            order_id: order_id(index),
            client_order_id: self.client_order_id,
            price: Price::from_scaled(self.price),
            original_quantity: Quantity::from_scaled(self.quantity),
            executed_quantity: Quantity::from_scaled(self.executed),
            original_quote_quantity: Amount::from_scaled(self.quote_quantity),
            cumulative_quote_quantity: Amount::from_scaled(self.spent),
            status: self.status,
            time_in_force: self.time_in_force,
            order_type: self.order_type,
            side: self.side,
            stop_price: Price::ZERO,
            iceberg_quantity: Quantity::ZERO,
            time,
            update_time: Timestamp::from_micros(self.updated),
            working_time: time,
            is_working: true,
            self_trade_prevention: self.self_trade_prevention,
            prevented: (self.prevented > 0)
                .then(|| Prevented { match_id: self.prevented_match, quantity: Quantity::from_scaled(self.prevented) }),
            expiry_reason: self.expiry,
            strategy_id: self.strategy_id,
            strategy_type: self.strategy_type,
        }
    }
}

/// The wire's id of the order at an index.
pub(crate) fn order_id(index: u32) -> i64 {
    i64::from(index) + 1
}

/// The index of the order with a wire's id, if it can be one.
pub(crate) fn order_index(id: i64) -> Option<u32> {
    u32::try_from(id.checked_sub(1)?).ok()
}

/// Price × quantity in quote units, scaled by 10^8. Exact on every accepted order, since the decimals of tick and
/// step sum to at most eight.
pub(crate) fn notional(price: i64, quantity: i64) -> i128 {
    descale(i128::from(price) * i128::from(quantity))
}

/// Divides by 10^8. Most numbers fit into 64 bits, where that is many times faster.
pub(crate) fn descale(scaled_twice: i128) -> i128 {
    match i64::try_from(scaled_twice) {
        Ok(short) => i128::from(short / latchkey_protocol::decimal::ONE),
        Err(_) => scaled_twice / i128::from(latchkey_protocol::decimal::ONE),
    }
}
