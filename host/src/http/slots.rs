//! Counting what clients hold, each and together.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A bounded number of places, with a bound for each client too. Only clients that hold a place
/// take memory.
#[derive(Debug)]
pub(crate) struct Slots {
    total: usize,
    per_client: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A place that is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    client: IpAddr,
}

/// There is no place left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// For this client.
    Client,
    /// For anybody.
    Total,
}

impl Slots {
    pub(crate) fn new(total: usize, per_client: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            per_client,
            taken: Mutex::default(),
        })
    }

    /// Takes a place for a client.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Slot, Full> {
        let client = client_of(address);
        let mut taken = self.lock();
        if taken.total >= self.total {
            return Err(Full::Total);
        }
        let own = taken.by_client.entry(client).or_default();
        if *own >= self.per_client {
            return Err(Full::Client);
        }
        *own += 1;
        taken.total += 1;
        Ok(Slot {
            slots: Arc::clone(self),
            client,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        taken.total -= 1;
        if let Some(own) = taken.by_client.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

/// Who counts as one client: an IPv4 address, or the network that one IPv6 customer has.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_and_all_of_them_are_bounded_and_places_come_back() {
        let slots = Slots::new(3, 2);
        let first = slots.take(address("10.0.0.1")).unwrap();
        let _second = slots.take(address("::ffff:10.0.0.1")).unwrap();
        assert_eq!(slots.take(address("10.0.0.1")).unwrap_err(), Full::Client);
        let third = slots.take(address("10.0.0.2")).unwrap();
        assert_eq!(slots.take(address("10.0.0.3")).unwrap_err(), Full::Total);
        drop(first);
        assert!(slots.take(address("10.0.0.1")).is_ok());
        drop(third);
        assert_eq!(slots.lock().by_client.len(), 1);
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_client() {
        let slots = Slots::new(9, 1);
        let _first = slots.take(address("2001:db8::1")).unwrap();
        assert_eq!(
            slots.take(address("2001:db8::2")).unwrap_err(),
            Full::Client
        );
        assert!(slots.take(address("2001:db8:0:1::1")).is_ok());
    }
}
