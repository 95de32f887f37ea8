//! What is announced: the time, the symbols, the limits.

use latchkey_admission::{Permit, Rejection, Ticket};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::Ports;
use latchkey_exchange::spec::{Filters, SymbolSpec};
use latchkey_protocol::catalog::Arguments;
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::limits::{Interval, Limit, RateLimitType, Window};
use latchkey_protocol::order::SymbolStatus;
use latchkey_protocol::{Price, Timestamp, Value, object};

use crate::account::{DAY, TEN_SECONDS};
use crate::symbols::{Announced, Symbols};
use crate::venue::Venue;

const MINUTE: Window = Window::of(1, Interval::Minute);
const FIVE_MINUTES: Window = Window::of(5, Interval::Minute);

/// The account permissions that symbols of this exchange name.
const SPOT: &str = "SPOT";
const MARGIN: &str = "MARGIN";
/// What `permissions` may name beside the trade groups.
/// Source: spot API enumerations, 2026-07-21.
const PERMISSIONS: [&str; 3] = [SPOT, MARGIN, "LEVERAGED"];

pub(crate) fn time(now: Timestamp) -> Value {
    object! { "serverTime": now }
}

/// The futures families, of which clients ask the symbols at start: there are none.
pub(crate) fn futures(now: Timestamp) -> Value {
    object! {
        "timezone": "UTC",
        "serverTime": now,
        "rateLimits": Vec::<Value>::new(),
        "exchangeFilters": Vec::<Value>::new(),
        "assets": Vec::<Value>::new(),
        "symbols": Vec::<Value>::new(),
    }
}

pub(crate) fn spot<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let symbols = venue.exchange.symbols();
    venue.at_once(permit, |call, now| {
        let arguments = &call.arguments;
        let with_sets = arguments.bool("showPermissionSets").unwrap_or(true);
        let show = |row: &Announced| if with_sets { row.value.clone() } else { row.value_without_sets.clone() };
        let rows = chosen(&symbols, arguments)?.into_iter().map(show).collect::<Vec<_>>();
        Ok(object! {
            "timezone": "UTC",
            "serverTime": now,
            "rateLimits": rate_limits(venue.authority.policy(), &symbols),
            "exchangeFilters": exchange_filters(&symbols),
            "symbols": rows,
        })
    })
}

/// The symbols that the parameters ask for.
fn chosen<'a>(symbols: &'a Symbols, arguments: &Arguments) -> Result<Vec<&'a Announced>, ApiError> {
    let sent = |name| arguments.get(name).is_some();
    let by_name = sent("symbol") || sent("symbols");
    if sent("symbol") && sent("symbols") || by_name && (sent("permissions") || sent("symbolStatus")) {
        return Err(code::BAD_COMBINATION.plain());
    }
    let find = |symbol| symbols.find(symbol).ok_or_else(|| code::BAD_SYMBOL.plain());
    if let Some(symbol) = arguments.symbol("symbol") {
        return Ok(vec![find(symbol)?]);
    }
    if let Some(list) = arguments.symbols("symbols") {
        if list.is_empty() {
            return Err(code::INVALID_PARAMETER.with(["symbols"]));
        }
        return list.iter().copied().map(find).collect();
    }
    let permissions = arguments.text("permissions").map(permissions).transpose()?;
    let status = arguments.choice("symbolStatus").and_then(SymbolStatus::parse);
    let fits = |row: &&Announced| {
        let permitted = permissions.as_ref().is_none_or(|names| names.iter().any(|name| names_it(&row.spec, name)));
        permitted && status.is_none_or(|status| row.spec.status == status)
    };
    Ok(symbols.all().iter().filter(fits).collect())
}

/// A single name, or a JSON list of names.
fn permissions(text: &str) -> Result<Vec<&str>, ApiError> {
    let invalid = || code::INVALID_PARAMETER.with(["permissions"]);
    let text = text.trim();
    let names: Vec<&str> = match text.strip_prefix('[') {
        None => vec![text],
        Some(rest) => {
            let inner = rest.strip_suffix(']').ok_or_else(invalid)?;
            let name = |item: &'_ str| item.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).is_some();
            if !inner.split(',').all(name) {
                return Err(invalid());
            }
            inner.split(',').map(|item| item.trim().trim_matches('"')).collect()
        }
    };
    let known = |name: &&str| PERMISSIONS.contains(name) || name.starts_with("TRD_GRP_");
    if names.iter().all(known) { Ok(names) } else { Err(invalid()) }
}

fn names_it(spec: &SymbolSpec, permission: &str) -> bool {
    spec.spot_trading && permission == SPOT || spec.margin_trading && permission == MARGIN
}

fn rate_limits(policy: &Policy, symbols: &Symbols) -> Value {
    let limits = [
        Limit::new(RateLimitType::RequestWeight, MINUTE, policy.request_weight_per_minute),
        Limit::new(RateLimitType::Orders, TEN_SECONDS, symbols.limits.per_10s),
        Limit::new(RateLimitType::Orders, DAY, symbols.limits.per_day),
        Limit::new(RateLimitType::RawRequests, FIVE_MINUTES, policy.raw_requests_per_5m),
    ];
    Value::Array(limits.iter().map(|limit| limit.to_value(None)).collect())
}

fn exchange_filters(symbols: &Symbols) -> Value {
    let max = symbols.exchange_max_num_orders;
    let filter = |max: u32| object! { "filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": max };
    Value::Array(max.map(filter).into_iter().collect())
}

/// One symbol, as `symbols` lists it.
pub(crate) fn symbol_value(spec: &SymbolSpec, with_sets: bool) -> Value {
    /// Decimal places of every asset.
    const PRECISION: i64 = latchkey_protocol::decimal::SCALE as i64;
    let features = spec.features;
    let sets = [(spec.spot_trading, SPOT), (spec.margin_trading, MARGIN)];
    let set: Vec<Value> = sets.iter().filter(|(on, _)| *on).map(|(_, name)| Value::Text(name)).collect();
    object! {
        "symbol": spec.symbol,
        "status": spec.status.as_str(),
        "baseAsset": spec.base,
        "baseAssetPrecision": PRECISION,
        "quoteAsset": spec.quote,
        "quotePrecision": PRECISION,
        "quoteAssetPrecision": PRECISION,
        "baseCommissionPrecision": PRECISION,
        "quoteCommissionPrecision": PRECISION,
        "orderTypes": spec.order_types.iter().map(|kind| Value::Text(kind.as_str())).collect::<Vec<_>>(),
        "icebergAllowed": features.iceberg,
        "ocoAllowed": features.oco,
        "otoAllowed": features.oto,
        "opoAllowed": features.opo,
        "quoteOrderQtyMarketAllowed": features.quote_order_quantity_market,
        "allowTrailingStop": features.trailing_stop,
        "cancelReplaceAllowed": features.cancel_replace,
        "amendAllowed": features.amend,
        "pegInstructionsAllowed": features.peg,
        "isSpotTradingAllowed": spec.spot_trading,
        "isMarginTradingAllowed": spec.margin_trading,
        "filters": filters(&spec.filters),
        "permissions": Vec::<Value>::new(),
        "permissionSets": if with_sets { vec![Value::Array(set)] } else { Vec::new() },
        "defaultSelfTradePreventionMode": spec.default_self_trade_prevention.as_str(),
        "allowedSelfTradePreventionModes":
            spec.allowed_self_trade_prevention.iter().map(|mode| Value::Text(mode.as_str())).collect::<Vec<_>>(),
    }
}

fn filters(of: &Filters) -> Value {
    let lot = |name: &'static str, lot: latchkey_exchange::spec::LotSize| {
        object! { "filterType": name, "minQty": lot.min, "maxQty": lot.max, "stepSize": lot.step }
    };
    let count = |filter: &'static str, field: &'static str, count: Option<u32>| {
        count.map(|count| Value::Object(vec![("filterType", filter.into()), (field, count.into())]))
    };
    let price = object! {
        "filterType": "PRICE_FILTER",
        "minPrice": of.price.min,
        "maxPrice": of.price.max,
        "tickSize": of.price.tick,
    };
    let all = [
        Some(price),
        Some(lot("LOT_SIZE", of.lot_size)),
        count("ICEBERG_PARTS", "limit", of.iceberg_parts),
        of.market_lot_size.map(|market| lot("MARKET_LOT_SIZE", market)),
        of.trailing_delta.map(|delta| {
            object! {
                "filterType": "TRAILING_DELTA",
                "minTrailingAboveDelta": delta.min_above,
                "maxTrailingAboveDelta": delta.max_above,
                "minTrailingBelowDelta": delta.min_below,
                "maxTrailingBelowDelta": delta.max_below,
            }
        }),
        of.percent_price.map(|percent| {
            object! {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": multiplier(percent.up),
                "multiplierDown": multiplier(percent.down),
                "avgPriceMins": percent.average_minutes,
            }
        }),
        of.percent_price_by_side.map(|percent| {
            object! {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": multiplier(percent.bid_up),
                "bidMultiplierDown": multiplier(percent.bid_down),
                "askMultiplierUp": multiplier(percent.ask_up),
                "askMultiplierDown": multiplier(percent.ask_down),
                "avgPriceMins": percent.average_minutes,
            }
        }),
        of.min_notional.map(|notional| {
            object! {
                "filterType": "MIN_NOTIONAL",
                "minNotional": notional.min,
                "applyToMarket": notional.apply_to_market,
                "avgPriceMins": notional.average_minutes,
            }
        }),
        of.notional.map(|notional| {
            object! {
                "filterType": "NOTIONAL",
                "minNotional": notional.min,
                "applyMinToMarket": notional.apply_min_to_market,
                "maxNotional": notional.max,
                "applyMaxToMarket": notional.apply_max_to_market,
                "avgPriceMins": notional.average_minutes,
            }
        }),
        count("MAX_NUM_ORDERS", "maxNumOrders", of.max_num_orders),
        count("MAX_NUM_ORDER_LISTS", "maxNumOrderLists", of.max_num_order_lists),
        count("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", of.max_num_algo_orders),
        count("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders", of.max_num_iceberg_orders),
        count("MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends", of.max_num_order_amends),
        of.max_position.map(|most| object! { "filterType": "MAX_POSITION", "maxPosition": most }),
    ];
    Value::Array(all.into_iter().flatten().collect())
}

/// A multiplier as it is published: without the zeros at its end.
fn multiplier(scaled: Price) -> Value {
    let text = scaled.to_string();
    Value::String(text.trim_end_matches('0').trim_end_matches('.').into())
}
