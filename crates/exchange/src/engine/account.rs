//! What an account may ask about itself.

use latchkey_protocol::{AccountId, Amount, Price, Quantity, Symbol, Timestamp, TradingAccount, Wallet};

use super::Core;
use crate::chunked::page;
use crate::ledger::{Activity, TradeSide, WalletState};
use crate::market::Market;
use crate::order::{notional, order_id, order_index};
use crate::view::{AccountTrade, BalanceView, CommissionView, OrderName, OrderView, OwnerView, Page};
use crate::{Commission, OrderCounts, Refusal};
use latchkey_protocol::order::Side;

impl Core {
    /// One order, open or closed.
    ///
    /// # Errors
    /// [`Refusal::BadSymbol`], [`Refusal::MissingEither`], [`Refusal::NoSuchOrder`],
    /// [`Refusal::ClientOrderIdMismatch`].
    pub fn order(&self, account: TradingAccount, symbol: Symbol, name: OrderName) -> Result<OrderView, Refusal> {
        let market = self.market(symbol).ok_or(Refusal::BadSymbol)?;
        let index = self.find(&account, market, &name)?.ok_or(Refusal::NoSuchOrder)?;
        Ok(market.orders.at(index).view(symbol, index))
    }

    /// Open orders by symbol, then by id; of one symbol or of all.
    ///
    /// # Errors
    /// [`Refusal::BadSymbol`].
    pub fn open_orders(&self, account: TradingAccount, symbol: Option<Symbol>) -> Result<Vec<OrderView>, Refusal> {
        let only = match symbol {
            Some(symbol) => Some(self.market_number(symbol).ok_or(Refusal::BadSymbol)?),
            None => None,
        };
        let Some(wallet) = self.wallet_state(&account) else {
            return Ok(Vec::new());
        };
        let activities = wallet.activities().iter().filter(|activity| only.is_none_or(|only| only == activity.market));
        let open = activities.flat_map(|activity| {
            let market = self.market_at(activity.market);
            activity.open.iter().map(move |index| market.orders.at(*index).view(market.symbol(), *index))
        });
        Ok(open.collect())
    }

    /// Orders of a symbol, open and closed, oldest first.
    ///
    /// # Errors
    /// [`Refusal::BadSymbol`].
    pub fn all_orders(&self, account: TradingAccount, symbol: Symbol, rows: Page) -> Result<Vec<OrderView>, Refusal> {
        let market = self.market(symbol).ok_or(Refusal::BadSymbol)?;
        let Some(activity) = self.activity(&account, market) else {
            return Ok(Vec::new());
        };
        let orders = &activity.orders;
        let time = |index: &u32| market.orders.at(*index).time;
        let found = page(orders.len(), |i| orders.at(i), |index| order_id(*index), time, &rows);
        Ok(found.into_iter().map(|index| market.orders.at(*index).view(symbol, *index)).collect())
    }

    /// The account's trades on a symbol, oldest first: of all orders as the page says, or the first of one order. A
    /// trade between two orders of the same wallet has two rows.
    ///
    /// # Errors
    /// [`Refusal::BadSymbol`].
    pub fn my_trades(
        &self,
        account: TradingAccount,
        symbol: Symbol,
        order_id: Option<i64>,
        rows: Page,
    ) -> Result<Vec<AccountTrade>, Refusal> {
        let market = self.market(symbol).ok_or(Refusal::BadSymbol)?;
        let Some(activity) = self.activity(&account, market) else {
            return Ok(Vec::new());
        };
        let trades = &activity.trades;
        let found = match order_id.map(order_index) {
            None => page(trades.len(), |i| trades.at(i), |trade| trade.id, |trade| trade.time, &rows),
            Some(Some(index)) if order_is_of(market, index, self.ledger.wallet_id(&account)) => {
                let within = |trade: &&TradeSide| {
                    let time = Timestamp::from_micros(trade.time);
                    rows.from.is_none_or(|least| trade.id >= least)
                        && rows.start.is_none_or(|start| time >= start)
                        && rows.end.is_none_or(|end| time <= end)
                };
                let mut found: Vec<&TradeSide> = activity.trades_of(market.orders.at(index)).filter(within).collect();
                found.reverse();
                found.truncate(rows.limit);
                found
            }
            Some(_) => Vec::new(),
        };
        let view = |trade: &TradeSide| AccountTrade {
            id: trade.id,
            order_id: crate::order::order_id(trade.order),
            price: Price::from_scaled(trade.price),
            quantity: Quantity::from_scaled(trade.quantity),
            quote_quantity: Amount::from_scaled(notional(trade.price, trade.quantity)),
            commission: Amount::from_scaled(trade.commission),
            commission_asset: if trade.side == Side::Buy { market.spec.base } else { market.spec.quote },
            time: Timestamp::from_micros(trade.time),
            is_buyer: trade.side == Side::Buy,
            is_maker: trade.is_maker,
        };
        Ok(found.into_iter().map(view).collect())
    }

    /// Every asset that a wallet has ever held, by name; `None` when it was never opened.
    pub fn balances(&self, account: TradingAccount) -> Option<Vec<BalanceView>> {
        let wallet = self.wallet_state(&account)?;
        let view = |(asset, balance): &(u16, crate::ledger::Balance)| BalanceView {
            asset: self.ledger.asset(*asset),
            free: Amount::from_scaled(balance.free),
            locked: Amount::from_scaled(balance.locked),
            borrowed: Amount::from_scaled(balance.borrowed),
            interest: Amount::from_scaled(balance.interest),
        };
        let mut rows: Vec<_> = wallet.balances().iter().map(view).collect();
        rows.sort_unstable_by_key(|row| row.asset);
        Some(rows)
    }

    /// When a wallet's balances last changed; `None` when it was never opened.
    pub fn balance_update_time(&self, account: TradingAccount) -> Option<Timestamp> {
        self.wallet_state(&account).map(|wallet| wallet.updated)
    }

    /// When a wallet was opened, if it was.
    pub fn wallet_opened(&self, account: TradingAccount) -> Option<Timestamp> {
        self.wallet_state(&account).map(|wallet| wallet.opened)
    }

    /// An owner's wallets, in the order in which they were opened.
    pub fn wallets(&self, owner: AccountId) -> Vec<Wallet> {
        let Some(id) = self.ledger.owner_id(owner) else {
            return Vec::new();
        };
        self.ledger.owner(id).wallets.iter().map(|wallet| self.ledger.wallet(*wallet).account.wallet).collect()
    }

    /// An owner's standing; an owner whom the exchange never met has none of it.
    pub fn owner(&self, owner: AccountId) -> OwnerView {
        let Some(id) = self.ledger.owner_id(owner) else {
            return OwnerView { special_mode: false, in_liquidation: false, commission: None };
        };
        let state = self.ledger.owner(id);
        let mut wallets = state.wallets.iter().map(|wallet| self.ledger.wallet(*wallet));
        OwnerView {
            special_mode: state.special_mode,
            in_liquidation: wallets.any(|wallet| wallet.in_liquidation),
            commission: state.commission,
        }
    }

    /// An owner's unfilled-order counts at a time.
    pub fn order_counts(&self, owner: AccountId, at: Timestamp) -> OrderCounts {
        let at = at.max(self.now);
        self.ledger.owner_id(owner).map(|id| self.ledger.owner(id).counter.counts(at)).unwrap_or_default()
    }

    /// The rates that an account trades at on a symbol.
    ///
    /// # Errors
    /// [`Refusal::BadSymbol`].
    pub fn commission(&self, account: TradingAccount, symbol: Symbol) -> Result<CommissionView, Refusal> {
        let spec = &self.market(symbol).ok_or(Refusal::BadSymbol)?.spec;
        let commission = match self.ledger.owner_id(account.owner) {
            Some(id) => self.ledger.commission(id, spec),
            None => spec.commission.unwrap_or(self.ledger.default_commission),
        };
        Ok(CommissionView { symbol, commission })
    }

    /// The rates of an owner where a symbol has none of its own.
    pub fn default_commission(&self, owner: AccountId) -> Commission {
        self.owner(owner).commission.unwrap_or(self.ledger.default_commission)
    }

    /// The index of an account's order by one or both of its names; `None` when there is none.
    pub(super) fn find(
        &self,
        account: &TradingAccount,
        market: &Market,
        name: &OrderName,
    ) -> Result<Option<u32>, Refusal> {
        if name.order_id.is_none() && name.client_order_id.is_none() {
            return Err(Refusal::MissingEither("origClientOrderId", "orderId"));
        }
        let Some(wallet) = self.ledger.wallet_id(account) else {
            return Ok(None);
        };
        let Some(id) = name.order_id else {
            return Ok(name.client_order_id.and_then(|client| self.named(wallet, market.number, &client)));
        };
        let Some(index) = order_index(id).filter(|index| order_is_of(market, *index, Some(wallet))) else {
            return Ok(None);
        };
        match name.client_order_id {
            Some(client) if client != market.orders.at(index).client_order_id => Err(Refusal::ClientOrderIdMismatch),
            _ => Ok(Some(index)),
        }
    }

    fn wallet_state(&self, account: &TradingAccount) -> Option<&WalletState> {
        self.ledger.wallet_id(account).map(|id| self.ledger.wallet(id))
    }

    fn activity(&self, account: &TradingAccount, market: &Market) -> Option<&Activity> {
        self.wallet_state(account)?.activity(market.number)
    }
}

/// Whether the order at an index is one of a wallet.
fn order_is_of(market: &Market, index: u32, wallet: Option<u32>) -> bool {
    market.orders.get(index).is_some_and(|order| Some(order.wallet) == wallet)
}
