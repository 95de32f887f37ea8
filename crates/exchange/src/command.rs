//! What changes an exchange, and how it is written into the command log.

use latchkey_protocol::order::{CancelRestrictions, OrderType, SelfTradePrevention, Side, SymbolStatus, TimeInForce};
use latchkey_protocol::{AccountId, Amount, Asset, Price, Quantity, RiskPath, Symbol, TradingAccount};
use serde::{Deserialize, Serialize};

use crate::spec::SymbolSpec;
use crate::{ClientOrderId, Commission, OrderLimits};

/// The number of the command format that this build writes. It reads this one and those before it: format 2 added
/// the commands of liquidation loans behind the others, format 3 orders within limits of their owner's; none changed.
const FORMAT: u8 = 3;

/// Everything that can change an exchange. Time stands beside a command, never inside it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Places an order.
    Place(NewOrder),
    /// Cancels one open order.
    Cancel(Cancel),
    /// Cancels every open order of a trading account on one symbol.
    CancelAll {
        /// Whose.
        account: TradingAccount,
        /// Where.
        symbol: Symbol,
    },
    /// Cancels every open order of an owner, in all wallets and symbols; part of a freeze.
    CancelEverything {
        /// The outbox's number, so that a second delivery does nothing.
        effect: EffectId,
        /// Whose.
        owner: AccountId,
    },
    /// Opens a wallet; one that is open stays as it is.
    OpenWallet {
        /// The outbox's number.
        effect: EffectId,
        /// Which.
        account: TradingAccount,
    },
    /// Brings an amount in from outside, against the issuance account. Opens the wallet when it is not open.
    Credit(Transfer),
    /// Takes an amount of free balance out, against the issuance account.
    Debit(Transfer),
    /// Sets the rates of an owner; `None` returns to those of symbol and exchange.
    SetCommission {
        /// The outbox's number.
        effect: EffectId,
        /// Whose.
        owner: AccountId,
        /// The new rates.
        commission: Option<Commission>,
    },
    /// Puts an owner's margin account into special-key mode.
    EnterSpecialMode {
        /// The outbox's number.
        effect: EffectId,
        /// Whose.
        owner: AccountId,
    },
    /// Leaves special-key mode: refused with a liability or in liquidation, silent when not in the mode.
    LeaveSpecialMode {
        /// The outbox's number.
        effect: EffectId,
        /// Whose.
        owner: AccountId,
    },
    /// Opens a symbol.
    AddSymbol(Box<SymbolSpec>),
    /// Sets whether a symbol trades.
    SetSymbolStatus {
        /// Which.
        symbol: Symbol,
        /// The new status.
        status: SymbolStatus,
    },
    /// Replaces the unfilled-order limits; counts stay.
    SetOrderLimits(OrderLimits),
    /// Replaces the exchange's own rates.
    SetDefaultCommission(Commission),
    /// Drives the synthetic market one step; meant for about ten a second.
    Tick,
    /// Makes an owner owe the venue what a liquidation did not cover; an open loan of the same asset grows.
    OpenLiquidationLoan {
        /// The outbox's number.
        effect: EffectId,
        /// Whose.
        owner: AccountId,
        /// Of what.
        asset: Asset,
        /// How much, above zero.
        amount: Amount,
    },
    /// Repays a liquidation loan from the spot wallet.
    RepayLiquidationLoan {
        /// Whose.
        owner: AccountId,
        /// `asset`: that of the loan.
        asset: Asset,
        /// `amount`: above zero, at most what remains.
        amount: Amount,
    },
    /// Places an order under the unfilled-order limits of its owner's tier, instead of those of the exchange.
    PlaceWithin {
        /// The order.
        order: NewOrder,
        /// The limits.
        limits: OrderLimits,
    },
}

/// The outbox's number of an effect: a command that carries one is carried out once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EffectId(pub i64);

/// An amount into or out of a wallet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Transfer {
    /// The outbox's number.
    pub effect: EffectId,
    /// Which wallet.
    pub account: TradingAccount,
    /// Of what.
    pub asset: Asset,
    /// How much, above zero.
    pub amount: Amount,
}

/// An order as it was asked for. Fields that were not sent are `None`; the core says which are missing or too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewOrder {
    /// Who trades from which wallet.
    pub account: TradingAccount,
    /// Which margin checks it meets.
    pub risk: RiskPath,
    /// `symbol`.
    pub symbol: Symbol,
    /// `side`.
    pub side: Side,
    /// `type`.
    pub order_type: OrderType,
    /// `timeInForce`.
    pub time_in_force: Option<TimeInForce>,
    /// `quantity`, in base units.
    pub quantity: Option<Quantity>,
    /// `quoteOrderQty`, in quote units.
    pub quote_order_quantity: Option<Amount>,
    /// `price`.
    pub price: Option<Price>,
    /// `stopPrice`.
    pub stop_price: Option<Price>,
    /// `trailingDelta`, in basis points.
    pub trailing_delta: Option<i64>,
    /// `icebergQty`, in base units.
    pub iceberg_quantity: Option<Quantity>,
    /// `newClientOrderId`; one is generated when absent.
    pub client_order_id: Option<ClientOrderId>,
    /// `selfTradePreventionMode`; the symbol's default when absent.
    pub self_trade_prevention: Option<SelfTradePrevention>,
    /// `strategyId`.
    pub strategy_id: Option<i64>,
    /// `strategyType`, at least 1 000 000.
    pub strategy_type: Option<i64>,
}

impl NewOrder {
    /// An order of which only the mandatory fields are set.
    pub const fn new(account: TradingAccount, symbol: Symbol, side: Side, order_type: OrderType) -> Self {
        Self {
            account,
            risk: RiskPath::Full,
            symbol,
            side,
            order_type,
            time_in_force: None,
            quantity: None,
            quote_order_quantity: None,
            price: None,
            stop_price: None,
            trailing_delta: None,
            iceberg_quantity: None,
            client_order_id: None,
            self_trade_prevention: None,
            strategy_id: None,
            strategy_type: None,
        }
    }
}

/// Which order to cancel. With both names the order is looked up by id and the other must agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cancel {
    /// Whose.
    pub account: TradingAccount,
    /// Where.
    pub symbol: Symbol,
    /// `orderId`.
    pub order_id: Option<i64>,
    /// `origClientOrderId`.
    pub client_order_id: Option<ClientOrderId>,
    /// `newClientOrderId`: the name of the cancel itself; one is generated when absent.
    pub new_client_order_id: Option<ClientOrderId>,
    /// `cancelRestrictions`.
    pub restrictions: Option<CancelRestrictions>,
}

/// Why bytes are not a command.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Nothing there.
    #[error("an empty record")]
    Empty,
    /// Written by a newer build.
    #[error("format {found} is newer than format {known} of this build")]
    Newer {
        /// The format of the bytes.
        found: u8,
        /// The newest that this build reads.
        known: u8,
    },
    /// No format of this kind.
    #[error("format {0} never existed")]
    Unknown(u8),
    /// Bytes that do not decode.
    #[error("a record that does not decode")]
    Malformed(#[source] postcard::Error),
    /// More bytes than the record needs.
    #[error("{0} bytes after the end of the record")]
    Trailing(usize),
}

impl Command {
    /// Appends the encoded command: one byte of format, then the fields.
    pub fn encode(&self, into: &mut Vec<u8>) {
        encode_versioned(self, into);
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_versioned(bytes)
    }
}

/// Appends the format byte and the value.
pub(crate) fn encode_versioned<T: Serialize>(value: &T, into: &mut Vec<u8>) {
    into.push(FORMAT);
    // INVARIANT: encoding fails only for a full buffer or a sequence without length; a `Vec` is never full and
    // commands hold sized collections alone.
    let encoded = postcard::serialize_with_flavor(value, Appender(into));
    assert!(encoded.is_ok(), "a command must encode");
}

/// Reads what [`encode_versioned`] wrote and refuses anything after it.
pub(crate) fn decode_versioned<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (format, body) = bytes.split_first().ok_or(DecodeError::Empty)?;
    match *format {
        1..=FORMAT => {}
        0 => return Err(DecodeError::Unknown(0)),
        found => return Err(DecodeError::Newer { found, known: FORMAT }),
    }
    let (value, rest) = postcard::take_from_bytes(body).map_err(DecodeError::Malformed)?;
    if rest.is_empty() { Ok(value) } else { Err(DecodeError::Trailing(rest.len())) }
}

/// Lets postcard write at the end of a buffer that is already in use.
struct Appender<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Appender<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
