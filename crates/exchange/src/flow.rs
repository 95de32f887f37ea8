//! The synthetic market: a maker that quotes both sides of a wandering price, and a stream of small takers.
//!
//! Prices fall into cells of equal width. Around the cell of the wandering price the maker keeps one quote in each of
//! the 20 cells below (and in it) and in each of the 20 cells above. When the price moves on, quotes on the wrong
//! side or out of reach are withdrawn before new ones are placed, so that the maker never meets itself. A new quote
//! that crosses an account's order takes it first, like any order would; that and the takers are how orders of
//! accounts are filled. Everything goes through the same book and ledger as orders of accounts.
//!
//! It depends on the seed and the ticks alone, and on accounts only in what their orders leave of its quotes.

use latchkey_protocol::Timestamp;
use latchkey_protocol::decimal::ONE;
use latchkey_protocol::order::{SelfTradePrevention, Side, SymbolStatus};
use serde::{Deserialize, Serialize};

use crate::Rate;
use crate::book::{NodeId, Party, opposite};
use crate::ledger::Ledger;
use crate::market::Market;
use crate::matching::{Taker, Target, take};
use crate::rng::{Rng, mix};
use crate::spec::SymbolSpec;

/// Quotes on each side.
const LEVELS: i64 = 20;
/// Places for quotes: a power of two above both sides together, so that cells in reach never share one.
const SLOTS: usize = 64;
/// The slot that the stream of takers trades under; no quote rests there.
const TAKER_SLOT: u8 = SLOTS as u8;
/// The wandering price is kept with this many more binary places, so that cheap symbols wander too.
const FINE_BITS: u32 = 20;
/// A tick moves the price by at most one part in this, either way.
const STEPS_A_MOVE: i128 = 20_000;
/// A tick pulls the price back to the start by one part in 2 to this.
const PULL_BITS: u32 = 20;
/// A quote is worth about this many least notionals.
const NOTIONALS_A_QUOTE: i128 = 4_000;

/// The state of one symbol's synthetic market.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FlowState {
    rng: Rng,
    /// Where the price started and is pulled back to, scaled by 10^8.
    anchor: i64,
    /// The wandering price, scaled by 10^8 and 2^20.
    price: i128,
    /// The width of a cell, a multiple of the tick.
    cell: i64,
    /// What a quote is worth, in quote units scaled by 10^8.
    unit: i128,
    /// How often a taker comes: so many ticks of 1024.
    taker_chance: i64,
    quotes: Vec<Option<Quote>>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Quote {
    node: NodeId,
    side: Side,
    cell: i64,
}

impl FlowState {
    /// The market of a symbol that starts at its start price. Symbols that were added first are busier.
    pub(crate) fn new(seed: u64, number: u16, spec: &SymbolSpec) -> Self {
        let anchor = spec.start_price.scaled();
        let tick = spec.filters.price.tick.scaled();
        let least = [spec.filters.notional.map(|f| f.min), spec.filters.min_notional.map(|f| f.min)];
        let least = least.into_iter().flatten().map(|min| min.scaled()).max().unwrap_or(0).max(1);
        Self {
            rng: Rng::new(seed ^ mix(u64::from(number) + 1)),
            anchor,
            price: i128::from(anchor) << FINE_BITS,
            cell: (anchor / 20_000 / tick * tick).max(tick),
            unit: least * NOTIONALS_A_QUOTE,
            taker_chance: (512 >> number.min(4)).max(32),
            quotes: vec![None; SLOTS],
        }
    }

    /// A quote that a trade has used up.
    pub(crate) fn consumed(&mut self, slot: u8) {
        if let Some(quote) = self.quotes.get_mut(usize::from(slot)) {
            *quote = None;
        }
    }

    /// Moves the price one step and returns its cell. It stays between half and twice the start.
    fn wander(&mut self) -> i64 {
        let anchor = i128::from(self.anchor) << FINE_BITS;
        let share = i128::from(self.rng.below(2_001) - 1_000);
        self.price += self.price * share / (1_000 * STEPS_A_MOVE) + ((anchor - self.price) >> PULL_BITS);
        self.price = self.price.clamp(anchor / 2, anchor * 2);
        let price = i64::try_from(self.price >> FINE_BITS).unwrap_or(self.anchor);
        price / self.cell
    }

    /// A quantity worth about `unit × share / 1024` at a price, within the symbol's lot.
    fn quantity(&self, spec: &SymbolSpec, price: i64, share: i64) -> i64 {
        let lot = &spec.filters.lot_size;
        let worth = self.unit * i128::from(share) / 1_024;
        let exact = worth * i128::from(ONE) / i128::from(price.max(1));
        let within = i64::try_from(exact).unwrap_or(i64::MAX).clamp(lot.min.scaled(), lot.max.scaled());
        (within / lot.step.scaled() * lot.step.scaled()).max(lot.min.scaled())
    }
}

fn slot_of(cell: i64) -> u8 {
    cell.rem_euclid(SLOTS as i64) as u8
}

/// One tick of a symbol's synthetic market.
pub(crate) fn step(market: &mut Market, ledger: &mut Ledger, at: Timestamp) {
    if market.spec.status != SymbolStatus::Trading {
        return;
    }
    let Some(flow) = &mut market.flow else {
        return;
    };
    let center = flow.wander();
    let refreshed = center - LEVELS + 1 + flow.rng.below(2 * LEVELS);
    for slot in &mut flow.quotes {
        let stale = |quote: &Quote| {
            let wrong_side = (quote.cell <= center) != (quote.side == Side::Buy);
            let out_of_reach = quote.cell <= center - LEVELS || quote.cell > center + LEVELS;
            wrong_side || out_of_reach || quote.cell == refreshed
        };
        if let Some(quote) = slot.take_if(|quote| stale(quote)) {
            market.book.remove(quote.side, quote.node);
        }
    }
    for cell in center - LEVELS + 1..=center + LEVELS {
        let side = if cell <= center { Side::Buy } else { Side::Sell };
        let empty = market.flow.as_ref().and_then(|flow| flow.quotes.get(usize::from(slot_of(cell))));
        if empty.is_some_and(Option::is_none) {
            quote(market, ledger, cell, side, center, at);
        }
    }
    let comes = market.flow.as_mut().is_some_and(|flow| flow.rng.below(1_024) < flow.taker_chance);
    if comes {
        take_a_little(market, ledger, at);
    }
}

/// Places a quote somewhere in a cell.
fn quote(market: &mut Market, ledger: &mut Ledger, cell: i64, side: Side, center: i64, at: Timestamp) {
    let filter = market.spec.filters.price;
    let tick = filter.tick.scaled();
    let Some(flow) = &mut market.flow else {
        return;
    };
    let price = cell * flow.cell + flow.rng.below(flow.cell / tick) * tick;
    let beyond = !filter.max.is_zero() && price > filter.max.scaled();
    if price <= 0 || price < filter.min.scaled() || beyond || price % tick != 0 {
        return;
    }
    // Quotes grow with their distance from the price.
    let distance = (cell - center).abs();
    let share = (512 + flow.rng.below(1_024)) * (8 + distance) / 8;
    let quantity = flow.quantity(&market.spec, price, share);
    let slot = slot_of(cell);
    let party = Party::House(slot);
    let taker = Taker { party, side, limit: Some(price), self_trade_prevention: SelfTradePrevention::None };
    let taken = take(market, ledger, taker, Target::Base(quantity), Rate::ZERO, at, &mut Vec::new());
    if taken.rest > 0 {
        let node = market.book.insert(side, price, taken.rest, party);
        if let Some(place) = market.flow.as_mut().and_then(|flow| flow.quotes.get_mut(usize::from(slot))) {
            *place = Some(Quote { node, side, cell });
        }
    }
}

/// Sends a small order that takes from one side and leaves nothing behind.
fn take_a_little(market: &mut Market, ledger: &mut Ledger, at: Timestamp) {
    let Some(flow) = &mut market.flow else {
        return;
    };
    let side = if flow.rng.below(2) == 0 { Side::Buy } else { Side::Sell };
    let share = 1 + flow.rng.below(256);
    let Some((best, _)) = market.book.best(opposite(side)) else {
        return;
    };
    let quantity = flow.quantity(&market.spec, best, share);
    let reach = if side == Side::Buy { 2 * flow.cell } else { -2 * flow.cell };
    let limit = Some(best.saturating_add(reach));
    let party = Party::House(TAKER_SLOT);
    let taker = Taker { party, side, limit, self_trade_prevention: SelfTradePrevention::None };
    take(market, ledger, taker, Target::Base(quantity), Rate::ZERO, at, &mut Vec::new());
}
