//! What happened while nobody could be told: the last few hundred transitions, numbered, until the hub
//! has them.

use std::collections::VecDeque;

use cairn_spec::agent::{Transition, limits};
use serde::{Deserialize, Serialize};

/// The longest message that is kept, in bytes: all of them together must fit into a Secret.
const MAX_MESSAGE_BYTES: usize = 500;

/// Transitions that wait, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Spool {
    /// The number of the last one that there ever was.
    last: u64,
    waiting: VecDeque<Transition>,
}

impl Spool {
    /// Nothing has ever happened.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds a transition and gives it its number. The oldest are forgotten when there are too many.
    pub fn add(&mut self, mut transition: Transition) {
        self.last += 1;
        transition.number = self.last;
        if let Some(message) = &mut transition.message {
            let mut end = message.len().min(MAX_MESSAGE_BYTES);
            while !message.is_char_boundary(end) {
                end -= 1;
            }
            message.truncate(end);
        }
        self.waiting.push_back(transition);
        while self.waiting.len() > limits::MAX_SPOOLED_TRANSITIONS {
            self.waiting.pop_front();
        }
    }

    /// As many of the oldest as one request may have.
    pub fn next(&self) -> Vec<Transition> {
        let next = self.waiting.iter().take(limits::MAX_TRANSITIONS);
        next.cloned().collect()
    }

    /// The hub has them up to a number. True if there were any.
    pub fn delivered(&mut self, up_to: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|transition| transition.number > up_to);
        self.waiting.len() < before
    }
}

#[cfg(test)]
mod tests {
    use cairn_spec::{Timestamp, agent::Phase};

    use super::*;

    fn transition(message: &str) -> Transition {
        Transition {
            number: 0,
            time: Timestamp::from_unix_s(0),
            phase: Phase::Idle,
            bundle: None,
            generation: None,
            layer: None,
            message: Some(message.to_owned()),
        }
    }

    #[test]
    fn the_oldest_go_first_and_numbers_go_on() {
        let mut spool = Spool::default();
        for _ in 0..limits::MAX_SPOOLED_TRANSITIONS + 20 {
            spool.add(transition("x"));
        }
        let next = spool.next();
        assert_eq!((next.len(), next[0].number), (limits::MAX_TRANSITIONS, 21));
        assert!(spool.delivered(120));
        assert!(!spool.delivered(120));
        assert_eq!(spool.next()[0].number, 121);
        spool.delivered(u64::MAX);
        spool.add(transition("y"));
        assert_eq!(spool.next()[0].number, 521);
    }

    #[test]
    fn a_full_spool_fits_into_a_secret() {
        let mut spool = Spool::default();
        for _ in 0..limits::MAX_SPOOLED_TRANSITIONS {
            spool.add(Transition {
                bundle: Some(cairn_spec::Digest::sha256(b"")),
                generation: Some(u64::MAX),
                layer: Some("l".repeat(63)),
                ..transition(&"ä".repeat(2_000))
            });
        }
        let text = serde_json::to_vec(&spool).unwrap();
        assert!(text.len() < 500 << 10, "{}", text.len());
        assert_eq!(serde_json::from_slice::<Spool>(&text).unwrap(), spool);
    }
}
