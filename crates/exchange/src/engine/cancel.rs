//! Cancelling orders.

use latchkey_protocol::order::{CancelRestrictions, OrderStatus};
use latchkey_protocol::{AccountId, Symbol, Timestamp, TradingAccount};

use super::Core;
use super::place::generated;
use crate::view::OrderName;
use crate::{Cancel, CancelledOrder, ClientOrderId, EffectId, Refusal, Reply};

/// Sets generated names of cancels apart from generated names of orders.
const OF_A_CANCEL: u64 = 1 << 63;

impl Core {
    pub(super) fn cancel(&mut self, at: Timestamp, cancel: &Cancel) -> Result<CancelledOrder, Refusal> {
        let market = self.market(cancel.symbol).ok_or(Refusal::BadSymbol)?;
        let name = OrderName { order_id: cancel.order_id, client_order_id: cancel.client_order_id };
        let index = self.find(&cancel.account, market, &name)?.ok_or(Refusal::UnknownOrder)?;
        let order = market.orders.at(index);
        if !order.is_open() {
            return Err(Refusal::UnknownOrder);
        }
        let allowed = match cancel.restrictions {
            None => true,
            Some(CancelRestrictions::OnlyNew) => order.status == OrderStatus::New,
            Some(CancelRestrictions::OnlyPartiallyFilled) => order.status == OrderStatus::PartiallyFilled,
        };
        if !allowed {
            return Err(Refusal::CancelRestrictions);
        }
        let market = market.number;
        Ok(self.end(at, market, index, cancel.new_client_order_id))
    }

    pub(super) fn cancel_all(
        &mut self,
        at: Timestamp,
        account: &TradingAccount,
        symbol: Symbol,
    ) -> Result<Vec<CancelledOrder>, Refusal> {
        let market = self.market_number(symbol).ok_or(Refusal::BadSymbol)?;
        let wallet = self.ledger.wallet_id(account).ok_or(Refusal::UnknownOrder)?;
        let cancelled = self.cancel_open(at, wallet, market);
        if cancelled.is_empty() { Err(Refusal::UnknownOrder) } else { Ok(cancelled) }
    }

    pub(super) fn cancel_everything(
        &mut self,
        at: Timestamp,
        effect: EffectId,
        owner: AccountId,
    ) -> Result<Reply, Refusal> {
        if self.applied.contains(effect) {
            return Ok(Reply::AlreadyDone);
        }
        self.applied.insert(effect);
        let mut wallets = self.ledger.owner_id(owner).map_or(Vec::new(), |id| self.ledger.owner(id).wallets.clone());
        wallets.sort_unstable();
        let mut cancelled = Vec::new();
        for market in 0..self.markets.len() as u16 {
            for wallet in &wallets {
                cancelled.extend(self.cancel_open(at, *wallet, market));
            }
        }
        Ok(Reply::CancelledAll(cancelled))
    }

    /// Cancels a wallet's open orders of one market, oldest first.
    fn cancel_open(&mut self, at: Timestamp, wallet: u32, market: u16) -> Vec<CancelledOrder> {
        let open = self.ledger.wallet(wallet).activity(market).map_or(Vec::new(), |activity| activity.open.clone());
        open.into_iter().map(|index| self.end(at, market, index, None)).collect()
    }

    /// Cancels an open order under a name, or a generated one.
    fn end(&mut self, at: Timestamp, market: u16, index: u32, name: Option<ClientOrderId>) -> CancelledOrder {
        let cancel_client_order_id = name.unwrap_or_else(|| generated(self.seed, market, index, OF_A_CANCEL));
        #[expect(clippy::indexing_slicing, reason = "callers name a market that they have looked up")]
        let market = &mut self.markets[usize::from(market)];
        market.close(&mut self.ledger, index, OrderStatus::Canceled, None, at);
        let order = market.orders.at(index).view(market.symbol(), index);
        CancelledOrder { order, cancel_client_order_id, transact_time: at }
    }
}
