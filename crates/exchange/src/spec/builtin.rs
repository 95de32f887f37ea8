//! The built-in symbols, and sensible filters for any other pair.

use latchkey_protocol::decimal::ONE;
use latchkey_protocol::order::{OrderType, SelfTradePrevention, SymbolStatus};
use latchkey_protocol::{Amount, Asset, Price, Quantity, Symbol};

use super::{Features, Filters, LotSize, Notional, PercentPriceBySide, PriceFilter, SymbolSpec, TrailingDelta};

/// The built-in eight: symbol, base, quote, start price scaled by 10^8. The first are the busiest.
const BUILTIN: [(&str, &str, &str, i64); 8] = [
    ("BTCUSDT", "BTC", "USDT", 50_000 * ONE),
    ("ETHUSDT", "ETH", "USDT", 3_000 * ONE),
    ("BNBUSDT", "BNB", "USDT", 600 * ONE),
    ("SOLUSDT", "SOL", "USDT", 150 * ONE),
    ("XRPUSDT", "XRP", "USDT", 6 * ONE / 10),
    ("ADAUSDT", "ADA", "USDT", 45 * ONE / 100),
    ("DOGEUSDT", "DOGE", "USDT", 12 * ONE / 100),
    ("ETHBTC", "ETH", "BTC", 6 * ONE / 100),
];

/// Quote assets that a symbol's name may end with, with the power of ten of their worth in dollars.
/// Longer names stand before the names that they end with.
const QUOTES: [(&str, i32); 16] = [
    ("FDUSD", 0),
    ("USDT", 0),
    ("USDC", 0),
    ("TUSD", 0),
    ("BUSD", 0),
    ("USD1", 0),
    ("DAI", 0),
    ("EUR", 0),
    ("GBP", 0),
    ("TRY", 0),
    ("BRL", 0),
    ("JPY", 0),
    ("BTC", 4),
    ("ETH", 3),
    ("BNB", 2),
    ("SOL", 2),
];

impl SymbolSpec {
    /// The built-in eight symbols, busiest first.
    pub fn builtin() -> Vec<Self> {
        BUILTIN
            .iter()
            .filter_map(|(symbol, base, quote, price)| {
                let (symbol, base, quote) = (Symbol::parse(symbol)?, Asset::parse(base)?, Asset::parse(quote)?);
                Some(Self::derive(symbol, base, quote, Price::from_scaled(*price)))
            })
            .collect()
    }

    /// A symbol from its name alone, which must end in a known quote asset; `None` when it does not.
    pub fn from_name(symbol: Symbol, price: Price) -> Option<Self> {
        let known = |(quote, _): &(&str, i32)| {
            let base = symbol.as_str().strip_suffix(quote)?;
            Some((Asset::parse(base)?, Asset::parse(quote)?))
        };
        let (base, quote) = QUOTES.iter().find_map(known)?;
        Some(Self::derive(symbol, base, quote, price))
    }

    /// A symbol with filters that suit its price: a tick of about 1/3000 of the price or finer and a step worth
    /// about a tenth of a dollar to a dollar, exact together.
    pub fn derive(symbol: Symbol, base: Asset, quote: Asset, price: Price) -> Self {
        let worth = QUOTES.iter().find(|(name, _)| *name == quote.as_str()).map_or(0, |(_, worth)| *worth);
        let magnitude = magnitude(price.scaled());
        let tick_decimals = (2..8).find(|places| price.scaled() / power(8 - places) >= 3_000).unwrap_or(8);
        let step_decimals = (magnitude + 1 + worth).clamp(0, 8 - tick_decimals);
        let (tick, step) = (power(8 - tick_decimals), power(8 - step_decimals));
        let max_quantity = 9 * power(8 + (7 - magnitude - worth).clamp(0, 9));
        Self {
            symbol,
            base,
            quote,
            status: SymbolStatus::Trading,
            start_price: Price::from_scaled(price.scaled() / tick * tick),
            order_types: vec![OrderType::Limit, OrderType::LimitMaker, OrderType::Market],
            features: Features { quote_order_quantity_market: true, ..Features::default() },
            spot_trading: true,
            margin_trading: true,
            default_self_trade_prevention: SelfTradePrevention::ExpireMaker,
            allowed_self_trade_prevention: vec![
                SelfTradePrevention::None,
                SelfTradePrevention::ExpireTaker,
                SelfTradePrevention::ExpireMaker,
                SelfTradePrevention::ExpireBoth,
                SelfTradePrevention::Decrement,
            ],
            commission: None,
            filters: filters(tick, step, max_quantity, magnitude, worth),
        }
    }
}

fn filters(tick: i64, step: i64, max_quantity: i64, magnitude: i32, worth: i32) -> Filters {
    let (up, down) = (Price::from_scaled(5 * ONE), Price::from_scaled(ONE / 5));
    let min_notional = if worth == 0 { 5 * ONE } else { power(8 - worth) };
    Filters {
        price: PriceFilter {
            min: Price::from_scaled(tick),
            max: Price::from_scaled(power(8 + (magnitude + 2).clamp(0, 10))),
            tick: Price::from_scaled(tick),
        },
        percent_price: None,
        percent_price_by_side: Some(PercentPriceBySide {
            bid_up: up,
            bid_down: down,
            ask_up: up,
            ask_down: down,
            average_minutes: 5,
        }),
        lot_size: LotSize {
            min: Quantity::from_scaled(step),
            max: Quantity::from_scaled(max_quantity),
            step: Quantity::from_scaled(step),
        },
        market_lot_size: Some(LotSize {
            min: Quantity::ZERO,
            max: Quantity::from_scaled(max_quantity / 10),
            step: Quantity::ZERO,
        }),
        min_notional: None,
        notional: Some(Notional {
            min: Amount::from_scaled(i128::from(min_notional)),
            apply_min_to_market: true,
            max: Amount::from_scaled(9_000_000 * i128::from(power(8 - worth))),
            apply_max_to_market: false,
            average_minutes: 5,
        }),
        iceberg_parts: Some(10),
        trailing_delta: Some(TrailingDelta { min_above: 10, max_above: 2_000, min_below: 10, max_below: 2_000 }),
        max_num_orders: Some(200),
        max_num_algo_orders: Some(5),
        max_num_iceberg_orders: None,
        max_num_order_lists: Some(20),
        max_num_order_amends: Some(10),
        max_position: None,
    }
}

/// 10 to the given power, which callers keep between 0 and 18.
fn power(exponent: i32) -> i64 {
    10_i64.pow(exponent.clamp(0, 18).unsigned_abs())
}

/// The power of ten of a scaled number's first digit: 4 for 50000.00, −2 for 0.06.
fn magnitude(scaled: i64) -> i32 {
    let digits = scaled.max(1).ilog10();
    digits as i32 - 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, tick: &str, step: &str) {
        let spec = SymbolSpec::builtin().into_iter().find(|spec| spec.symbol.as_str() == name).expect("built in");
        assert_eq!(Ok(spec.filters.price.tick), Price::parse(tick), "{name}");
        assert_eq!(Ok(spec.filters.lot_size.step), Quantity::parse(step), "{name}");
    }

    #[test]
    fn built_in_symbols_have_usual_ticks_and_steps() {
        check("BTCUSDT", "0.01", "0.00001");
        check("ETHUSDT", "0.01", "0.0001");
        check("BNBUSDT", "0.01", "0.001");
        check("SOLUSDT", "0.01", "0.001");
        check("XRPUSDT", "0.0001", "1");
        check("ADAUSDT", "0.0001", "1");
        check("DOGEUSDT", "0.00001", "1");
        check("ETHBTC", "0.00001", "0.001");
    }

    #[test]
    fn every_derived_symbol_is_consistent() {
        for spec in SymbolSpec::builtin() {
            assert_eq!(spec.validate(), Ok(()), "{}", spec.symbol);
        }
        for name in ["PEPEUSDT", "BTCFDUSD", "ADABTC", "SOLETH", "XRPBNB", "BTCEUR"] {
            let symbol = Symbol::parse(name).expect("a symbol");
            let mut scaled = 1;
            while scaled < 1_000_000_000 * ONE {
                let spec = SymbolSpec::from_name(symbol, Price::from_scaled(scaled * 3)).expect("a known quote");
                assert_eq!(spec.validate(), Ok(()), "{name} at {scaled}");
                scaled *= 10;
            }
        }
        assert_eq!(SymbolSpec::from_name(Symbol::parse("USDT").expect("a symbol"), Price::from_scaled(ONE)), None);
    }
}
