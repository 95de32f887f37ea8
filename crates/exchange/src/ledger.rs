//! Who has what: wallets with free and held balances, and the venue's own accounts.
//!
//! Every movement has two ends, so that for each asset
//! `wallets (free + locked) + fees + house = issued` holds after every command. *Issued* is what came in from outside
//! less what went out; *fees* holds commissions; *house* is the synthetic market, whose balance may go below zero: it
//! is not limited by what it has, and a negative balance is what it has put into the market.

use latchkey_protocol::order::Side;
use latchkey_protocol::{AccountId, Asset, Timestamp, TradingAccount};
use serde::{Deserialize, Serialize};

use crate::chunked::Chunked;
use crate::counter::OrderCounter;
use crate::market::Market;
use crate::names::Lookup;
use crate::order::Order;
use crate::spec::SymbolSpec;
use crate::{Commission, Rate};

/// The most that one transfer may move, scaled by 10^8.
pub(crate) const MAX_TRANSFER: i128 = 10_i128.pow(30);
/// The most of one asset that may ever be issued, scaled by 10^8: far from where a sum could overflow.
pub(crate) const MAX_ISSUED: i128 = 10_i128.pow(36);

/// An asset's number: its place in the list of assets.
pub(crate) type AssetId = u16;

/// All wallets, owners and venue accounts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    assets: Vec<Asset>,
    venue: Vec<VenueBalance>,
    wallets: Vec<WalletState>,
    owners: Vec<OwnerState>,
    /// The rates where neither owner nor symbol has its own.
    pub(crate) default_commission: Commission,
    #[serde(skip)]
    asset_index: Lookup<Asset, AssetId>,
    #[serde(skip)]
    wallet_index: Lookup<TradingAccount, u32>,
    #[serde(skip)]
    owner_index: Lookup<AccountId, u32>,
}

/// What the venue itself holds of one asset.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct VenueBalance {
    pub(crate) issued: i128,
    pub(crate) fees: i128,
    pub(crate) house: i128,
}

/// One wallet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WalletState {
    pub(crate) account: TradingAccount,
    pub(crate) owner: u32,
    pub(crate) opened: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) in_liquidation: bool,
    /// By asset number.
    balances: Vec<(AssetId, Balance)>,
    /// By market number.
    activity: Vec<Activity>,
}

/// One asset of a wallet, scaled by 10^8; never below zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Balance {
    pub(crate) free: i128,
    pub(crate) locked: i128,
    pub(crate) borrowed: i128,
    pub(crate) interest: i128,
}

/// What a wallet did on one market.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Activity {
    pub(crate) market: u16,
    /// Its open orders, oldest first.
    pub(crate) open: Vec<u32>,
    /// All its orders, oldest first.
    pub(crate) orders: Chunked<u32>,
    /// Its sides of trades, oldest first.
    pub(crate) trades: Chunked<TradeSide>,
}

/// One side of a trade.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct TradeSide {
    pub(crate) id: i64,
    pub(crate) order: u32,
    pub(crate) price: i64,
    pub(crate) quantity: i64,
    pub(crate) commission: i128,
    pub(crate) time: i64,
    pub(crate) side: Side,
    pub(crate) is_maker: bool,
    /// The trade before it of the same order; found again when the state is read back.
    #[serde(skip)]
    pub(crate) earlier: Option<TradeLink>,
}

/// A place in a wallet's trades on one market: the index + 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TradeLink(core::num::NonZeroU32);

impl TradeLink {
    fn to(index: u32) -> Option<Self> {
        core::num::NonZeroU32::new(index + 1).map(Self)
    }

    const fn index(self) -> u32 {
        self.0.get() - 1
    }
}

/// One owner of wallets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OwnerState {
    pub(crate) id: AccountId,
    pub(crate) commission: Option<Commission>,
    pub(crate) special_mode: bool,
    pub(crate) counter: OrderCounter,
    /// Its wallets, in the order in which they were opened.
    pub(crate) wallets: Vec<u32>,
}

/// What changes hands in one trade.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    pub(crate) base: AssetId,
    pub(crate) quote: AssetId,
    /// Base units.
    pub(crate) quantity: i128,
    /// Quote units.
    pub(crate) notional: i128,
}

impl Ledger {
    /// No wallets yet.
    pub(crate) fn new(default_commission: Commission) -> Self {
        Self { default_commission, ..Self::default() }
    }

    /// The number of an asset, if it is known.
    pub(crate) fn asset_id(&self, asset: Asset) -> Option<AssetId> {
        self.asset_index.get(&asset).copied()
    }

    /// The number of an asset, which becomes known.
    pub(crate) fn know_asset(&mut self, asset: Asset) -> AssetId {
        if let Some(id) = self.asset_id(asset) {
            return id;
        }
        assert!(self.assets.len() < usize::from(AssetId::MAX), "the list of assets is full");
        let id = self.assets.len() as AssetId;
        self.assets.push(asset);
        self.venue.push(VenueBalance::default());
        self.asset_index.insert(asset, id);
        id
    }

    /// An asset by number.
    #[expect(clippy::indexing_slicing, reason = "asset numbers come from `know_asset` alone and none is ever removed")]
    pub(crate) fn asset(&self, id: AssetId) -> Asset {
        self.assets[usize::from(id)]
    }

    pub(crate) fn assets(&self) -> &[Asset] {
        &self.assets
    }

    #[expect(clippy::indexing_slicing, reason = "asset numbers come from `know_asset` alone and none is ever removed")]
    pub(crate) fn venue(&self, asset: AssetId) -> &VenueBalance {
        &self.venue[usize::from(asset)]
    }

    #[expect(clippy::indexing_slicing, reason = "asset numbers come from `know_asset` alone and none is ever removed")]
    pub(crate) fn venue_mut(&mut self, asset: AssetId) -> &mut VenueBalance {
        &mut self.venue[usize::from(asset)]
    }

    /// The number of a wallet, if it was opened.
    pub(crate) fn wallet_id(&self, account: &TradingAccount) -> Option<u32> {
        self.wallet_index.get(account).copied()
    }

    /// The number of a wallet, opened now unless it was before.
    pub(crate) fn open_wallet(&mut self, account: TradingAccount, at: Timestamp) -> u32 {
        if let Some(id) = self.wallet_id(&account) {
            return id;
        }
        let owner = self.know_owner(account.owner);
        let id = self.wallets.len() as u32;
        self.wallets.push(WalletState {
            account,
            owner,
            opened: at,
            updated: at,
            in_liquidation: false,
            balances: Vec::new(),
            activity: Vec::new(),
        });
        self.wallet_index.insert(account, id);
        self.owner_mut(owner).wallets.push(id);
        id
    }

    /// A wallet by number.
    #[expect(clippy::indexing_slicing, reason = "wallet numbers come from `open_wallet` alone and none is removed")]
    pub(crate) fn wallet(&self, id: u32) -> &WalletState {
        &self.wallets[id as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "wallet numbers come from `open_wallet` alone and none is removed")]
    pub(crate) fn wallet_mut(&mut self, id: u32) -> &mut WalletState {
        &mut self.wallets[id as usize]
    }

    pub(crate) fn wallets(&self) -> &[WalletState] {
        &self.wallets
    }

    /// The number of an owner, if the exchange ever met it.
    pub(crate) fn owner_id(&self, owner: AccountId) -> Option<u32> {
        self.owner_index.get(&owner).copied()
    }

    /// The number of an owner, who becomes known.
    pub(crate) fn know_owner(&mut self, id: AccountId) -> u32 {
        if let Some(owner) = self.owner_id(id) {
            return owner;
        }
        let owner = self.owners.len() as u32;
        self.owners.push(OwnerState {
            id,
            commission: None,
            special_mode: false,
            counter: OrderCounter::default(),
            wallets: Vec::new(),
        });
        self.owner_index.insert(id, owner);
        owner
    }

    /// An owner by number.
    #[expect(clippy::indexing_slicing, reason = "owner numbers come from `know_owner` alone and none is removed")]
    pub(crate) fn owner(&self, id: u32) -> &OwnerState {
        &self.owners[id as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "owner numbers come from `know_owner` alone and none is removed")]
    pub(crate) fn owner_mut(&mut self, id: u32) -> &mut OwnerState {
        &mut self.owners[id as usize]
    }

    /// The rates of an owner on a symbol: the owner's own, else the symbol's, else the exchange's.
    pub(crate) fn commission(&self, owner: u32, spec: &SymbolSpec) -> Commission {
        self.owner(owner).commission.or(spec.commission).unwrap_or(self.default_commission)
    }

    /// Books one side of a trade in a wallet, from its hold for a maker and from its free balance for a taker, and
    /// returns the commission, taken from what is received.
    pub(crate) fn settle(
        &mut self,
        wallet: u32,
        side: Side,
        exchange: &Exchange,
        rate: Rate,
        from_hold: bool,
        at: Timestamp,
    ) -> i128 {
        let Exchange { base, quote, quantity, notional } = *exchange;
        let (pays, paid, takes, received) = match side {
            Side::Buy => (quote, notional, base, quantity),
            Side::Sell => (base, quantity, quote, notional),
        };
        let commission = rate.of(received);
        let state = self.wallet_mut(wallet);
        state.updated = at;
        let balance = state.balance_mut(pays);
        let purse = if from_hold { &mut balance.locked } else { &mut balance.free };
        *purse -= paid;
        assert!(*purse >= 0, "a trade spends what was checked or held");
        state.balance_mut(takes).free += received - commission;
        self.venue_mut(takes).fees += commission;
        commission
    }

    /// Books one side of a trade for the synthetic market, which pays no commission.
    pub(crate) fn settle_house(&mut self, side: Side, exchange: &Exchange) {
        let sign = if side == Side::Buy { 1 } else { -1 };
        self.venue_mut(exchange.base).house += sign * exchange.quantity;
        self.venue_mut(exchange.quote).house -= sign * exchange.notional;
    }

    /// The state without its lookup tables.
    pub(crate) fn frozen(&self) -> Self {
        Self {
            assets: self.assets.clone(),
            venue: self.venue.clone(),
            wallets: self.wallets.clone(),
            owners: self.owners.clone(),
            default_commission: self.default_commission,
            ..Self::default()
        }
    }

    /// Links the trades of each order again after the state was read back.
    pub(crate) fn link_trades(&mut self, markets: &mut [Market]) {
        for activity in self.wallets.iter_mut().flat_map(|wallet| &mut wallet.activity) {
            let Some(market) = markets.get_mut(usize::from(activity.market)) else { continue };
            for index in 0..activity.trades.len() {
                let trade = activity.trades.at_mut(index);
                let order = market.orders.at_mut(trade.order);
                trade.earlier = core::mem::replace(&mut order.last_trade, TradeLink::to(index));
            }
        }
    }

    /// Fills the lookup tables again after the state was read back.
    pub(crate) fn index(&mut self) {
        self.asset_index = self.assets.iter().enumerate().map(|(i, asset)| (*asset, i as AssetId)).collect();
        self.wallet_index = self.wallets.iter().enumerate().map(|(i, w)| (w.account, i as u32)).collect();
        self.owner_index = self.owners.iter().enumerate().map(|(i, o)| (o.id, i as u32)).collect();
    }
}

impl WalletState {
    /// What it has of an asset.
    pub(crate) fn balance(&self, asset: AssetId) -> Balance {
        match self.balances.binary_search_by_key(&asset, |(id, _)| *id) {
            Ok(index) => self.balances.get(index).map(|(_, balance)| *balance).unwrap_or_default(),
            Err(_) => Balance::default(),
        }
    }

    /// What it has of an asset, to change it.
    #[expect(clippy::indexing_slicing, reason = "the index was found or made in the same function")]
    pub(crate) fn balance_mut(&mut self, asset: AssetId) -> &mut Balance {
        let index = match self.balances.binary_search_by_key(&asset, |(id, _)| *id) {
            Ok(index) => index,
            Err(index) => {
                self.balances.insert(index, (asset, Balance::default()));
                index
            }
        };
        &mut self.balances[index].1
    }

    pub(crate) fn balances(&self) -> &[(AssetId, Balance)] {
        &self.balances
    }

    /// What it did on a market, if anything.
    pub(crate) fn activity(&self, market: u16) -> Option<&Activity> {
        let index = self.activity.binary_search_by_key(&market, |activity| activity.market).ok()?;
        self.activity.get(index)
    }

    /// What it did on a market, to add to it.
    #[expect(clippy::indexing_slicing, reason = "the index was found or made in the same function")]
    pub(crate) fn activity_mut(&mut self, market: u16) -> &mut Activity {
        let index = match self.activity.binary_search_by_key(&market, |activity| activity.market) {
            Ok(index) => index,
            Err(index) => {
                let (open, orders, trades) = Default::default();
                self.activity.insert(index, Activity { market, open, orders, trades });
                index
            }
        };
        &mut self.activity[index]
    }

    pub(crate) fn activities(&self) -> &[Activity] {
        &self.activity
    }

    /// Moves an amount from free to held.
    pub(crate) fn hold(&mut self, asset: AssetId, amount: i128, at: Timestamp) {
        let balance = self.balance_mut(asset);
        balance.free -= amount;
        balance.locked += amount;
        assert!(balance.free >= 0 && amount >= 0, "a hold takes what was checked");
        self.updated = at;
    }

    /// Moves an amount from held to free.
    pub(crate) fn release(&mut self, asset: AssetId, amount: i128, at: Timestamp) {
        let balance = self.balance_mut(asset);
        balance.locked -= amount;
        balance.free += amount;
        assert!(balance.locked >= 0 && amount >= 0, "a release gives back what was held");
        self.updated = at;
    }

    /// Whether it owes anything.
    pub(crate) fn has_liability(&self) -> bool {
        self.balances.iter().any(|(_, balance)| balance.borrowed > 0 || balance.interest > 0)
    }
}

impl Activity {
    /// Adds a trade of an order.
    pub(crate) fn record(&mut self, order: &mut Order, trade: TradeSide) {
        let earlier = order.last_trade;
        order.last_trade = TradeLink::to(self.trades.push(TradeSide { earlier, ..trade }));
    }

    /// The trades of one of its orders, newest first.
    pub(crate) fn trades_of(&self, order: &Order) -> impl Iterator<Item = &TradeSide> {
        let at = |link: TradeLink| self.trades.get(link.index());
        core::iter::successors(order.last_trade.and_then(at), move |trade| trade.earlier.and_then(at))
    }

    /// Takes an order off the list of open ones.
    pub(crate) fn close(&mut self, order: u32) {
        if let Ok(index) = self.open.binary_search(&order) {
            self.open.remove(index);
        }
    }
}
