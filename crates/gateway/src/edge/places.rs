//! How many connections one address holds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts open connections by address; an IPv6 caller counts as its /64.
#[derive(Clone, Debug)]
pub struct Places {
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
    max: usize,
}

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub struct Place {
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Places {
    /// Lets every address hold `max` connections.
    pub fn new(max: usize) -> Self {
        Self { held: Arc::default(), max }
    }

    /// One more connection of `address`, unless it holds all that it may.
    pub fn take(&self, address: IpAddr) -> Option<Place> {
        let address = counted(address);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.get(&address).copied().unwrap_or_default();
        if count >= self.max {
            return None;
        }
        held.insert(address, count + 1);
        drop(held);
        Some(Place { held: Arc::clone(&self.held), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = held.entry(self.address) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_so_many_and_gets_them_back() {
        let places = Places::new(2);
        let take = |address: &str| places.take(address.parse().unwrap());
        let (first, _second) = (take("192.0.2.1").unwrap(), take("::ffff:192.0.2.1").unwrap());
        assert!(take("192.0.2.1").is_none());
        let (_v6, _same) = (take("2001:db8::1").unwrap(), take("2001:db8::ffff:1").unwrap());
        assert!(take("2001:db8::2").is_none(), "a /64 is one caller");
        assert!(take("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(take("192.0.2.1").is_some());
    }

    #[test]
    fn who_left_is_forgotten() {
        let places = Places::new(1);
        drop(places.take("192.0.2.1".parse().unwrap()));
        assert!(places.held.lock().unwrap().is_empty());
    }
}
