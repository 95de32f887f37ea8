//! Commands that come from the outbox: each is carried out once, however often it is delivered.
//!
//! A refused effect is not remembered, so that its next delivery is judged again.

use latchkey_protocol::{AccountId, Asset, Timestamp, TradingAccount, Wallet};

use super::Core;
use crate::ledger::{AssetId, MAX_ISSUED, MAX_TRANSFER, WalletState};
use crate::{Commission, EffectId, Refusal, Reply, Transfer};

/// The most assets that credits may make known: room is left for those of [`crate::MAX_SYMBOLS`] symbols.
const MAX_ASSETS: usize = 40_000;

impl Core {
    pub(super) fn open_wallet(
        &mut self,
        at: Timestamp,
        effect: EffectId,
        account: TradingAccount,
    ) -> Result<Reply, Refusal> {
        self.once(effect, |core| {
            core.may_hold(&account)?;
            core.ledger.open_wallet(account, at);
            Ok(())
        })
    }

    pub(super) fn credit(&mut self, at: Timestamp, transfer: &Transfer) -> Result<Reply, Refusal> {
        self.once(transfer.effect, |core| {
            let amount = core.sound(transfer)?;
            let issued = core.ledger.asset_id(transfer.asset).map_or(0, |asset| core.ledger.venue(asset).issued);
            if issued + amount > MAX_ISSUED {
                return Err(Refusal::AmountTooLarge);
            }
            let asset = core.room_for_asset(transfer.asset)?;
            let wallet = core.ledger.open_wallet(transfer.account, at);
            core.move_in(at, wallet, asset, amount);
            Ok(())
        })
    }

    pub(super) fn debit(&mut self, at: Timestamp, transfer: &Transfer) -> Result<Reply, Refusal> {
        self.once(transfer.effect, |core| {
            let amount = core.sound(transfer)?;
            let wallet = core.ledger.wallet_id(&transfer.account).ok_or(Refusal::NoWallet)?;
            let asset = core.ledger.asset_id(transfer.asset).ok_or(Refusal::InsufficientBalance)?;
            if core.ledger.wallet(wallet).balance(asset).free < amount {
                return Err(Refusal::InsufficientBalance);
            }
            core.move_in(at, wallet, asset, -amount);
            Ok(())
        })
    }

    pub(super) fn set_commission(
        &mut self,
        effect: EffectId,
        owner: AccountId,
        commission: Option<Commission>,
    ) -> Result<Reply, Refusal> {
        self.once(effect, |core| {
            let id = core.known_owner(owner)?;
            core.ledger.owner_mut(id).commission = commission;
            Ok(())
        })
    }

    /// Enters or leaves special-key mode. Leaving asks for a cross account without liability and not in liquidation;
    /// an owner outside the mode leaves it silently.
    /// Source: margin API, exit special key mode, 2026-07-13.
    pub(super) fn set_special_mode(
        &mut self,
        effect: EffectId,
        owner: AccountId,
        enter: bool,
    ) -> Result<Reply, Refusal> {
        self.once(effect, |core| {
            let id = core.known_owner(owner)?;
            if !enter && core.ledger.owner(id).special_mode {
                core.may_leave_special_mode(owner)?;
            }
            core.ledger.owner_mut(id).special_mode = enter;
            Ok(())
        })
    }

    /// Whether nothing holds an owner in special-key mode: the cross account owes nothing and is not in liquidation,
    /// and no liquidation loan is open.
    ///
    /// # Errors
    /// [`Refusal::InLiquidation`], [`Refusal::LiabilityOutstanding`].
    pub fn may_leave_special_mode(&self, owner: AccountId) -> Result<(), Refusal> {
        let account = TradingAccount { owner, wallet: Wallet::Cross };
        let cross = self.ledger.wallet_id(&account).map(|wallet| self.ledger.wallet(wallet));
        if cross.is_some_and(|wallet| wallet.in_liquidation) {
            return Err(Refusal::InLiquidation);
        }
        let lent = self.ledger.owner_id(owner).is_some_and(|id| self.loans.is_open(id));
        if lent || cross.is_some_and(WalletState::has_liability) {
            return Err(Refusal::LiabilityOutstanding);
        }
        Ok(())
    }

    /// Carries an effect out unless it was before, and remembers it when it was not refused.
    pub(super) fn once(
        &mut self,
        effect: EffectId,
        carry_out: impl FnOnce(&mut Self) -> Result<(), Refusal>,
    ) -> Result<Reply, Refusal> {
        if self.applied.contains(effect) {
            return Ok(Reply::AlreadyDone);
        }
        carry_out(self)?;
        self.applied.insert(effect);
        Ok(Reply::Done)
    }

    /// Whether a wallet may exist.
    fn may_hold(&self, account: &TradingAccount) -> Result<(), Refusal> {
        if account.owner.0 <= 0 {
            return Err(Refusal::ReservedAccount);
        }
        match account.wallet {
            Wallet::Isolated(symbol) if self.market(symbol).is_none() => Err(Refusal::BadSymbol),
            _ => Ok(()),
        }
    }

    pub(super) fn known_owner(&mut self, owner: AccountId) -> Result<u32, Refusal> {
        if owner.0 <= 0 { Err(Refusal::ReservedAccount) } else { Ok(self.ledger.know_owner(owner)) }
    }

    /// The number of an asset, which becomes known as long as there is room.
    pub(super) fn room_for_asset(&mut self, asset: Asset) -> Result<AssetId, Refusal> {
        if self.ledger.asset_id(asset).is_none() && self.ledger.assets().len() >= MAX_ASSETS {
            return Err(Refusal::NoRoom("asset"));
        }
        Ok(self.ledger.know_asset(asset))
    }

    /// The amount of a transfer that its wallet may hold.
    fn sound(&self, transfer: &Transfer) -> Result<i128, Refusal> {
        self.may_hold(&transfer.account)?;
        if let Wallet::Isolated(symbol) = transfer.account.wallet {
            let spec = &self.market(symbol).ok_or(Refusal::BadSymbol)?.spec;
            if transfer.asset != spec.base && transfer.asset != spec.quote {
                return Err(Refusal::AssetNotInWallet);
            }
        }
        match transfer.amount.scaled() {
            amount if amount <= 0 => Err(Refusal::AmountNotPositive),
            amount if amount > MAX_TRANSFER => Err(Refusal::AmountTooLarge),
            amount => Ok(amount),
        }
    }

    /// Moves an amount from the issuance account into a wallet, or out when below zero.
    pub(super) fn move_in(&mut self, at: Timestamp, wallet: u32, asset: AssetId, amount: i128) {
        self.ledger.venue_mut(asset).issued += amount;
        let wallet = self.ledger.wallet_mut(wallet);
        wallet.balance_mut(asset).free += amount;
        wallet.updated = at;
    }
}

#[cfg(test)]
mod tests {
    use latchkey_protocol::order::{OrderType, Side};
    use latchkey_protocol::{Amount, Symbol};

    use super::*;
    use crate::{Command, MarketSettings, NewOrder};

    const OWNER: AccountId = AccountId(7);
    const CROSS: TradingAccount = TradingAccount { owner: OWNER, wallet: Wallet::Cross };

    fn leave(core: &mut Core) -> Result<Reply, Refusal> {
        core.apply(Timestamp::default(), &Command::LeaveSpecialMode { effect: EffectId(9), owner: OWNER })
    }

    #[test]
    fn a_debtor_or_an_account_in_liquidation_stays_in_special_mode() {
        let mut core = Core::new(MarketSettings::builtin(1)).expect("built-in settings");
        let asset = Asset::parse("USDT").expect("an asset");
        let credit = Transfer { effect: EffectId(1), account: CROSS, asset, amount: Amount::from_scaled(1) };
        core.apply(Timestamp::default(), &Command::Credit(credit)).expect("a credit");
        let enter = Command::EnterSpecialMode { effect: EffectId(2), owner: OWNER };
        core.apply(Timestamp::default(), &enter).expect("entered");

        let wallet = core.ledger.wallet_id(&CROSS).expect("an open wallet");
        let asset = core.ledger.asset_id(asset).expect("a known asset");
        core.ledger.wallet_mut(wallet).balance_mut(asset).interest = 1;
        assert_eq!(leave(&mut core), Err(Refusal::LiabilityOutstanding));
        core.ledger.wallet_mut(wallet).in_liquidation = true;
        assert_eq!(leave(&mut core), Err(Refusal::InLiquidation));
        assert!(core.owner(OWNER).special_mode && core.owner(OWNER).in_liquidation);
        let symbol = Symbol::parse("BTCUSDT").expect("a symbol");
        let order = NewOrder {
            quantity: Some(latchkey_protocol::Quantity::from_scaled(100_000)),
            ..NewOrder::new(CROSS, symbol, Side::Buy, OrderType::Market)
        };
        assert_eq!(core.check(Timestamp::default(), &order), Err(Refusal::ActionDisabled));

        core.ledger.wallet_mut(wallet).balance_mut(asset).interest = 0;
        core.ledger.wallet_mut(wallet).in_liquidation = false;
        assert_eq!(leave(&mut core), Ok(Reply::Done));
    }
}
