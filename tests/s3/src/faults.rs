//! Faults to order: for the next request of a kind, or for a share of all of them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::traffic::{Operation, Request};

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `500 InternalError`; nothing happened.
    InternalError,
    /// `503 SlowDown`; nothing happened.
    SlowDown,
    /// `507 XMinioStorageFull`; nothing happened, and nothing would the next time.
    Full,
    /// `409 ConditionalRequestConflict`, if the request is conditional; nothing happened.
    ConditionalRequestConflict,
    /// No answer; nothing happened.
    Silence,
    /// The connection breaks; nothing happened.
    BrokenBefore,
    /// It happened, but the connection breaks before the answer.
    BrokenAfter,
    /// It happened, but the answer is `500 InternalError`.
    InternalErrorAfter,
    /// The body of the answer ends too early.
    Truncated,
    /// The answer names another entity tag.
    WrongEtag,
    /// `403 ExpiredToken`; nothing happened, and trying again does not help.
    ExpiredCredentials,
}

impl Fault {
    /// Every fault that trying again heals.
    pub const ALL: &[Self] = &[
        Self::InternalError,
        Self::SlowDown,
        Self::ConditionalRequestConflict,
        Self::Silence,
        Self::BrokenBefore,
        Self::BrokenAfter,
        Self::InternalErrorAfter,
        Self::Truncated,
        Self::WrongEtag,
    ];

    fn applies_to(self, request: &Request) -> bool {
        match self {
            Self::ConditionalRequestConflict => {
                request.is_conditional && request.operation == Operation::PutObject
            }
            Self::Truncated => request.operation == Operation::GetObject,
            Self::WrongEtag => matches!(
                request.operation,
                Operation::GetObject | Operation::PutObject | Operation::UploadPart
            ),
            _ => true,
        }
    }
}

/// Which requests fail, and how.
#[derive(Debug)]
pub(crate) struct Faults(Mutex<Orders>);

/// When the one who asks dies, of the request that is its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Before anything happens.
    Before,
    /// After it happened, before the answer.
    After,
}

#[derive(Debug)]
struct Orders {
    random: StdRng,
    share: f64,
    kinds: Vec<Fault>,
    next: Vec<(Operation, Fault)>,
    /// Requests until the last one of whoever asks, and how that ends.
    life: Option<(u32, Death)>,
    strikes: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self(Mutex::new(Orders {
            random: StdRng::seed_from_u64(0),
            share: 0.0,
            kinds: Vec::new(),
            next: Vec::new(),
            life: None,
            strikes: 0,
        }))
    }
}

impl Faults {
    pub(crate) fn share(&self, seed: u64, share: f64, kinds: &[Fault]) {
        let mut orders = self.orders();
        orders.random = StdRng::seed_from_u64(seed);
        orders.share = share;
        orders.kinds = kinds.to_vec();
    }

    pub(crate) fn next(&self, operation: Operation, fault: Fault) {
        self.orders().next.push((operation, fault));
    }

    pub(crate) fn die(&self, life: Option<(u32, Death)>) {
        self.orders().life = life;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.orders().life.is_some_and(|(left, _)| left == 0)
    }

    /// How many requests have met a fault.
    pub(crate) fn strikes(&self) -> u64 {
        self.orders().strikes
    }

    /// What happens to a request.
    pub(crate) fn strike(&self, request: &Request) -> Option<Fault> {
        let mut orders = self.orders();
        let fault = orders.choose(request);
        orders.strikes += u64::from(fault.is_some());
        fault
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orders {
    fn choose(&mut self, request: &Request) -> Option<Fault> {
        if let Some((left, death)) = &mut self.life {
            let is_last = *left == 1;
            *left = left.saturating_sub(1);
            if is_last && *death == Death::After {
                return Some(Fault::BrokenAfter);
            }
            if *left == 0 {
                return Some(Fault::BrokenBefore);
            }
        }
        let ordered = self
            .next
            .iter()
            .position(|(operation, _)| *operation == request.operation);
        if let Some(position) = ordered {
            return Some(self.next.remove(position).1);
        }
        if self.kinds.is_empty() || self.random.random::<f64>() >= self.share {
            return None;
        }
        let kinds = self.kinds.len();
        let index = self.random.random_range(0..kinds);
        let fault = self.kinds[index];
        fault.applies_to(request).then_some(fault)
    }
}
