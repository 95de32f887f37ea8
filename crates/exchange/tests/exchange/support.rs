//! A desk at which tests trade: one exchange, a clock that is set by hand, and short words for long structures.

use latchkey_exchange::spec::SymbolSpec;
use latchkey_exchange::view::{OrderName, OrderView, Page};
use latchkey_exchange::{
    Cancel, CancelledOrder, ClientOrderId, Command, Core, EffectId, MarketSettings, NewOrder, PlacedOrder, Refusal,
    RefusalKind, Reply, Transfer,
};
use latchkey_protocol::order::{OrderStatus, OrderType, SelfTradePrevention, Side, TimeInForce};
use latchkey_protocol::{AccountId, Amount, Asset, Price, Quantity, Symbol, Timestamp, TradingAccount, Wallet};

/// 2026-02-14T10:20:30Z: the start of a ten-second window.
pub(crate) const NOON: i64 = 1_771_064_430_000_000;

pub(crate) const ANN: TradingAccount = TradingAccount { owner: AccountId(1), wallet: Wallet::Spot };
pub(crate) const BOB: TradingAccount = TradingAccount { owner: AccountId(2), wallet: Wallet::Spot };

pub(crate) fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("a symbol")
}

pub(crate) fn asset(text: &str) -> Asset {
    Asset::parse(text).expect("an asset")
}

pub(crate) fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

pub(crate) fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).expect("a quantity")
}

pub(crate) fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

pub(crate) fn name(text: &str) -> ClientOrderId {
    ClientOrderId::parse(text).expect("a client order id")
}

/// How many cases a long property takes.
#[expect(clippy::disallowed_methods, reason = "the number of cases is the one thing that the environment sets")]
pub(crate) fn cases(default: u32) -> u32 {
    std::env::var("LATCHKEY_PROOF_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// `ABCUSDT` at 100.00: tick 0.01, step 0.001, notional at least 5.
pub(crate) fn plain_symbol() -> SymbolSpec {
    SymbolSpec::from_name(symbol("ABCUSDT"), price("100")).expect("a known quote asset")
}

pub(crate) struct Desk {
    pub(crate) core: Core,
    pub(crate) now: Timestamp,
    next_effect: i64,
}

impl Desk {
    /// `ABCUSDT` alone, with rich Ann and Bob.
    pub(crate) fn open() -> Self {
        Self::with(plain_symbol())
    }

    /// One symbol, with rich Ann and Bob.
    pub(crate) fn with(spec: SymbolSpec) -> Self {
        let settings = MarketSettings { symbols: vec![spec.clone()], ..MarketSettings::empty() };
        let mut desk = Self::bare(settings);
        for account in [ANN, BOB] {
            desk.fund(account, spec.base.as_str(), "1000");
            desk.fund(account, spec.quote.as_str(), "100000");
        }
        desk
    }

    /// Nobody has anything.
    pub(crate) fn bare(settings: MarketSettings) -> Self {
        let core = Core::new(settings).expect("settings that make an exchange");
        Self { core, now: Timestamp::from_micros(NOON), next_effect: 1 }
    }

    pub(crate) fn effect(&mut self) -> EffectId {
        self.next_effect += 1;
        EffectId(self.next_effect - 1)
    }

    pub(crate) fn apply(&mut self, command: &Command) -> Result<Reply, Refusal> {
        self.core.apply(self.now, command)
    }

    pub(crate) fn fund(&mut self, account: TradingAccount, of: &str, much: &str) {
        let effect = self.effect();
        let transfer = Transfer { effect, account, asset: asset(of), amount: amount(much) };
        assert_eq!(self.apply(&Command::Credit(transfer)), Ok(Reply::Done));
    }

    pub(crate) fn place(&mut self, order: NewOrder) -> Result<PlacedOrder, Refusal> {
        match self.apply(&Command::Place(order))? {
            Reply::Placed(placed) => Ok(placed),
            other => panic!("a placement answered {other:?}"),
        }
    }

    /// Places a good-till-canceled limit order that must be accepted.
    pub(crate) fn rest(&mut self, account: TradingAccount, side: Side, much: &str, at: &str) -> PlacedOrder {
        self.place(limit(account, side, much, at)).expect("an accepted order")
    }

    pub(crate) fn cancel(&mut self, account: TradingAccount, order_id: i64) -> Result<CancelledOrder, Refusal> {
        match self.apply(&Command::Cancel(cancel(account, order_id)))? {
            Reply::Cancelled(cancelled) => Ok(cancelled),
            other => panic!("a cancel answered {other:?}"),
        }
    }

    pub(crate) fn order(&self, account: TradingAccount, order_id: i64) -> OrderView {
        let name = OrderName { order_id: Some(order_id), client_order_id: None };
        self.core.order(account, symbol("ABCUSDT"), name).expect("an order")
    }

    /// Free and held balance, without trailing zeros.
    pub(crate) fn purse(&self, account: TradingAccount, of: &str) -> (String, String) {
        let rows = self.core.balances(account).unwrap_or_default();
        let row = rows.iter().find(|row| row.asset == asset(of));
        let short = |amount: Amount| {
            let text = amount.to_string();
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        row.map_or(("0".into(), "0".into()), |row| (short(row.free), short(row.locked)))
    }

    #[track_caller]
    pub(crate) fn check_purse(&self, account: TradingAccount, of: &str, free: &str, locked: &str) {
        let purse = self.purse(account, of);
        assert_eq!((purse.0.as_str(), purse.1.as_str()), (free, locked), "{of} of {:?}", account.owner);
    }

    /// The levels of a side, best first.
    pub(crate) fn levels(&self, side: Side) -> Vec<(Price, Amount)> {
        let depth = self.core.depth(symbol("ABCUSDT"), 100).expect("a book");
        let levels = if side == Side::Buy { depth.bids } else { depth.asks };
        levels.into_iter().map(|level| (level.price, level.quantity)).collect()
    }

    #[track_caller]
    pub(crate) fn check_sums(&self) {
        for sum in self.core.asset_sums() {
            let inside = sum.wallets.scaled() + sum.fees.scaled() + sum.house.scaled();
            assert_eq!(inside, sum.issued.scaled(), "{}", sum.asset);
        }
    }
}

pub(crate) fn order(account: TradingAccount, side: Side, kind: OrderType) -> NewOrder {
    NewOrder::new(account, symbol("ABCUSDT"), side, kind)
}

pub(crate) fn limit(account: TradingAccount, side: Side, much: &str, at: &str) -> NewOrder {
    NewOrder {
        time_in_force: Some(TimeInForce::Gtc),
        quantity: Some(quantity(much)),
        price: Some(price(at)),
        ..order(account, side, OrderType::Limit)
    }
}

pub(crate) fn market(account: TradingAccount, side: Side, much: &str) -> NewOrder {
    NewOrder { quantity: Some(quantity(much)), ..order(account, side, OrderType::Market) }
}

pub(crate) fn by_quote(account: TradingAccount, side: Side, much: &str) -> NewOrder {
    NewOrder { quote_order_quantity: Some(amount(much)), ..order(account, side, OrderType::Market) }
}

pub(crate) fn maker_only(account: TradingAccount, side: Side, much: &str, at: &str) -> NewOrder {
    NewOrder { time_in_force: None, order_type: OrderType::LimitMaker, ..limit(account, side, much, at) }
}

pub(crate) fn prevented(order: NewOrder, mode: SelfTradePrevention) -> NewOrder {
    NewOrder { self_trade_prevention: Some(mode), ..order }
}

pub(crate) fn cancel(account: TradingAccount, order_id: i64) -> Cancel {
    Cancel {
        account,
        symbol: symbol("ABCUSDT"),
        order_id: Some(order_id),
        client_order_id: None,
        new_client_order_id: None,
        restrictions: None,
    }
}

/// Everything: a page without bounds.
pub(crate) const ALL: Page = Page { from: None, start: None, end: None, limit: 1_000 };

/// A refusal must have this kind and exactly this text.
#[track_caller]
pub(crate) fn check_refused<T: core::fmt::Debug>(outcome: Result<T, Refusal>, kind: RefusalKind, text: &str) {
    let refusal = outcome.expect_err("a refusal");
    assert_eq!((refusal.kind(), refusal.text().as_str()), (kind, text));
}

#[track_caller]
pub(crate) fn check_status(order: &OrderView, status: OrderStatus, executed: &str) {
    assert_eq!((order.status, order.executed_quantity), (status, quantity(executed)), "{order:?}");
}
