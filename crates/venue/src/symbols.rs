//! What is announced of symbols and limits: built once for each change of the market, read without the thread.

use std::collections::HashMap;

use latchkey_exchange::spec::SymbolSpec;
use latchkey_exchange::{Core, OrderLimits};
use latchkey_protocol::order::SymbolStatus;
use latchkey_protocol::{Symbol, Value};

use crate::exchange_info::symbol_value;

/// The symbols of the exchange as of some durable change, in the order in which they were added.
pub(crate) struct Symbols {
    rows: Vec<Announced>,
    places: HashMap<Symbol, usize>,
    /// The unfilled-order limits in force.
    pub(crate) limits: OrderLimits,
    /// `EXCHANGE_MAX_NUM_ORDERS`, if it is in force.
    pub(crate) exchange_max_num_orders: Option<u32>,
}

/// One symbol.
pub(crate) struct Announced {
    /// Its facts.
    pub(crate) spec: SymbolSpec,
    /// Its object in `exchangeInfo`.
    pub(crate) value: Value,
    /// The same without the content of `permissionSets`.
    pub(crate) value_without_sets: Value,
}

impl Symbols {
    pub(crate) fn of(core: &Core) -> Self {
        let rows: Vec<_> = core
            .symbols()
            .map(|spec| Announced {
                value: symbol_value(spec, true),
                value_without_sets: symbol_value(spec, false),
                spec: spec.clone(),
            })
            .collect();
        let places = rows.iter().enumerate().map(|(place, row)| (row.spec.symbol, place)).collect();
        Self { rows, places, limits: core.limits(), exchange_max_num_orders: core.exchange_max_num_orders() }
    }

    /// Every symbol.
    pub(crate) fn all(&self) -> &[Announced] {
        &self.rows
    }

    /// One symbol.
    pub(crate) fn find(&self, symbol: Symbol) -> Option<&Announced> {
        self.places.get(&symbol).and_then(|place| self.rows.get(*place))
    }

    /// Whether a symbol is in `status`; `None` for an unknown one.
    pub(crate) fn is_in(&self, symbol: Symbol, status: SymbolStatus) -> Option<bool> {
        self.find(symbol).map(|row| row.spec.status == status)
    }
}
