//! What a symbol is: assets, status, what it allows, its filters.

mod builtin;

use latchkey_protocol::order::{OrderType, SelfTradePrevention, SymbolStatus};
use latchkey_protocol::{Amount, Asset, Price, Quantity, Symbol};
use serde::{Deserialize, Serialize};

use crate::Commission;

/// One trading pair with everything that `exchangeInfo` says of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SymbolSpec {
    /// Its name.
    pub symbol: Symbol,
    /// The asset that is bought and sold.
    pub base: Asset,
    /// The asset that it is paid with.
    pub quote: Asset,
    /// Whether it trades.
    pub status: SymbolStatus,
    /// Where the price starts; the reference price until the first trade.
    pub start_price: Price,
    /// The order types that it takes.
    pub order_types: Vec<OrderType>,
    /// What else it allows.
    pub features: Features,
    /// Whether spot wallets trade it.
    pub spot_trading: bool,
    /// Whether cross and isolated wallets trade it.
    pub margin_trading: bool,
    /// The self-trade prevention of an order that names none.
    pub default_self_trade_prevention: SelfTradePrevention,
    /// The modes that an order may name.
    pub allowed_self_trade_prevention: Vec<SelfTradePrevention>,
    /// Its own rates; `None` takes the exchange's.
    pub commission: Option<Commission>,
    /// What its orders must satisfy.
    pub filters: Filters,
}

/// What a symbol allows beyond plain orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Features {
    /// `quoteOrderQtyMarketAllowed`.
    pub quote_order_quantity_market: bool,
    /// `icebergAllowed`.
    pub iceberg: bool,
    /// `ocoAllowed`.
    pub oco: bool,
    /// `otoAllowed`.
    pub oto: bool,
    /// `opoAllowed`.
    pub opo: bool,
    /// `allowTrailingStop`.
    pub trailing_stop: bool,
    /// `cancelReplaceAllowed`.
    pub cancel_replace: bool,
    /// `amendAllowed`.
    pub amend: bool,
    /// `pegInstructionsAllowed`.
    pub peg: bool,
}

/// The filters of a symbol; `None` is a filter that the symbol does not have.
/// Source: spot API, filters, 2026-07-21.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Filters {
    /// `PRICE_FILTER`.
    pub price: PriceFilter,
    /// `PERCENT_PRICE`.
    pub percent_price: Option<PercentPrice>,
    /// `PERCENT_PRICE_BY_SIDE`.
    pub percent_price_by_side: Option<PercentPriceBySide>,
    /// `LOT_SIZE`.
    pub lot_size: LotSize,
    /// `MARKET_LOT_SIZE`; a step of zero leaves the step to `LOT_SIZE`.
    pub market_lot_size: Option<LotSize>,
    /// `MIN_NOTIONAL`.
    pub min_notional: Option<MinNotional>,
    /// `NOTIONAL`.
    pub notional: Option<Notional>,
    /// `ICEBERG_PARTS`: limit.
    pub iceberg_parts: Option<u32>,
    /// `TRAILING_DELTA`.
    pub trailing_delta: Option<TrailingDelta>,
    /// `MAX_NUM_ORDERS`.
    pub max_num_orders: Option<u32>,
    /// `MAX_NUM_ALGO_ORDERS`.
    pub max_num_algo_orders: Option<u32>,
    /// `MAX_NUM_ICEBERG_ORDERS`.
    pub max_num_iceberg_orders: Option<u32>,
    /// `MAX_NUM_ORDER_LISTS`.
    pub max_num_order_lists: Option<u32>,
    /// `MAX_NUM_ORDER_AMENDS`.
    pub max_num_order_amends: Option<u32>,
    /// `MAX_POSITION`, in base units.
    pub max_position: Option<Amount>,
}

/// `PRICE_FILTER`: a zero minimum or maximum is switched off; the tick never is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PriceFilter {
    /// `minPrice`.
    pub min: Price,
    /// `maxPrice`.
    pub max: Price,
    /// `tickSize`, above zero.
    pub tick: Price,
}

/// `PERCENT_PRICE`; multipliers are scaled by 10^8.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PercentPrice {
    /// `multiplierUp`.
    pub up: Price,
    /// `multiplierDown`.
    pub down: Price,
    /// `avgPriceMins`; 0 takes the last price.
    pub average_minutes: u32,
}

/// `PERCENT_PRICE_BY_SIDE`; multipliers are scaled by 10^8.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PercentPriceBySide {
    /// `bidMultiplierUp`.
    pub bid_up: Price,
    /// `bidMultiplierDown`.
    pub bid_down: Price,
    /// `askMultiplierUp`.
    pub ask_up: Price,
    /// `askMultiplierDown`.
    pub ask_down: Price,
    /// `avgPriceMins`; 0 takes the last price.
    pub average_minutes: u32,
}

/// `LOT_SIZE` or `MARKET_LOT_SIZE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LotSize {
    /// `minQty`.
    pub min: Quantity,
    /// `maxQty`.
    pub max: Quantity,
    /// `stepSize`.
    pub step: Quantity,
}

/// `MIN_NOTIONAL`, in quote units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MinNotional {
    /// `minNotional`.
    pub min: Amount,
    /// `applyToMarket`.
    pub apply_to_market: bool,
    /// `avgPriceMins`; 0 takes the last price.
    pub average_minutes: u32,
}

/// `NOTIONAL`, in quote units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notional {
    /// `minNotional`.
    pub min: Amount,
    /// `applyMinToMarket`.
    pub apply_min_to_market: bool,
    /// `maxNotional`.
    pub max: Amount,
    /// `applyMaxToMarket`.
    pub apply_max_to_market: bool,
    /// `avgPriceMins`; 0 takes the last price.
    pub average_minutes: u32,
}

/// `TRAILING_DELTA`, in basis points.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrailingDelta {
    /// `minTrailingAboveDelta`.
    pub min_above: u32,
    /// `maxTrailingAboveDelta`.
    pub max_above: u32,
    /// `minTrailingBelowDelta`.
    pub min_below: u32,
    /// `maxTrailingBelowDelta`.
    pub max_below: u32,
}

/// Why a symbol cannot be traded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpecError {
    /// Base and quote are one asset.
    #[error("base and quote are the same asset")]
    SameAsset,
    /// A price or quantity that must be above zero is not.
    #[error("`{0}` must be above zero")]
    NotPositive(&'static str),
    /// A minimum above its maximum.
    #[error("the least `{0}` is above the greatest")]
    Range(&'static str),
    /// Price × quantity would need more than eight decimals.
    #[error("the decimals of tick and step sum to more than eight")]
    TooFine,
    /// An average over more minutes than are kept.
    #[error("an average over more than {max} minutes", max = crate::MAX_AVERAGE_MINUTES)]
    AverageTooLong,
    /// The default self-trade prevention is not among the allowed.
    #[error("the default self-trade prevention is not allowed")]
    SelfTradePrevention,
    /// A mode that this exchange does not carry out.
    #[error("self-trade prevention `TRANSFER` is not supported")]
    Transfer,
    /// An order type or feature that this exchange does not carry out.
    #[error("`{0}` is not supported")]
    Unsupported(&'static str),
}

impl SymbolSpec {
    /// Checks that every accepted order can be carried out exactly.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), SpecError> {
        let filters = &self.filters;
        if self.base == self.quote {
            return Err(SpecError::SameAsset);
        }
        let positive = [
            ("tickSize", filters.price.tick.scaled()),
            ("stepSize", filters.lot_size.step.scaled()),
            ("minQty", filters.lot_size.min.scaled()),
            ("startPrice", self.start_price.scaled()),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value <= 0) {
            return Err(SpecError::NotPositive(name));
        }
        let within = |min: i64, max: i64| min >= 0 && min <= max;
        if filters.price.max.scaled() != 0 && !within(filters.price.min.scaled(), filters.price.max.scaled()) {
            return Err(SpecError::Range("price"));
        }
        let lots = [Some(filters.lot_size), filters.market_lot_size];
        if lots.iter().flatten().any(|lot| !within(lot.min.scaled(), lot.max.scaled()) || lot.step.scaled() < 0) {
            return Err(SpecError::Range("quantity"));
        }
        if self.start_price.scaled() > i64::MAX / 16 {
            return Err(SpecError::Range("startPrice"));
        }
        let amounts = [
            filters.min_notional.map(|f| (f.min, f.min)),
            filters.notional.map(|f| (f.min, f.max)),
            filters.max_position.map(|most| (most, most)),
        ];
        let sound = |(min, max): &(Amount, Amount)| {
            (0..=max.scaled()).contains(&min.scaled()) && max.scaled() <= crate::ledger::MAX_TRANSFER
        };
        if !amounts.iter().flatten().all(sound) {
            return Err(SpecError::Range("amount"));
        }
        if decimals(filters.price.tick.scaled()) + decimals(filters.lot_size.step.scaled()) > 8 {
            return Err(SpecError::TooFine);
        }
        let averages = [
            filters.percent_price.map(|f| f.average_minutes),
            filters.percent_price_by_side.map(|f| f.average_minutes),
            filters.min_notional.map(|f| f.average_minutes),
            filters.notional.map(|f| f.average_minutes),
        ];
        if averages.into_iter().flatten().any(|minutes| minutes > crate::MAX_AVERAGE_MINUTES) {
            return Err(SpecError::AverageTooLong);
        }
        if self.allowed_self_trade_prevention.contains(&SelfTradePrevention::Transfer) {
            return Err(SpecError::Transfer);
        }
        if !self.allowed_self_trade_prevention.contains(&self.default_self_trade_prevention) {
            return Err(SpecError::SelfTradePrevention);
        }
        self.carried_out()
    }

    /// Refuses to announce what the core would not do.
    fn carried_out(&self) -> Result<(), SpecError> {
        let plain = [OrderType::Limit, OrderType::Market, OrderType::LimitMaker];
        if let Some(other) = self.order_types.iter().find(|kind| !plain.contains(kind)) {
            return Err(SpecError::Unsupported(other.as_str()));
        }
        let f = self.features;
        let flags = [
            ("icebergAllowed", f.iceberg),
            ("ocoAllowed", f.oco),
            ("otoAllowed", f.oto),
            ("opoAllowed", f.opo),
            ("allowTrailingStop", f.trailing_stop),
            ("cancelReplaceAllowed", f.cancel_replace),
            ("amendAllowed", f.amend),
            ("pegInstructionsAllowed", f.peg),
        ];
        match flags.iter().find(|(_, on)| *on) {
            Some((name, _)) => Err(SpecError::Unsupported(name)),
            None => Ok(()),
        }
    }
}

/// How many decimals a scaled number needs.
fn decimals(scaled: i64) -> u32 {
    let mut places = latchkey_protocol::decimal::SCALE;
    let mut rest = scaled;
    while places > 0 && rest % 10 == 0 {
        rest /= 10;
        places -= 1;
    }
    places
}
