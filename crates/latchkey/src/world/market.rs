//! The market of a world.

use latchkey_authority::policy::Policy;
use latchkey_exchange::spec::SymbolSpec;
use latchkey_exchange::{Flow, MAX_SYMBOLS, MarketSettings, OrderLimits};
use latchkey_protocol::Symbol;
use toml::Spanned;

use super::file::{FlowName, MarketTable, SymbolTable};
use crate::config::source::{Problem, Source};

/// What the exchange starts from: the symbols of the file, or the built-in eight, under the limits of `policy`.
pub(super) fn settings(source: &Source, table: MarketTable, policy: &Policy) -> Result<MarketSettings, Problem> {
    let symbols = match table.symbol {
        None => SymbolSpec::builtin(),
        Some(listed) => symbols(source, &listed)?,
    };
    let flow = match table.flow {
        FlowName::Synthetic => Flow::Synthetic,
        FlowName::None => Flow::None,
    };
    let limits = OrderLimits { per_10s: policy.orders_per_10s, per_day: policy.orders_per_day };
    Ok(MarketSettings { flow, symbols, limits, ..MarketSettings::builtin(table.seed) })
}

fn symbols(source: &Source, listed: &[Spanned<SymbolTable>]) -> Result<Vec<SymbolSpec>, Problem> {
    if let Some(extra) = listed.get(MAX_SYMBOLS) {
        return Err(source.problem(&extra.span(), format_args!("more than {MAX_SYMBOLS} symbols")));
    }
    let mut specs: Vec<SymbolSpec> = Vec::with_capacity(listed.len());
    let mut seen = std::collections::BTreeSet::new();
    for table in listed {
        let spec = spec(source, table)?;
        if !seen.insert(spec.symbol) {
            let twice = format_args!("`{}` appears twice", spec.symbol);
            return Err(source.problem(&table.get_ref().symbol.span(), twice));
        }
        specs.push(spec);
    }
    Ok(specs)
}

fn spec(source: &Source, table: &Spanned<SymbolTable>) -> Result<SymbolSpec, Problem> {
    let SymbolTable { symbol: named, price } = table.get_ref();
    let symbol = named.get_ref().0;
    let refuse = |message: &dyn core::fmt::Display| source.problem(&named.span(), message);
    let builtin = || SymbolSpec::builtin().into_iter().find(|spec| spec.symbol == symbol);
    let spec = match price {
        None => builtin().ok_or_else(|| refuse(&"a symbol that is not built in needs a `price`"))?,
        Some(price) => {
            let at = price.get_ref().0;
            if at.scaled() <= 0 {
                return Err(source.problem(&price.span(), "the price must be above zero"));
            }
            let unknown = || refuse(&format_args!("`{symbol}` does not end in a known quote asset, such as `USDT`"));
            SymbolSpec::from_name(symbol, at).ok_or_else(unknown)?
        }
    };
    spec.validate().map_err(|error| refuse(&format_args!("`{symbol}` cannot be traded: {error}")))?;
    Ok(spec)
}

/// The pair of `symbol` that can be held and traded on isolated margin.
pub(super) fn isolated_pair(market: &MarketSettings, symbol: Symbol) -> Option<&SymbolSpec> {
    market.symbols.iter().find(|spec| spec.symbol == symbol && spec.margin_trading)
}
