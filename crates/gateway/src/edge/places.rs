//! How much one address and its neighbors hold: connections, bytes of bodies.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use latchkey_admission::call::{limited_address, neighborhood};

/// Counts what addresses hold, as limits count them: an IPv6 caller is its /64. Neighbors, who may be one owner's, hold
/// together no more than a part of what there is for all.
#[derive(Clone, Debug)]
pub struct Places {
    held: Arc<Mutex<Held>>,
    max: usize,
    neighbors_max: usize,
}

#[derive(Default, Debug)]
struct Held {
    addresses: HashMap<IpAddr, usize>,
    neighborhoods: HashMap<IpAddr, usize>,
}

/// The part of all that one neighborhood holds.
const NEIGHBORS_PART: usize = 4;

/// What an address holds, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    address: IpAddr,
    count: usize,
}

impl Places {
    /// Lets every address hold `max`, and a neighborhood a quarter of `all`, if that is more.
    pub fn new(max: usize, all: usize) -> Self {
        Self { held: Arc::default(), max, neighbors_max: max.max(all / NEIGHBORS_PART) }
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
    /// Holds `more`, unless the address or its neighborhood would hold more than it may; whether it does.
    pub fn grow(&mut self, more: usize) -> bool {
        let neighborhood = neighborhood(self.address);
        let mut held = self.places.held.lock().unwrap_or_else(PoisonError::into_inner);
        let would =
            |held: &HashMap<IpAddr, usize>, name| held.get(name).copied().unwrap_or_default().saturating_add(more);
        let (own, all) = (would(&held.addresses, &self.address), would(&held.neighborhoods, &neighborhood));
        if own > self.places.max || all > self.places.neighbors_max {
            return false;
        }
        held.addresses.insert(self.address, own);
        held.neighborhoods.insert(neighborhood, all);
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
        give_back(held.addresses.entry(self.address), self.count);
        give_back(held.neighborhoods.entry(neighborhood(self.address)), self.count);
    }
}

fn give_back(entry: Entry<'_, IpAddr, usize>, count: usize) {
    if let Entry::Occupied(mut entry) = entry {
        *entry.get_mut() -= count;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_so_many_and_gets_them_back() {
        let places = Places::new(2, 100);
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
        let places = Places::new(10, 0);
        let address = "192.0.2.1".parse().unwrap();
        let (mut one, mut two) = (places.empty(address), places.empty(address));
        assert!(one.grow(6) && two.grow(3));
        assert!(!two.grow(2) && two.grow(1));
        drop(one);
        assert!(two.grow(6) && !two.grow(usize::MAX));
    }

    #[test]
    fn neighbors_hold_a_quarter_together() {
        let places = Places::new(2, 12);
        let take = |address: &str| places.take(address.parse().unwrap());
        let held: Vec<_> = ["192.0.2.1", "192.0.2.1", "192.0.2.2"].map(take).into();
        assert!(held.iter().all(Option::is_some) && take("192.0.2.3").is_none());
        let held_v6: Vec<_> = ["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"].map(take).into();
        assert!(held_v6.iter().all(Option::is_some) && take("2001:db8:0:3::1").is_none(), "a /48");
        assert!(take("192.0.3.1").is_some() && take("2001:db8:1::1").is_some(), "others have their own");
        drop(held);
        assert!(take("192.0.2.3").is_some());
    }

    #[test]
    fn who_left_is_forgotten() {
        let places = Places::new(1, 0);
        drop(places.take("192.0.2.1".parse().unwrap()));
        drop(places.empty("192.0.2.1".parse().unwrap()));
        let held = places.held.lock().unwrap();
        assert!(held.addresses.is_empty() && held.neighborhoods.is_empty());
    }
}
