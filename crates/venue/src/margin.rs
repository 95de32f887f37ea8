//! Margin pairs and accounts, as far as balances.

use latchkey_admission::{Holder, Permit, Rejection, Ticket};
use latchkey_authority::key::{KeyKind, Scope};
use latchkey_authority::ports::Ports;
use latchkey_exchange::Core;
use latchkey_exchange::view::BalanceView;
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::decimal::ONE;
use latchkey_protocol::{AccountId, Amount, Asset, Price, Symbol, TradingAccount, Value, Wallet, object};

use crate::account::{balances, empty_balance};
use crate::symbols::Announced;
use crate::venue::{Venue, holder};

/// The most pairs that one call may name.
const SYMBOLS_MAX: usize = 5;
/// The margin level of an account without a debt, and the highest that is printed.
const LEVEL_MAX: i128 = 999 * ONE as i128;

pub(crate) fn all_pairs<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    pairs(venue, permit, true)
}

pub(crate) fn isolated_all_pairs<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    pairs(venue, permit, false)
}

fn pairs<P: Ports + 'static>(venue: &Venue<P>, permit: Permit, with_id: bool) -> Result<Ticket, Rejection> {
    let symbols = venue.exchange.symbols();
    venue.at_once(permit, |call, _| {
        let only = call.arguments.symbol("symbol");
        if only.is_some_and(|only| symbols.find(only).is_none()) {
            return Err(code::BAD_SYMBOL.plain());
        }
        let rows = symbols
            .all()
            .iter()
            .zip(1_i64..)
            .filter(|(row, _)| row.spec.margin_trading && only.is_none_or(|only| row.spec.symbol == only));
        Ok(Value::Array(rows.map(|(row, id)| pair_value(row, with_id.then_some(id))).collect()))
    })
}

fn pair_value(row: &Announced, id: Option<i64>) -> Value {
    let mut fields = vec![("base", Value::from(row.spec.base))];
    fields.extend(id.map(|id| ("id", id.into())));
    fields.extend([
        ("isBuyAllowed", true.into()),
        ("isMarginTrade", true.into()),
        ("isSellAllowed", true.into()),
        ("quote", row.spec.quote.into()),
        ("symbol", row.spec.symbol.into()),
    ]);
    Value::Object(fields)
}

/// Whether a key may look at a margin account: a special key sees the one that it unlocks.
pub(crate) fn sees(holder: &Holder, scope: Option<Scope>) -> bool {
    match holder.key().kind {
        KeyKind::Standard | KeyKind::Tax => true,
        KeyKind::Special { scope: own, .. } => Some(own) == scope,
    }
}

pub(crate) fn not_its_account() -> Rejection {
    Rejection::venue(code::REJECTED_KEY_SAPI.plain())
}

/// The worth of a wallet.
#[derive(Clone, Copy, Default)]
struct Worth {
    total: i128,
    owed: i128,
}

impl Worth {
    fn plus(self, other: Self) -> Self {
        Self { total: self.total.saturating_add(other.total), owed: self.owed.saturating_add(other.owed) }
    }

    /// Total by what is owed: eight decimals, cut off, at most 999.
    fn level(self) -> Value {
        let one = i128::from(ONE);
        let level = self.total.checked_mul(one).and_then(|total| total.checked_div(self.owed)).unwrap_or(LEVEL_MAX);
        amount(level.min(LEVEL_MAX))
    }

    fn net(self) -> i128 {
        self.total.saturating_sub(self.owed)
    }
}

struct CrossFacts {
    rows: Vec<BalanceView>,
    opened: bool,
    in_liquidation: bool,
    in_btc: Worth,
    in_usdt: Worth,
}

pub(crate) fn cross_account<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let holder = holder(permit.call())?;
    if !sees(holder, Some(Scope::Cross)) {
        return Err(not_its_account());
    }
    let key = holder.key();
    // A special key of Portfolio Margin Pro unlocks the pooled wallet.
    let wallet = if key.kind == KeyKind::Standard { Wallet::Cross } else { holder.trading().wallet };
    let account = TradingAccount { owner: key.account.id, wallet };
    venue.query(
        permit,
        move |core, _| {
            let rows = balances(core, account, false);
            let worth = |unit: &str| rows.iter().map(|row| worth(core, row, unit)).fold(Worth::default(), Worth::plus);
            let (in_btc, in_usdt) = (worth("BTC"), worth("USDT"));
            let opened = core.wallet_opened(account).is_some();
            let in_liquidation = core.owner(account.owner).in_liquidation;
            Ok(CrossFacts { rows, opened, in_liquidation, in_btc, in_usdt })
        },
        |facts| cross_value(&facts),
    )
}

fn cross_value(facts: &CrossFacts) -> Value {
    let CrossFacts { opened, in_btc, in_usdt, .. } = *facts;
    let row = |row: &BalanceView| {
        object! {
            "asset": row.asset,
            "borrowed": row.borrowed,
            "free": row.free,
            "interest": row.interest,
            "locked": row.locked,
            "netAsset": amount(net(row)),
        }
    };
    object! {
        "created": opened,
        "borrowEnabled": false,
        "marginLevel": in_btc.level(),
        "collateralMarginLevel": in_usdt.level(),
        "totalAssetOfBtc": amount(in_btc.total),
        "totalLiabilityOfBtc": amount(in_btc.owed),
        "totalNetAssetOfBtc": amount(in_btc.net()),
        "TotalCollateralValueInUSDT": amount(in_usdt.total),
        "totalOpenOrderLossInUSDT": Amount::ZERO,
        "tradeEnabled": opened && !facts.in_liquidation,
        "transferInEnabled": false,
        "transferOutEnabled": false,
        "accountType": "MARGIN_1",
        "userAssets": facts.rows.iter().map(row).collect::<Vec<_>>(),
    }
}

struct PairFacts {
    symbol: Symbol,
    base: (BalanceView, Worth),
    quote: (BalanceView, Worth),
    index: Price,
    in_liquidation: bool,
}

pub(crate) fn isolated_account<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let holder = holder(call)?;
    let owner = holder.key().account.id;
    let named = call.arguments.symbols("symbols").map(<[Symbol]>::to_vec);
    if let Some(named) = &named {
        check_named(venue, named).map_err(Rejection::parameter)?;
    }
    let asked = |symbol: &Symbol| sees(holder, Some(Scope::Isolated(*symbol)));
    let own = match holder.trading().wallet {
        Wallet::Isolated(symbol) => Some(symbol),
        Wallet::Spot | Wallet::Cross | Wallet::Portfolio => None,
    };
    // A special key without a list sees its own pair, and nothing when it has none.
    let allowed = named.as_ref().map_or_else(|| own.is_some() || sees(holder, None), |named| named.iter().all(asked));
    if !allowed {
        return Err(not_its_account());
    }
    let with_totals = named.is_none();
    let wanted = named.or(own.map(|symbol| vec![symbol]));
    venue.query(
        permit,
        move |core, _| {
            let opened = core.wallets(owner).into_iter().filter_map(|wallet| match wallet {
                Wallet::Isolated(symbol) => Some(symbol),
                Wallet::Spot | Wallet::Cross | Wallet::Portfolio => None,
            });
            let chosen = opened.filter(|symbol| wanted.as_ref().is_none_or(|wanted| wanted.contains(symbol)));
            Ok(chosen.filter_map(|symbol| pair_facts(core, owner, symbol)).collect::<Vec<_>>())
        },
        move |pairs| isolated_value(&pairs, with_totals),
    )
}

fn check_named<P: Ports + 'static>(venue: &Venue<P>, named: &[Symbol]) -> Result<(), ApiError> {
    let symbols = venue.exchange.symbols();
    if named.len() > SYMBOLS_MAX {
        return Err(code::INVALID_PARAMETER.with(["symbols"]));
    }
    let known = |symbol: &Symbol| symbols.find(*symbol).is_some_and(|row| row.spec.margin_trading);
    if named.iter().all(known) { Ok(()) } else { Err(code::NOT_VALID_MARGIN_PAIR.plain()) }
}

fn pair_facts(core: &Core, owner: AccountId, symbol: Symbol) -> Option<PairFacts> {
    let spec = core.symbol(symbol)?;
    let rows = balances(core, TradingAccount { owner, wallet: Wallet::Isolated(symbol) }, false);
    let side = |asset: Asset| {
        let row = rows.iter().find(|row| row.asset == asset).copied().unwrap_or(empty_balance(asset));
        (row, worth(core, &row, "BTC"))
    };
    Some(PairFacts {
        symbol,
        base: side(spec.base),
        quote: side(spec.quote),
        index: core.ticker_price(symbol)?,
        in_liquidation: core.owner(owner).in_liquidation,
    })
}

fn isolated_value(pairs: &[PairFacts], with_totals: bool) -> Value {
    let mut fields = vec![("assets", Value::Array(pairs.iter().map(isolated_pair_value).collect()))];
    if with_totals {
        let all = pairs.iter().map(|pair| pair.base.1.plus(pair.quote.1)).fold(Worth::default(), Worth::plus);
        fields.extend([
            ("totalAssetOfBtc", amount(all.total)),
            ("totalLiabilityOfBtc", amount(all.owed)),
            ("totalNetAssetOfBtc", amount(all.net())),
        ]);
    }
    Value::Object(fields)
}

fn isolated_pair_value(pair: &PairFacts) -> Value {
    let asset = |(row, worth): &(BalanceView, Worth)| {
        object! {
            "asset": row.asset,
            "borrowEnabled": false,
            "borrowed": row.borrowed,
            "free": row.free,
            "interest": row.interest,
            "locked": row.locked,
            "netAsset": amount(net(row)),
            "netAssetOfBtc": amount(worth.net()),
            "repayEnabled": false,
            "totalAsset": amount(row.free.scaled().saturating_add(row.locked.scaled())),
        }
    };
    object! {
        "baseAsset": asset(&pair.base),
        "quoteAsset": asset(&pair.quote),
        "symbol": pair.symbol,
        "isolatedCreated": true,
        "enabled": true,
        "marginLevel": pair.base.1.plus(pair.quote.1).level(),
        "marginLevelStatus": "EXCESSIVE",
        "marginRatio": amount(10 * i128::from(ONE)),
        "indexPrice": pair.index,
        "liquidatePrice": Amount::ZERO,
        "liquidateRate": Amount::ZERO,
        "tradeEnabled": !pair.in_liquidation,
    }
}

fn amount(scaled: i128) -> Value {
    Amount::from_scaled(scaled).into()
}

fn net(row: &BalanceView) -> i128 {
    let debt = row.borrowed.scaled().saturating_add(row.interest.scaled());
    row.free.scaled().saturating_add(row.locked.scaled()).saturating_sub(debt)
}

/// What a balance is worth in `unit` at last prices: directly, or over USDT; nothing where no price leads there.
fn worth(core: &Core, row: &BalanceView, unit: &str) -> Worth {
    let total = row.free.scaled().saturating_add(row.locked.scaled());
    let owed = row.borrowed.scaled().saturating_add(row.interest.scaled());
    let convert = |amount: i128| convert(core, amount, row.asset.as_str(), unit).unwrap_or(0);
    Worth { total: convert(total), owed: convert(owed) }
}

fn convert(core: &Core, amount: i128, from: &str, to: &str) -> Option<i128> {
    let one = i128::from(ONE);
    let price = |base: &str, quote: &str| {
        let symbol = Symbol::parse(&format!("{base}{quote}"))?;
        core.ticker_price(symbol).map(|price| i128::from(price.scaled()))
    };
    if from == to || amount == 0 {
        return Some(amount);
    }
    if let Some(direct) = price(from, to) {
        return amount.checked_mul(direct).map(|product| product / one);
    }
    if let Some(inverse) = price(to, from) {
        return amount.checked_mul(one)?.checked_div(inverse);
    }
    if to == "USDT" || from == "USDT" {
        return None;
    }
    convert(core, convert(core, amount, from, "USDT")?, "USDT", to)
}
