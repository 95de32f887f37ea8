//! The vocabulary of orders, spelled as on the wire.
//! Source: spot API enumerations, 2026-07-21.

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Parses the wire's spelling, letter case included.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use wire_enum;

wire_enum! {
    /// Buy or sell.
    Side {
        /// Buys the base asset.
        Buy = "BUY",
        /// Sells the base asset.
        Sell = "SELL",
    }
}

wire_enum! {
    /// The order types of the contract.
    OrderType {
        /// Rests at a price.
        Limit = "LIMIT",
        /// Takes what the book offers.
        Market = "MARKET",
        /// A market order once a price is reached against the position.
        StopLoss = "STOP_LOSS",
        /// A limit order once a price is reached against the position.
        StopLossLimit = "STOP_LOSS_LIMIT",
        /// A market order once a price is reached in favour.
        TakeProfit = "TAKE_PROFIT",
        /// A limit order once a price is reached in favour.
        TakeProfitLimit = "TAKE_PROFIT_LIMIT",
        /// Rests or is refused; never takes.
        LimitMaker = "LIMIT_MAKER",
    }
}

wire_enum! {
    /// How long an order stays.
    TimeInForce {
        /// Good till canceled.
        Gtc = "GTC",
        /// Immediate or cancel.
        Ioc = "IOC",
        /// Fill or kill.
        Fok = "FOK",
    }
}

wire_enum! {
    /// The state of an order.
    OrderStatus {
        /// Accepted, nothing filled.
        New = "NEW",
        /// Waits for the working order of its list.
        PendingNew = "PENDING_NEW",
        /// Filled in part.
        PartiallyFilled = "PARTIALLY_FILLED",
        /// Filled whole.
        Filled = "FILLED",
        /// Canceled by its owner.
        Canceled = "CANCELED",
        /// Refused.
        Rejected = "REJECTED",
        /// Ended by the venue's rules.
        Expired = "EXPIRED",
        /// Ended to prevent a self-trade.
        ExpiredInMatch = "EXPIRED_IN_MATCH",
    }
}

wire_enum! {
    /// Why an order expired.
    ExpiryReason {
        /// The rest of an IOC order.
        UnfilledIocQuantityExpired = "UNFILLED_IOC_QUANTITY_EXPIRED",
        /// A FOK order that could not be filled whole.
        UnfilledFokOrderExpired = "UNFILLED_FOK_ORDER_EXPIRED",
        /// A market order that found no more book.
        InsufficientLiquidity = "INSUFFICIENT_LIQUIDITY",
        /// Liquidation or maintenance.
        ExchangeCanceled = "EXCHANGE_CANCELED",
    }
}

wire_enum! {
    /// What happens when an order would trade against its own account.
    SelfTradePrevention {
        /// They trade.
        None = "NONE",
        /// The taker's rest expires.
        ExpireTaker = "EXPIRE_TAKER",
        /// The maker expires.
        ExpireMaker = "EXPIRE_MAKER",
        /// Both expire.
        ExpireBoth = "EXPIRE_BOTH",
        /// Both lose the smaller quantity.
        Decrement = "DECREMENT",
        /// As decrement, moving the quantity between accounts of a group.
        Transfer = "TRANSFER",
    }
}

wire_enum! {
    /// How much a placement answers.
    ResponseType {
        /// Ids only.
        Ack = "ACK",
        /// The order.
        Result = "RESULT",
        /// The order with its fills.
        Full = "FULL",
    }
}

wire_enum! {
    /// Which orders a cancel may touch.
    CancelRestrictions {
        /// Only an order without fills.
        OnlyNew = "ONLY_NEW",
        /// Only an order with fills.
        OnlyPartiallyFilled = "ONLY_PARTIALLY_FILLED",
    }
}

wire_enum! {
    /// Whether a symbol trades.
    SymbolStatus {
        /// Open.
        Trading = "TRADING",
        /// Day over.
        EndOfDay = "END_OF_DAY",
        /// Halted.
        Halt = "HALT",
        /// In a break.
        Break = "BREAK",
        /// Cancels only.
        CancelOnly = "CANCEL_ONLY",
    }
}
