//! How a row is written: one line a row, with what most rows share filled in.

use super::{
    BODY_MAX, Budget, Endpoint, Family, GET_BODY_MAX, KeyKinds, Method, ORDER_BODY_MAX, Param, Route, SecurityType,
    Weight,
};
use crate::Permission;

/// Declares a table: `Method "path" Security Budget weight => Route(PARAMETERS).modifier();`.
///
/// The weight is a number or the name of a function in [`super::weight`]; parameters and modifiers may be absent.
macro_rules! endpoints {
    (
        $(#[$doc:meta])*
        $name:ident from $source:literal;
        $($method:ident $path:literal $security:ident $budget:ident $weight:tt
            => $route:ident $(($params:expr))? $(.$modifier:ident($($argument:expr)?))*;)+
    ) => {
        $(#[$doc])*
        pub(in crate::catalog) static $name: &[crate::catalog::Endpoint] = &[
            $(crate::catalog::Endpoint::new(
                crate::catalog::Method::$method,
                $path,
                crate::catalog::SecurityType::$security,
                crate::catalog::Budget::$budget,
                crate::catalog::table::weight!($weight),
                crate::catalog::Route::$route,
                crate::catalog::table::params!($($params)?),
                $source,
            )$(.$modifier($($argument)?))*),+
        ];
    };
}
pub(super) use endpoints;

macro_rules! weight {
    ($number:literal) => {
        crate::catalog::Weight::Fixed($number)
    };
    ($function:ident) => {
        crate::catalog::Weight::By(crate::catalog::weight::$function)
    };
}
pub(super) use weight;

macro_rules! params {
    () => {
        &[]
    };
    ($params:expr) => {
        $params
    };
}
pub(super) use params;

impl Endpoint {
    /// A row as most are: the permission follows from the security type, the family from the path; every method
    /// but GET changes state; what changes state on `/sapi` takes standard keys alone.
    #[expect(clippy::too_many_arguments, reason = "called by the table macro alone, where each has its column")]
    pub(super) const fn new(
        method: Method,
        path: &'static str,
        security: SecurityType,
        budget: Budget,
        weight: Weight,
        route: Route,
        params: &'static [Param],
        source: &'static str,
    ) -> Self {
        let family = Family::of(path);
        let changes_state = !matches!(method, Method::Get);
        let key_kinds =
            if changes_state && matches!(family, Family::Sapi) { KeyKinds::StandardOnly } else { KeyKinds::Any };
        Self {
            route,
            method,
            path,
            family,
            security,
            permission: match security {
                SecurityType::None | SecurityType::MarketData => None,
                SecurityType::UserStream | SecurityType::UserData => Some(Permission::Reading),
                SecurityType::Trade => Some(Permission::SpotAndMarginTrading),
                SecurityType::Margin => Some(Permission::Margin),
            },
            params,
            weight,
            budget,
            free_on_success: false,
            changes_state,
            key_kinds,
            body_max: match (changes_state, family) {
                (false, _) => GET_BODY_MAX,
                (true, Family::Api) => ORDER_BODY_MAX,
                (true, _) => BODY_MAX,
            },
            source,
        }
    }

    /// Needs another permission than its security type says: the label alone does not decide.
    pub(super) const fn needs(self, permission: Permission) -> Self {
        Self { permission: Some(permission), ..self }
    }

    /// Success gives the weight back.
    pub(super) const fn free(self) -> Self {
        Self { free_on_success: true, ..self }
    }

    /// Changes nothing although it is not a GET.
    pub(super) const fn changes_nothing(self) -> Self {
        Self { changes_state: false, ..self }
    }

    /// Takes every living key although it changes state on `/sapi`.
    pub(super) const fn any_key(self) -> Self {
        Self { key_kinds: KeyKinds::Any, ..self }
    }

    /// Asks for no permission: what it shows, it hides from a key that may not read, as if it were not there.
    pub(super) const fn hides(self) -> Self {
        Self { permission: None, ..self }
    }

    /// Takes every living key, those for tax reports too: a history or a report.
    pub(super) const fn report(self) -> Self {
        Self { key_kinds: KeyKinds::Report, ..self }
    }

    /// Takes standard keys alone although it only reads.
    pub(super) const fn standard_only(self) -> Self {
        Self { key_kinds: KeyKinds::StandardOnly, ..self }
    }
}
