//! Weights that depend on what is asked. They judge the parameters as sent, percent-encoding undone, before
//! anything is refused: a value that cannot be read weighs as if it were absent.
//! Sources: REST API, 2026-07-21; margin API, 2026-08-19.

use std::borrow::Cow;

use crate::params::{RawParams, decode};

fn value<'a>(params: &RawParams<'a>, name: &str) -> Option<Cow<'a, str>> {
    params.raw(name).and_then(|raw| decode(raw).ok())
}

/// How many names a JSON list or a comma-separated list has.
fn listed(text: &str) -> u32 {
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']').trim();
    if inner.is_empty() { 0 } else { u32::try_from(inner.split(',').count()).unwrap_or(u32::MAX) }
}

/// How many symbols are named; `None` when all are meant.
fn symbols(params: &RawParams<'_>) -> Option<u32> {
    match value(params, "symbols") {
        Some(list) => Some(listed(&list)),
        None => params.raw("symbol").map(|_| 1),
    }
}

pub(super) fn depth(params: &RawParams<'_>) -> u32 {
    match value(params, "limit").and_then(|limit| limit.parse().ok()).unwrap_or(100_u64) {
        0..=100 => 5,
        101..=500 => 25,
        501..=1000 => 50,
        _ => 250,
    }
}

pub(super) fn ticker_24hr(params: &RawParams<'_>) -> u32 {
    match symbols(params) {
        Some(0..=20) => 2,
        Some(21..=100) => 40,
        Some(_) | None => 80,
    }
}

/// `ticker/price` and `ticker/bookTicker`: a list weighs as much as everything.
pub(super) fn ticker(params: &RawParams<'_>) -> u32 {
    if params.raw("symbol").is_some() && params.raw("symbols").is_none() { 2 } else { 4 }
}

/// `ticker` and `ticker/tradingDay`.
pub(super) fn ticker_window(params: &RawParams<'_>) -> u32 {
    symbols(params).map_or(200, |count| count.max(1).saturating_mul(4).min(200))
}

pub(super) fn execution_rules(params: &RawParams<'_>) -> u32 {
    symbols(params).map_or(40, |count| count.max(1).saturating_mul(2).min(40))
}

pub(super) fn open_orders(params: &RawParams<'_>) -> u32 {
    if params.raw("symbol").is_some() { 6 } else { 80 }
}

pub(super) fn my_trades(params: &RawParams<'_>) -> u32 {
    if params.raw("orderId").is_some() { 5 } else { 20 }
}

pub(super) fn prevented_matches(params: &RawParams<'_>) -> u32 {
    if params.raw("orderId").is_some() { 20 } else { 2 }
}

pub(super) fn test_order(params: &RawParams<'_>) -> u32 {
    let computes = value(params, "computeCommissionRates").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    if computes { 20 } else { 1 }
}

pub(super) fn cross_margin_data(params: &RawParams<'_>) -> u32 {
    if params.raw("coin").is_some() { 1 } else { 5 }
}

pub(super) fn isolated_margin_data(params: &RawParams<'_>) -> u32 {
    if params.raw("symbol").is_some() { 1 } else { 10 }
}

/// Margin orders that may borrow weigh more (since 2026-05-07).
pub(super) fn margin_order(params: &RawParams<'_>) -> u32 {
    match value(params, "sideEffectType").as_deref() {
        Some("MARGIN_BUY" | "AUTO_BORROW_REPAY") => 1500,
        _ => 6,
    }
}
