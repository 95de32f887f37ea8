//! How much one address holds: connections, bytes of bodies.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use latchkey_admission::call::limited_address;

/// Counts what addresses hold, as limits count them: an IPv6 caller is its /64.
#[derive(Clone, Debug)]
pub struct Places {
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
    max: usize,
}

/// What an address holds, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    address: IpAddr,
    count: usize,
}

impl Places {
    /// Lets every address hold `max`.
    pub fn new(max: usize) -> Self {
        Self { held: Arc::default(), max }
    }

    /// One more for `address`, unless it holds all that it may.
    pub fn take(&self, address: IpAddr) -> Option<Place> {
        let mut place = self.empty(address);
        place.grow(1).then_some(place)
    }

    /// A place of `address` that holds nothing yet.
    pub fn empty(&self, address: IpAddr) -> Place {
        Place { places: self.clone(), address: limited_address(address), count: 0 }
    }
}

impl Place {
    /// Holds `more`, unless the address would hold more than it may; whether it does.
    pub fn grow(&mut self, more: usize) -> bool {
        let mut held = self.places.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.get(&self.address).copied().unwrap_or_default().saturating_add(more);
        if count > self.places.max {
            return false;
        }
        held.insert(self.address, count);
        drop(held);
        self.count += more;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.count == 0 {
            return;
        }
        let mut held = self.places.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = held.entry(self.address) {
            *entry.get_mut() -= self.count;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
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
    fn a_place_grows_to_the_address_bound_and_gives_all_back() {
        let places = Places::new(10);
        let address = "192.0.2.1".parse().unwrap();
        let (mut one, mut two) = (places.empty(address), places.empty(address));
        assert!(one.grow(6) && two.grow(3));
        assert!(!two.grow(2) && two.grow(1));
        drop(one);
        assert!(two.grow(6) && !two.grow(usize::MAX));
    }

    #[test]
    fn who_left_is_forgotten() {
        let places = Places::new(1);
        drop(places.take("192.0.2.1".parse().unwrap()));
        drop(places.empty("192.0.2.1".parse().unwrap()));
        assert!(places.held.lock().unwrap().is_empty());
    }
}
