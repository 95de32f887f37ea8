//! One symbol: its book, its orders, its trades, its synthetic flow.

use latchkey_protocol::{Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use crate::book::{Book, Party};
use crate::candles::{Candles, Print};
use crate::chunked::Chunked;
use crate::flow::FlowState;
use crate::ledger::{AssetId, Exchange, Ledger, TradeSide};
use crate::order::{Order, notional};
use crate::spec::SymbolSpec;
use crate::tape::Tape;
use latchkey_protocol::order::{ExpiryReason, OrderStatus, Side};

/// The state of one symbol.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Market {
    pub(crate) number: u16,
    pub(crate) spec: SymbolSpec,
    pub(crate) base: AssetId,
    pub(crate) quote: AssetId,
    pub(crate) book: Book,
    /// Every order that an account ever placed here; the order id is the index + 1.
    pub(crate) orders: Chunked<Order>,
    pub(crate) tape: Tape,
    pub(crate) candles: Candles,
    pub(crate) last_prevented_match: i64,
    pub(crate) flow: Option<FlowState>,
}

impl Market {
    pub(crate) fn new(number: u16, spec: SymbolSpec, base: AssetId, quote: AssetId, flow: Option<FlowState>) -> Self {
        Self {
            number,
            spec,
            base,
            quote,
            book: Book::new(),
            orders: Chunked::default(),
            tape: Tape::default(),
            candles: Candles::default(),
            last_prevented_match: 0,
            flow,
        }
    }

    pub(crate) fn symbol(&self) -> Symbol {
        self.spec.symbol
    }

    /// The last price, or the start price before any trade.
    pub(crate) fn last_price(&self) -> i64 {
        self.tape.last().map_or(self.spec.start_price.scaled(), |trade| trade.price)
    }

    /// The volume-weighted average over the last minutes; without a trade in them, or for zero, the last price.
    pub(crate) fn reference_price(&self, minutes: u32, at: Timestamp) -> i64 {
        if minutes == 0 {
            return self.last_price();
        }
        let (volume, quote_volume) = self.candles.volume_of_last(minutes, at.as_micros());
        average(quote_volume, volume).unwrap_or_else(|| self.last_price())
    }

    /// What changes hands when a quantity trades at a price.
    pub(crate) fn exchange(&self, price: i64, quantity: i64) -> Exchange {
        Exchange {
            base: self.base,
            quote: self.quote,
            quantity: i128::from(quantity),
            notional: notional(price, quantity),
        }
    }

    /// Puts a trade on the tape and into the candles and returns its id.
    pub(crate) fn print(&mut self, taker: Side, price: i64, quantity: i64, at: Timestamp, continues: bool) -> i64 {
        let time = at.as_micros();
        let id = self.tape.record(price, quantity, time, taker == Side::Sell, continues);
        let taker_buys = taker == Side::Buy;
        self.candles.record(&Print { id, price, quantity, notional: notional(price, quantity), time, taker_buys });
        id
    }

    /// Books a maker's side of a trade whose quantity has left the book. `gone` says that nothing of it rests.
    pub(crate) fn settle_maker(&mut self, ledger: &mut Ledger, party: Party, trade: &TradeSide, gone: bool) {
        let exchange = self.exchange(trade.price, trade.quantity);
        let (wallet, index) = match party {
            Party::House(slot) => {
                ledger.settle_house(trade.side, &exchange);
                if gone && let Some(flow) = &mut self.flow {
                    flow.consumed(slot);
                }
                return;
            }
            Party::Wallet(wallet, index) => (wallet, index),
        };
        let at = Timestamp::from_micros(trade.time);
        let owner = ledger.wallet(wallet).owner;
        let rate = ledger.commission(owner, &self.spec).maker;
        let commission = ledger.settle(wallet, trade.side, &exchange, rate, true, at);
        let order = self.orders.at_mut(index);
        if order.executed == 0 {
            ledger.owner_mut(owner).counter.lower(at, crate::counter::MAKER_GIVES_BACK);
        }
        order.executed += trade.quantity;
        order.spent += exchange.notional;
        order.updated = trade.time;
        order.status = if order.open_quantity() == 0 { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        if gone {
            order.node = None;
        }
        let activity = ledger.wallet_mut(wallet).activity_mut(self.number);
        activity.record(order, TradeSide { order: index, commission, ..*trade });
        if gone {
            activity.close(index);
        }
    }

    /// Ends an order that may rest on the book: takes it off, gives back what it held, and records why.
    pub(crate) fn close(
        &mut self,
        ledger: &mut Ledger,
        index: u32,
        status: OrderStatus,
        expiry: Option<ExpiryReason>,
        at: Timestamp,
    ) {
        let order = self.orders.at_mut(index);
        if let Some(node) = order.node.take() {
            self.book.remove(order.side, node);
            let held = order.hold(order.open_quantity());
            let asset = if order.side == Side::Buy { self.quote } else { self.base };
            let wallet = ledger.wallet_mut(order.wallet);
            wallet.release(asset, held, at);
            wallet.activity_mut(self.number).close(index);
        }
        order.status = status;
        order.expiry = expiry;
        order.updated = at.as_micros();
    }
}

/// Quote volume over base volume as a price, rounded down; `None` without volume.
pub(crate) fn average(quote_volume: i128, volume: i128) -> Option<i64> {
    let one = i128::from(latchkey_protocol::decimal::ONE);
    let price = match quote_volume.checked_mul(one) {
        Some(scaled) => scaled.checked_div(volume)?,
        None => quote_volume.checked_div(volume / one)?,
    };
    i64::try_from(price).ok()
}
