//! What a command that was carried out answers.

use latchkey_protocol::{Amount, Asset, Price, Quantity, Timestamp};

use crate::ClientOrderId;
use crate::view::{OrderView, RepaymentView};

/// The answer to a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// [`crate::Command::Place`].
    Placed(PlacedOrder),
    /// [`crate::Command::Cancel`].
    Cancelled(CancelledOrder),
    /// [`crate::Command::CancelAll`] and [`crate::Command::CancelEverything`], by symbol, then by order id.
    CancelledAll(Vec<CancelledOrder>),
    /// [`crate::Command::RepayLiquidationLoan`].
    Repaid(RepaymentView),
    /// Carried out, nothing to say.
    Done,
    /// An effect that had been carried out before; nothing changed.
    AlreadyDone,
}

/// An accepted order, after everything that happened to it at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlacedOrder {
    /// The order.
    pub order: OrderView,
    /// Its fills, in the order in which they happened.
    pub fills: Vec<Fill>,
    /// When the core carried it out.
    pub transact_time: Timestamp,
    /// The owner's unfilled-order counts after it, for the headers.
    pub counts: OrderCounts,
}

/// One trade of a placed order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fill {
    /// The maker's price.
    pub price: Price,
    /// How much, in base units.
    pub quantity: Quantity,
    /// What was kept back of the amount received.
    pub commission: Amount,
    /// Of which asset.
    pub commission_asset: Asset,
    /// The trade's id on its symbol.
    pub trade_id: i64,
}

/// A cancelled order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CancelledOrder {
    /// The order after the cancel; its `client_order_id` is the wire's `origClientOrderId`.
    pub order: OrderView,
    /// The cancel's own name, the wire's `clientOrderId`.
    pub cancel_client_order_id: ClientOrderId,
    /// When the core carried it out.
    pub transact_time: Timestamp,
}

/// An owner's unfilled-order counts at some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OrderCounts {
    /// In the running ten seconds.
    pub ten_seconds: u32,
    /// In the running UTC day.
    pub day: u32,
}
