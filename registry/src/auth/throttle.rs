//! Slows down whoever guesses: every address has a few failures at a time, which come back slowly.
//!
//! The table has a fixed size and nothing is ever evicted from it, so no flood of other addresses
//! or names resets what one has used up. Addresses that share a slot share its failures.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Slots of the table; each takes 24 bytes.
const SLOTS: usize = 4096;

/// Counts failures by address.
#[derive(Debug)]
pub(crate) struct Throttle {
    slots: Mutex<Vec<Option<Slot>>>,
    hasher: RandomState,
    /// Failures that an address may have at once.
    burst: f64,
    /// Failures that come back per second.
    refill_per_s: f64,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    left: f64,
    updated: Instant,
}

impl Throttle {
    /// `per_minute` failures at once, and as many in every minute.
    pub(crate) fn new(per_minute: u32) -> Self {
        let burst = f64::from(per_minute.max(1));
        Self {
            slots: Mutex::new(vec![None; SLOTS]),
            hasher: RandomState::new(),
            burst,
            refill_per_s: burst / 60.0,
        }
    }

    /// The address may try once more.
    pub(crate) fn may_try(&self, address: IpAddr, now: Instant) -> bool {
        self.with(address, now, |left| *left >= 1.0)
    }

    /// The address failed.
    pub(crate) fn failed(&self, address: IpAddr, now: Instant) {
        self.with(address, now, |left| *left = (*left - 1.0).max(0.0));
    }

    fn with<T>(&self, address: IpAddr, now: Instant, use_slot: impl FnOnce(&mut f64) -> T) -> T {
        let index =
            usize::try_from(self.hasher.hash_one(site(address)) % SLOTS as u64).unwrap_or(0);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots[index].get_or_insert(Slot {
            left: self.burst,
            updated: now,
        });
        let elapsed_s = now.saturating_duration_since(slot.updated).as_secs_f64();
        slot.left = (slot.left + elapsed_s * self.refill_per_s).min(self.burst);
        slot.updated = now;
        use_slot(&mut slot.left)
    }
}

/// One customer has a whole /64 of IPv6 addresses.
fn site(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address) >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn failures_run_out_and_come_back() {
        let throttle = Throttle::new(3);
        let now = Instant::now();
        let guesser: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        for _ in 0..3 {
            assert!(throttle.may_try(guesser, now));
            throttle.failed(guesser, now);
        }
        assert!(!throttle.may_try(guesser, now));
        assert!(!throttle.may_try(neighbour, now));
        assert!(throttle.may_try(guesser, now + Duration::from_secs(20)));
    }

    /// CVE-2024-21662: ten thousand others do not make the server forget one.
    #[test]
    fn floods_reset_nothing() {
        let throttle = Throttle::new(2);
        let now = Instant::now();
        let guesser: IpAddr = "192.0.2.1".parse().unwrap();
        throttle.failed(guesser, now);
        throttle.failed(guesser, now);
        for other in 0..10_000_u32 {
            throttle.failed(IpAddr::from(other.to_be_bytes()), now);
        }
        assert!(!throttle.may_try(guesser, now));
    }
}
