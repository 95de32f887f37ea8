//! Who put an account or a key out of use, and who may undo that.

use crate::change::Actor;
use latchkey_protocol::AccountId;

/// One who puts something out of use. What several did stands side by side: each undoes only what was theirs, but a
/// master speaks for its sub-account too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Holder {
    /// The owner of the account itself; worlds and rules act for the owner.
    Owner,
    /// The master of a sub-account, or a key of it.
    Master,
    /// An operator.
    Operator,
}

impl Holder {
    /// What `actor` is to `account`.
    pub fn of(actor: &Actor, account: AccountId) -> Self {
        match actor {
            Actor::Operator(_) => Self::Operator,
            Actor::Owner(by) | Actor::Key { account: by, .. } if *by != account => Self::Master,
            Actor::Owner(_) | Actor::Key { .. } | Actor::World | Actor::System => Self::Owner,
        }
    }

    /// Whether this one may undo what `other` did.
    pub const fn undoes(self, other: Self) -> bool {
        match self {
            Self::Owner => matches!(other, Self::Owner),
            Self::Master => matches!(other, Self::Owner | Self::Master),
            Self::Operator => matches!(other, Self::Operator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_protocol::KeyId;

    #[test]
    fn each_undoes_its_own_and_a_master_speaks_for_its_sub_account() {
        use Holder::{Master, Operator, Owner};
        let may = |one: Holder| [Owner, Master, Operator].map(|other| one.undoes(other));
        assert_eq!(may(Owner), [true, false, false]);
        assert_eq!(may(Master), [true, true, false]);
        assert_eq!(may(Operator), [false, false, true]);
    }

    #[test]
    fn another_account_than_the_own_is_the_master() {
        let of = |actor: Actor| Holder::of(&actor, AccountId(1));
        assert_eq!(of(Actor::Owner(AccountId(1))), Holder::Owner);
        assert_eq!(of(Actor::Owner(AccountId(9))), Holder::Master);
        assert_eq!(of(Actor::Key { account: AccountId(9), key: KeyId(1) }), Holder::Master);
        assert_eq!(of(Actor::Key { account: AccountId(1), key: KeyId(1) }), Holder::Owner);
        assert_eq!(of(Actor::Operator("olga".into())), Holder::Operator);
    }
}
