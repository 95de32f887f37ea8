//! Orders: placed, tested, asked for, cancelled.

use latchkey_admission::{Answer, Permit, Rejection, Ticket};
use latchkey_authority::ports::Ports;
use latchkey_exchange::view::{OrderName, OrderView, Page};
use latchkey_exchange::{Cancel, CancelledOrder, ClientOrderId, Command, NewOrder, PlacedOrder, Reply};
use latchkey_protocol::catalog::Arguments;
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::order::{CancelRestrictions, OrderType, ResponseType, SelfTradePrevention, Side, TimeInForce};
use latchkey_protocol::{Amount, Price, Quantity, Symbol, Timestamp, Value, object};

use crate::account::test_commission;
use crate::venue::{Venue, holder};

/// The rows of a history that does not name a number.
const ROWS: i64 = 500;
/// The longest span between `startTime` and `endTime`.
const SPAN_HOURS: i64 = 24;
const HOUR_US: i64 = 3_600_000_000;

pub(crate) fn place<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let order = new_order(venue, &permit)?;
    let response = response_type(&permit.call().arguments, order.order_type);
    let command = match venue.tier_limits(&permit)? {
        None => Command::Place(order),
        Some(limits) => Command::PlaceWithin { order, limits },
    };
    venue.command(permit, command, move |reply| match reply {
        Reply::Placed(placed) => Some(placed_answer(&placed, response)),
        _ => None,
    })
}

pub(crate) fn test<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let order = new_order(venue, &permit)?;
    let rates = permit.call().arguments.bool("computeCommissionRates").unwrap_or(false);
    venue.query(
        permit,
        move |core, now| core.check(now, &order),
        move |view| if rates { test_commission(&view) } else { Value::empty() },
    )
}

pub(crate) fn query<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let account = holder(call)?.trading();
    let symbol = symbol(&call.arguments)?;
    let name = order_name(&call.arguments)?;
    venue.query(permit, move |core, _| core.order(account, symbol, name), |order| order_value(&order))
}

pub(crate) fn cancel<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let arguments = &call.arguments;
    let OrderName { order_id, client_order_id } = order_name(arguments)?;
    let cancel = Cancel {
        account: holder(call)?.trading(),
        symbol: symbol(arguments)?,
        order_id,
        client_order_id,
        new_client_order_id: client_order_id_in(arguments, "newClientOrderId")?,
        restrictions: arguments.choice("cancelRestrictions").and_then(CancelRestrictions::parse),
    };
    venue.command(permit, Command::Cancel(cancel), |reply| match reply {
        Reply::Cancelled(cancelled) => Some(cancelled_value(&cancelled).into()),
        _ => None,
    })
}

pub(crate) fn open<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let (account, symbol) = (holder(call)?.trading(), call.arguments.symbol("symbol"));
    venue.query(permit, move |core, _| core.open_orders(account, symbol), |orders| order_values(&orders))
}

pub(crate) fn cancel_open<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let (account, symbol) = (holder(call)?.trading(), symbol(&call.arguments)?);
    venue.command(permit, Command::CancelAll { account, symbol }, |reply| match reply {
        Reply::CancelledAll(cancelled) => Some(Value::Array(cancelled.iter().map(cancelled_value).collect()).into()),
        _ => None,
    })
}

pub(crate) fn all<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let (account, symbol) = (holder(call)?.trading(), symbol(&call.arguments)?);
    let rows = page(&call.arguments, "orderId")?;
    venue.query(permit, move |core, _| core.all_orders(account, symbol, rows), |orders| order_values(&orders))
}

/// The part of a history that `startTime`, `endTime`, `limit` and the id `from` name.
///
/// # Errors
/// `-1127` when the span is longer than a day.
pub(crate) fn page(arguments: &Arguments, from: &str) -> Result<Page, Rejection> {
    let (start, end) = (arguments.time("startTime"), arguments.time("endTime"));
    if let (Some(start), Some(end)) = (start, end)
        && end.micros_since(start) > SPAN_HOURS * HOUR_US
    {
        return Err(Rejection::parameter(code::MORE_THAN_HOURS.with([SPAN_HOURS.to_string()])));
    }
    Ok(Page { from: arguments.int(from), start, end, limit: limit(arguments, ROWS) })
}

/// How many rows to answer.
pub(crate) fn limit(arguments: &Arguments, default: i64) -> usize {
    usize::try_from(arguments.int("limit").unwrap_or(default)).unwrap_or(0)
}

/// The pair that the row demands.
pub(crate) fn symbol(arguments: &Arguments) -> Result<Symbol, Rejection> {
    arguments.symbol("symbol").ok_or_else(|| Rejection::parameter(code::MANDATORY_PARAMETER.with(["symbol"])))
}

fn new_order<P: Ports + 'static>(venue: &Venue<P>, permit: &Permit) -> Result<NewOrder, Rejection> {
    let call = permit.call();
    let arguments = &call.arguments;
    let holder = holder(call)?;
    let mandatory = |name: &'static str| Rejection::parameter(code::MANDATORY_PARAMETER.with([name]));
    let side = arguments.choice("side").and_then(Side::parse).ok_or_else(|| mandatory("side"))?;
    let order_type = arguments.choice("type").and_then(OrderType::parse).ok_or_else(|| mandatory("type"))?;
    let symbol = symbol(arguments)?;
    let pegged = ["pegPriceType", "pegOffsetValue", "pegOffsetType"].iter().any(|name| arguments.get(name).is_some());
    if pegged && venue.exchange.symbols().find(symbol).is_some() {
        return Err(Rejection::venue(code::PEGGED_ORDERS_NOT_SUPPORTED.plain()));
    }
    let parameter = Rejection::parameter;
    Ok(NewOrder {
        account: holder.trading(),
        risk: holder.risk(),
        symbol,
        side,
        order_type,
        time_in_force: arguments.choice("timeInForce").and_then(TimeInForce::parse),
        quantity: scaled(arguments, "quantity").map_err(parameter)?.map(Quantity::from_scaled),
        quote_order_quantity: arguments.decimal("quoteOrderQty"),
        price: scaled(arguments, "price").map_err(parameter)?.map(Price::from_scaled),
        stop_price: scaled(arguments, "stopPrice").map_err(parameter)?.map(Price::from_scaled),
        trailing_delta: arguments.int("trailingDelta"),
        iceberg_quantity: scaled(arguments, "icebergQty").map_err(parameter)?.map(Quantity::from_scaled),
        client_order_id: client_order_id_in(arguments, "newClientOrderId")?,
        self_trade_prevention: arguments.choice("selfTradePreventionMode").and_then(SelfTradePrevention::parse),
        strategy_id: arguments.int("strategyId"),
        strategy_type: arguments.int("strategyType"),
    })
}

/// A decimal that must fit a price or a quantity.
fn scaled(arguments: &Arguments, name: &'static str) -> Result<Option<i64>, ApiError> {
    let fits = |amount: Amount| i64::try_from(amount.scaled()).map_err(|_| code::PARAMETER_OVERFLOW.with([name]));
    arguments.decimal(name).map(fits).transpose()
}

fn client_order_id_in(arguments: &Arguments, name: &'static str) -> Result<Option<ClientOrderId>, Rejection> {
    let parse = |text: &str| {
        let illegal = || Rejection::parameter(code::ILLEGAL_CHARS_IN.with([name, ClientOrderId::RANGE]));
        ClientOrderId::parse(text).ok_or_else(illegal)
    };
    arguments.text(name).map(parse).transpose()
}

fn order_name(arguments: &Arguments) -> Result<OrderName, Rejection> {
    let client_order_id = client_order_id_in(arguments, "origClientOrderId")?;
    Ok(OrderName { order_id: arguments.int("orderId"), client_order_id })
}

/// `newOrderRespType`, or the type's own: FULL for MARKET and LIMIT, else ACK.
fn response_type(arguments: &Arguments, order_type: OrderType) -> ResponseType {
    let default = match order_type {
        OrderType::Market | OrderType::Limit => ResponseType::Full,
        OrderType::LimitMaker
        | OrderType::StopLoss
        | OrderType::StopLossLimit
        | OrderType::TakeProfit
        | OrderType::TakeProfitLimit => ResponseType::Ack,
    };
    arguments.choice("newOrderRespType").and_then(ResponseType::parse).unwrap_or(default)
}

fn placed_answer(placed: &PlacedOrder, response: ResponseType) -> Answer {
    let order = &placed.order;
    let mut fields = vec![
        ("symbol", Value::from(order.symbol)),
        ("orderId", order.order_id.into()),
        ("orderListId", NO_LIST),
        ("clientOrderId", name_value(order.client_order_id)),
        ("transactTime", placed.transact_time.into()),
    ];
    if response != ResponseType::Ack {
        state(order, &mut fields);
        fields.push(("workingTime", order.working_time.into()));
        fields.push(("selfTradePreventionMode", order.self_trade_prevention.as_str().into()));
        if order.iceberg_quantity.scaled() != 0 {
            fields.push(("icebergQty", order.iceberg_quantity.into()));
        }
        conditional(order, &mut fields);
    }
    if response == ResponseType::Full {
        let fills = placed.fills.iter().map(|fill| {
            object! {
                "price": fill.price,
                "qty": fill.quantity,
                "commission": fill.commission,
                "commissionAsset": fill.commission_asset,
                "tradeId": fill.trade_id,
            }
        });
        fields.push(("fills", Value::Array(fills.collect())));
    }
    let mut answer = Answer::from(Value::Object(fields));
    answer.order_counts.push(("10S", placed.counts.ten_seconds));
    answer.order_counts.push(("1D", placed.counts.day));
    answer
}

fn cancelled_value(cancelled: &CancelledOrder) -> Value {
    let order = &cancelled.order;
    let mut fields = vec![
        ("symbol", Value::from(order.symbol)),
        ("origClientOrderId", name_value(order.client_order_id)),
        ("orderId", order.order_id.into()),
        ("orderListId", NO_LIST),
        ("clientOrderId", name_value(cancelled.cancel_client_order_id)),
        ("transactTime", cancelled.transact_time.into()),
    ];
    state(order, &mut fields);
    fields.push(("selfTradePreventionMode", order.self_trade_prevention.as_str().into()));
    conditional(order, &mut fields);
    Value::Object(fields)
}

fn order_values(orders: &[OrderView]) -> Value {
    Value::Array(orders.iter().map(order_value).collect())
}

fn order_value(order: &OrderView) -> Value {
    let mut fields = vec![
        ("symbol", Value::from(order.symbol)),
        ("orderId", order.order_id.into()),
        ("orderListId", NO_LIST),
        ("clientOrderId", name_value(order.client_order_id)),
        ("price", order.price.into()),
        ("origQty", order.original_quantity.into()),
        ("executedQty", order.executed_quantity.into()),
        ("cummulativeQuoteQty", order.cumulative_quote_quantity.into()),
        ("status", order.status.as_str().into()),
        ("timeInForce", order.time_in_force.as_str().into()),
        ("type", order.order_type.as_str().into()),
        ("side", order.side.as_str().into()),
        ("stopPrice", order.stop_price.into()),
        ("icebergQty", order.iceberg_quantity.into()),
        ("time", order.time.into()),
        ("updateTime", order.update_time.into()),
        ("isWorking", order.is_working.into()),
        ("workingTime", order.working_time.into()),
        ("origQuoteOrderQty", order.original_quote_quantity.into()),
        ("selfTradePreventionMode", order.self_trade_prevention.as_str().into()),
    ];
    conditional(order, &mut fields);
    Value::Object(fields)
}

/// An order outside any list.
const NO_LIST: Value = Value::Int(-1);

fn name_value(name: ClientOrderId) -> Value {
    Value::String(name.as_str().into())
}

/// What placements and cancels say of an order, from `price` to `side`.
fn state(order: &OrderView, fields: &mut Vec<(&'static str, Value)>) {
    fields.extend([
        ("price", Value::from(order.price)),
        ("origQty", order.original_quantity.into()),
        ("executedQty", order.executed_quantity.into()),
        ("origQuoteOrderQty", order.original_quote_quantity.into()),
        ("cummulativeQuoteQty", order.cumulative_quote_quantity.into()),
        ("status", order.status.as_str().into()),
        ("timeInForce", order.time_in_force.as_str().into()),
        ("type", order.order_type.as_str().into()),
        ("side", order.side.as_str().into()),
    ]);
}

/// What only some orders say.
/// Source: REST API, "Conditional fields in Order Responses", 2026-07-21.
fn conditional(order: &OrderView, fields: &mut Vec<(&'static str, Value)>) {
    if let Some(prevented) = order.prevented {
        fields.push(("preventedMatchId", prevented.match_id.into()));
        fields.push(("preventedQuantity", prevented.quantity.into()));
    }
    if let Some(id) = order.strategy_id {
        fields.push(("strategyId", id.into()));
    }
    if let Some(kind) = order.strategy_type {
        fields.push(("strategyType", kind.into()));
    }
    if let Some(reason) = order.expiry_reason {
        fields.push(("expiryReason", reason.as_str().into()));
    }
}

/// The earliest time there is.
pub(crate) const NEVER: Timestamp = Timestamp::from_micros(0);
