//! From route to answer.

use std::future::Future;
use std::sync::Arc;

use latchkey_admission::ports::{CallLog, Clock, Venue as VenuePort};
use latchkey_admission::{Answer, Call, Holder, Outcome, Permit, Reason, Rejection, Stage, Ticket};
use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::ports::Ports;
use latchkey_authority::service::{Authority, AuthorityError};
use latchkey_authority::tier::{AccountLimits, Tiers};
use latchkey_exchange::{Command, Core, OrderLimits, Refusal, Reply};
use latchkey_protocol::catalog::Route;
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::{Timestamp, Value};
use tokio::runtime::Handle;

use crate::broker::Pace;
use crate::search::Search;
use crate::sequencer::Exchange;
use crate::{
    account, broker, calls, exchange_info, loans, margin, market_data, orders, own, refusal, special_keys,
    sub_accounts, sub_keys, wallet,
};

/// The embedded venue: an exchange of its own, and the authority for what manages keys.
pub struct Venue<P> {
    tiers: Tiers,
    pub(crate) exchange: Exchange,
    pub(crate) authority: Arc<Authority<P>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) search: Search,
    /// How often a broker makes and deletes keys.
    pub(crate) pace: Arc<Pace>,
    pub(crate) runtime: Handle,
}

impl<P: Ports + 'static> Venue<P> {
    /// A venue over a running exchange. Changes of keys run on `runtime` to their end, also when the caller goes away.
    pub fn new(
        exchange: Exchange,
        authority: Arc<Authority<P>>,
        clock: Arc<dyn Clock>,
        calls: Arc<dyn CallLog>,
        runtime: Handle,
    ) -> Self {
        let tiers = Tiers::from(authority.policy());
        let search = Search::new(calls, runtime.clone());
        Self { tiers, exchange, authority, clock, search, pace: Arc::default(), runtime }
    }

    /// The same venue, with limits of accounts by VIP level.
    #[must_use]
    pub fn with_tiers(self, tiers: Tiers) -> Self {
        Self { tiers, ..self }
    }

    /// The authority.
    pub fn authority(&self) -> &Authority<P> {
        &self.authority
    }

    /// The exchange.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }
}

impl<P: Ports + 'static> VenuePort for Venue<P> {
    fn submit(&self, permit: Permit) -> Result<Ticket, Rejection> {
        match permit.call().row.route {
            Route::Unavailable => {
                Err(Rejection::new(Stage::Route, Reason::NotAvailable { path: permit.call().row.path }))
            }

            Route::Ping => self.at_once(permit, |_, _| Ok(Value::empty())),
            Route::Time => self.at_once(permit, |_, now| Ok(exchange_info::time(now))),
            Route::ExchangeInfo => exchange_info::spot(self, permit),
            Route::FuturesExchangeInfo | Route::DeliveryExchangeInfo => {
                self.at_once(permit, |_, now| Ok(exchange_info::futures(now)))
            }
            Route::Depth => market_data::depth(self, permit),
            Route::Trades => market_data::trades(self, permit),
            Route::HistoricalTrades => market_data::historical_trades(self, permit),
            Route::AggTrades => market_data::agg_trades(self, permit),
            Route::Klines | Route::UiKlines => market_data::klines(self, permit),
            Route::AvgPrice => market_data::average_price(self, permit),
            Route::Ticker24hr => market_data::ticker_24hr(self, permit),
            Route::TickerPrice => market_data::ticker_price(self, permit),
            Route::TickerBook => market_data::ticker_book(self, permit),

            Route::PlaceOrder => orders::place(self, permit),
            Route::TestOrder => orders::test(self, permit),
            Route::QueryOrder => orders::query(self, permit),
            Route::CancelOrder => orders::cancel(self, permit),
            Route::OpenOrders => orders::open(self, permit),
            Route::CancelOpenOrders => orders::cancel_open(self, permit),
            Route::AllOrders => orders::all(self, permit),

            Route::Account => account::account(self, permit),
            Route::MyTrades => account::my_trades(self, permit),
            Route::RateLimitOrder => account::rate_limit_order(self, permit),
            Route::AccountCommission => account::commission(self, permit),

            Route::SpecialKeyCreate => special_keys::create(self, permit),
            Route::SpecialKeyDelete => special_keys::delete(self, permit),
            Route::SpecialKeyEditIp => special_keys::edit_ip(self, permit),
            Route::SpecialKeyGet => special_keys::one(self, permit),
            Route::SpecialKeyList => special_keys::list(self, permit),

            Route::SpecialKeyExit => special_keys::exit(self, permit),
            Route::LiquidationLoan => loans::query(self, permit),
            Route::LiquidationLoanRepay => loans::repay(self, permit),
            Route::LiquidationLoanHistory => loans::history(self, permit),

            Route::ApiRestrictions => wallet::api_restrictions(self, permit),
            Route::AccountInfo => wallet::account_info(self, permit),
            Route::AccountStatus => self.at_once(permit, |_, _| Ok(wallet::account_status())),
            Route::ApiTradingStatus => self.at_once(permit, |_, now| Ok(wallet::api_trading_status(now))),
            Route::FastWithdrawEnable | Route::FastWithdrawDisable => {
                self.at_once(permit, |_, _| Ok(wallet::fast_withdraw_switch()))
            }
            Route::CapitalConfig => wallet::capital_config(self, permit),
            Route::TradeFee => wallet::trade_fee(self, permit),

            Route::MarginAllPairs => margin::all_pairs(self, permit),
            Route::IsolatedAllPairs => margin::isolated_all_pairs(self, permit),
            Route::MarginAccount => margin::cross_account(self, permit),
            Route::IsolatedAccount => margin::isolated_account(self, permit),

            Route::SubKeyCreate => sub_keys::create(self, permit, false),
            Route::SubKeyCreateV2 => sub_keys::create(self, permit, true),
            Route::SubKeyDelete => sub_keys::delete(self, permit),
            Route::SubKeyList => sub_keys::list(self, permit),
            Route::SubKeyPermission => sub_keys::permission(self, permit),
            Route::SubKeyIpSet => sub_keys::set_ips(self, permit),
            Route::SubKeyIpGet => sub_keys::one_list(self, permit),
            Route::SubKeyIpRemove => sub_keys::cut_list(self, permit),
            Route::SubAccountCreate => sub_accounts::create(self, permit),
            Route::SubAccountList => sub_accounts::list(self, permit),
            Route::SubAccountStatus => sub_accounts::status(self, permit),
            Route::SubAccountFutures => sub_accounts::futures(self, permit),
            Route::SubAccountOptions => sub_accounts::options(self, permit),

            Route::BrokerKeyCreate => broker::create(self, permit),
            Route::BrokerKeyDelete => broker::delete(self, permit),
            Route::BrokerKeyList => broker::list(self, permit),
            Route::BrokerKeyPermission => broker::permission(self, permit),
            Route::BrokerKeyTransfer => broker::universal_transfer(self, permit),
            Route::BrokerKeyIpSet => broker::set_ips(self, permit),
            Route::BrokerKeyIpGet => broker::one_list(self, permit),
            Route::BrokerKeyIpRemove => broker::cut_list(self, permit),

            Route::OwnKey => own::key(self, permit),
            Route::OwnCalls => calls::calls(self, permit),
            Route::OwnRefusal => calls::refusal(self, permit),
        }
    }
}

impl<P: Ports + 'static> Venue<P> {
    /// The unfilled-order limits of the caller's tier, when they are not those of everyone.
    pub(crate) fn tier_limits(&self, permit: &Permit) -> Result<Option<OrderLimits>, Rejection> {
        let limits = self.tiers.of(holder(permit.call())?.key().account.vip());
        let own = AccountLimits::from(self.authority.policy());
        let differ = (limits.orders_per_10s, limits.orders_per_day) != (own.orders_per_10s, own.orders_per_day);
        Ok(differ.then_some(OrderLimits { per_10s: limits.orders_per_10s, per_day: limits.orders_per_day }))
    }

    /// Answers without a wait.
    pub(crate) fn at_once(
        &self,
        permit: Permit,
        answer: impl FnOnce(&Call, Timestamp) -> Result<Value, ApiError>,
    ) -> Result<Ticket, Rejection> {
        let now = self.clock.now();
        let call = permit.hand_over(now)?;
        let value = answer(&call, now).map_err(Rejection::venue)?;
        Ok(Box::pin(std::future::ready(Outcome::Answered(value.into()))))
    }

    /// Has the exchange carry out a command, and shows its reply.
    pub(crate) fn command(
        &self,
        permit: Permit,
        command: Command,
        show: impl FnOnce(Reply) -> Option<Answer> + Send + 'static,
    ) -> Result<Ticket, Rejection> {
        let answer = self.exchange.command(permit, command)?;
        Ok(Box::pin(async move {
            match answer.await {
                // A reply of another kind than the command's cannot be told apart from silence.
                Ok(Ok(Ok(reply))) => show(reply).map_or(Outcome::Unknown, Outcome::Answered),
                Ok(Ok(Err(refusal))) => refusal::refused(&refusal),
                Ok(Err(rejection)) => Outcome::Rejected(rejection),
                Err(_) => Outcome::Unknown,
            }
        }))
    }

    /// Asks the exchange, and shows what it says. `show` runs with the caller, not on the thread.
    pub(crate) fn query<T: Send + 'static>(
        &self,
        permit: Permit,
        ask: impl FnOnce(&Core, Timestamp) -> Result<T, Refusal> + Send + 'static,
        show: impl FnOnce(T) -> Value + Send + 'static,
    ) -> Result<Ticket, Rejection> {
        let answer = self.exchange.query(permit, ask)?;
        Ok(Box::pin(async move {
            match answer.await {
                Ok(Ok(Ok(found))) => Outcome::Answered(show(found).into()),
                Ok(Ok(Err(refusal))) => refusal::refused(&refusal),
                Ok(Err(rejection)) => Outcome::Rejected(rejection),
                Err(_) => Outcome::Unknown,
            }
        }))
    }

    /// Hands the call over now and runs `work` on the runtime to its end, also when nobody waits for it any more.
    pub(crate) fn spawn<F>(
        &self,
        permit: Permit,
        work: impl FnOnce(Arc<Authority<P>>, Exchange, Call, Caller, Timestamp) -> F,
    ) -> Result<Ticket, Rejection>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let now = self.clock.now();
        let call = permit.hand_over(now)?;
        let caller = caller(&call)?;
        let running = self.runtime.spawn(work(self.authority.clone(), self.exchange.clone(), call, caller, now));
        Ok(Box::pin(async move {
            running.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a change of keys ended half way");
                Outcome::Unknown
            })
        }))
    }
}

/// The key behind a call. Every signed row has one.
pub(crate) fn holder(call: &Call) -> Result<&Holder, Rejection> {
    call.holder.as_ref().ok_or_else(|| Rejection::venue(call.row.family.rejected_key().plain()))
}

/// The key behind a call as the authority knows it.
fn caller(call: &Call) -> Result<Caller, Rejection> {
    let holder = holder(call)?;
    let key = holder.key();
    let via = Via::Key { key: key.id };
    Ok(Caller { account: key.account.id, from: Some(call.peer), via, step_up: None, claim: None })
}

/// The end of a call that the authority did not carry out.
pub(crate) fn not_done(error: &AuthorityError) -> Outcome {
    match error {
        AuthorityError::Refused(refusal) => Outcome::Rejected(Rejection::venue(refusal.api_error())),
        AuthorityError::Busy => Outcome::Rejected(Rejection::venue(code::SERVER_BUSY_SAPI.plain())),
        AuthorityError::Store(_) | AuthorityError::NotSettled(_) => {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, cause, "a signed call to the authority has an unknown outcome");
            Outcome::Unknown
        }
    }
}
