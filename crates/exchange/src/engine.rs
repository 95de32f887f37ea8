//! The exchange as one state machine.

mod account;
mod cancel;
mod check;
mod effect;
mod loan;
mod place;
mod public;

use std::collections::BTreeMap;

use latchkey_protocol::{Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use crate::flow::FlowState;
use crate::ledger::Ledger;
use crate::loans::Loans;
use crate::market::Market;
use crate::names::{Lookup, Names, fingerprint};
use crate::order::OrderRef;
use crate::spec::SymbolSpec;
use crate::{Command, Flow, MAX_SYMBOLS, MarketSettings, OrderLimits, Refusal, Reply, SettingsError};

/// The exchange: every symbol, wallet, order and trade.
///
/// It is advanced by [`Core::apply`] alone and read by queries between commands. Two cores that were made from the
/// same settings and were given the same accepted commands at the same times are equal in every byte.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Core {
    now: Timestamp,
    flow: Flow,
    seed: u64,
    limits: OrderLimits,
    exchange_max_num_orders: Option<u32>,
    ledger: Ledger,
    markets: Vec<Market>,
    applied: AppliedEffects,
    /// Since format 2 of the snapshots, and last in them.
    loans: Loans,
    #[serde(skip)]
    market_index: Lookup<Symbol, u16>,
    #[serde(skip)]
    names: Names,
}

/// The state of an exchange at one moment.
#[derive(Debug)]
pub struct Frozen(Core);

impl Frozen {
    /// What [`Core::snapshot`] would have written at that moment.
    pub fn snapshot(&self) -> Vec<u8> {
        self.0.snapshot()
    }
}

impl Core {
    /// A new exchange without accounts. Books stay empty until the first [`Command::Tick`].
    ///
    /// # Errors
    /// [`SettingsError`] when a symbol cannot be traded.
    pub fn new(settings: MarketSettings) -> Result<Self, SettingsError> {
        let MarketSettings { flow, seed, symbols, limits, commission, exchange_max_num_orders } = settings;
        let ledger = Ledger::new(commission);
        let mut core = Self {
            now: Timestamp::default(),
            flow,
            seed,
            limits,
            exchange_max_num_orders,
            ledger,
            markets: Vec::new(),
            applied: AppliedEffects::default(),
            loans: Loans::default(),
            market_index: Lookup::default(),
            names: Names::default(),
        };
        for spec in symbols {
            let symbol = spec.symbol;
            core.add_symbol(spec).map_err(|refusal| match refusal {
                Refusal::BadSpec(source) => SettingsError::Symbol { symbol, source },
                Refusal::SymbolExists => SettingsError::Duplicate(symbol),
                _ => SettingsError::TooManySymbols,
            })?;
        }
        Ok(core)
    }

    /// Carries out a command. `at` is the time at which it was handed over; time never goes backwards in here, so
    /// that an earlier `at` counts as that of the last accepted command.
    ///
    /// # Errors
    /// [`Refusal`]; then nothing has changed, the core's time included.
    pub fn apply(&mut self, at: Timestamp, command: &Command) -> Result<Reply, Refusal> {
        let at = at.max(self.now);
        let reply = match command {
            Command::Place(order) => self.place(at, order, self.limits).map(Reply::Placed),
            Command::PlaceWithin { order, limits } => self.place(at, order, *limits).map(Reply::Placed),
            Command::Cancel(cancel) => self.cancel(at, cancel).map(Reply::Cancelled),
            Command::CancelAll { account, symbol } => self.cancel_all(at, account, *symbol).map(Reply::CancelledAll),
            Command::CancelEverything { effect, owner } => self.cancel_everything(at, *effect, *owner),
            Command::OpenWallet { effect, account } => self.open_wallet(at, *effect, *account),
            Command::Credit(transfer) => self.credit(at, transfer),
            Command::Debit(transfer) => self.debit(at, transfer),
            Command::SetCommission { effect, owner, commission } => self.set_commission(*effect, *owner, *commission),
            Command::EnterSpecialMode { effect, owner } => self.set_special_mode(*effect, *owner, true),
            Command::LeaveSpecialMode { effect, owner } => self.set_special_mode(*effect, *owner, false),
            Command::AddSymbol(spec) => self.add_symbol(SymbolSpec::clone(spec)).map(|()| Reply::Done),
            Command::SetSymbolStatus { symbol, status } => {
                self.market_mut(*symbol).ok_or(Refusal::BadSymbol).map(|market| {
                    market.spec.status = *status;
                    Reply::Done
                })
            }
            Command::SetOrderLimits(limits) => {
                self.limits = *limits;
                Ok(Reply::Done)
            }
            Command::SetDefaultCommission(commission) => {
                self.ledger.default_commission = *commission;
                Ok(Reply::Done)
            }
            Command::Tick => {
                self.tick(at);
                Ok(Reply::Done)
            }
            Command::OpenLiquidationLoan { effect, owner, asset, amount } => {
                self.open_loan(*effect, *owner, *asset, *amount)
            }
            Command::RepayLiquidationLoan { owner, asset, amount } => {
                self.repay_loan(at, *owner, *asset, *amount).map(Reply::Repaid)
            }
        }?;
        if reply != Reply::AlreadyDone {
            self.now = at;
        }
        Ok(reply)
    }

    /// A copy to take a snapshot of elsewhere while this core goes on: histories are shared, not copied, and lookup
    /// tables left out, so that it is no core to go on with itself.
    pub fn frozen(&self) -> Frozen {
        Frozen(Self {
            now: self.now,
            flow: self.flow,
            seed: self.seed,
            limits: self.limits,
            exchange_max_num_orders: self.exchange_max_num_orders,
            ledger: self.ledger.frozen(),
            markets: self.markets.clone(),
            applied: self.applied.clone(),
            loans: self.loans.clone(),
            market_index: Lookup::default(),
            names: Names::default(),
        })
    }

    /// The time of the last accepted command.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who keeps the books alive.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// The unfilled-order limits in force.
    pub fn limits(&self) -> OrderLimits {
        self.limits
    }

    /// `EXCHANGE_MAX_NUM_ORDERS`, if it is in force.
    pub fn exchange_max_num_orders(&self) -> Option<u32> {
        self.exchange_max_num_orders
    }

    fn add_symbol(&mut self, spec: SymbolSpec) -> Result<(), Refusal> {
        spec.validate().map_err(Refusal::BadSpec)?;
        if self.market_index.contains_key(&spec.symbol) {
            return Err(Refusal::SymbolExists);
        }
        if self.markets.len() >= MAX_SYMBOLS {
            return Err(Refusal::NoRoom("symbol"));
        }
        let number = self.markets.len() as u16;
        let (base, quote) = (self.ledger.know_asset(spec.base), self.ledger.know_asset(spec.quote));
        let flow = (self.flow == Flow::Synthetic).then(|| FlowState::new(self.seed, number, &spec));
        self.market_index.insert(spec.symbol, number);
        self.markets.push(Market::new(number, spec, base, quote, flow));
        Ok(())
    }

    fn tick(&mut self, at: Timestamp) {
        for market in &mut self.markets {
            crate::flow::step(market, &mut self.ledger, at);
        }
    }

    fn market_number(&self, symbol: Symbol) -> Option<u16> {
        self.market_index.get(&symbol).copied()
    }

    fn market(&self, symbol: Symbol) -> Option<&Market> {
        self.markets.get(usize::from(self.market_number(symbol)?))
    }

    fn market_mut(&mut self, symbol: Symbol) -> Option<&mut Market> {
        let number = self.market_number(symbol)?;
        self.markets.get_mut(usize::from(number))
    }

    #[expect(clippy::indexing_slicing, reason = "market numbers come from `add_symbol` alone and none is removed")]
    fn market_at(&self, number: u16) -> &Market {
        &self.markets[usize::from(number)]
    }

    /// The index of the newest order of a wallet with a client order id on a market.
    fn named(&self, wallet: u32, market: u16, name: &crate::ClientOrderId) -> Option<u32> {
        let mut next = self.names.newest(fingerprint(wallet, market, name));
        // All but the first are orders of one fingerprint by accident.
        while let Some(found) = next {
            let order = self.market_at(found.market).orders.at(found.order);
            if found.market == market && order.wallet == wallet && order.client_order_id == *name {
                return Some(found.order);
            }
            next = order.same_name_before;
        }
        None
    }

    /// Whether an open order of a wallet has a client order id. A name is free again once its order is closed, so
    /// that on each market only the newest can be open.
    fn is_taken(&self, wallet: u32, name: &crate::ClientOrderId) -> bool {
        let trading = self.ledger.wallet(wallet).activities().iter().filter(|activity| !activity.open.is_empty());
        let mut newest =
            trading.filter_map(|activity| Some((activity.market, self.named(wallet, activity.market, name)?)));
        newest.any(|(market, order)| self.market_at(market).orders.at(order).is_open())
    }

    /// Fills the lookup tables again after the state was read back.
    pub(crate) fn index(&mut self) {
        self.ledger.index();
        self.market_index = self.markets.iter().map(|market| (market.symbol(), market.number)).collect();
        self.names = Names::default();
        for market in &mut self.markets {
            for index in 0..market.orders.len() {
                let order = market.orders.at_mut(index);
                let fingerprint = fingerprint(order.wallet, market.number, &order.client_order_id);
                let reference = OrderRef { market: market.number, order: index };
                order.same_name_before = self.names.insert(fingerprint, reference);
            }
        }
        self.ledger.link_trades(&mut self.markets);
    }
}

/// The effects that were carried out, as ranges of their numbers: first to last. Numbers that follow each other
/// share a range, so that a long history of one source stays small.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct AppliedEffects {
    ranges: BTreeMap<i64, i64>,
}

impl AppliedEffects {
    fn contains(&self, effect: crate::EffectId) -> bool {
        self.ranges.range(..=effect.0).next_back().is_some_and(|(_, last)| *last >= effect.0)
    }

    fn insert(&mut self, effect: crate::EffectId) {
        if self.contains(effect) {
            return;
        }
        let id = effect.0;
        let after = id.checked_add(1).and_then(|next| self.ranges.remove(&next));
        let last = after.unwrap_or(id);
        match self.ranges.range_mut(..id).next_back() {
            Some((_, end)) if end.checked_add(1) == Some(id) => *end = last,
            _ => {
                self.ranges.insert(id, last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EffectId;

    #[test]
    fn applied_effects_are_kept_as_ranges() {
        let mut applied = AppliedEffects::default();
        for id in [5, 3, 4, 9, 3, i64::MAX, 1, 2] {
            applied.insert(EffectId(id));
        }
        assert_eq!(applied.ranges.into_iter().collect::<Vec<_>>(), [(1, 5), (9, 9), (i64::MAX, i64::MAX)]);
    }
}
