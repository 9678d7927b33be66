//! Rendering with two threads: one takes the templates in their order, as if it were alone, and
//! another one from the end. What that one rendered counts only where the first would have rendered
//! the same, so nothing that comes of a chart depends on it.
//!
//! A template may change values that those after it see; most that do are among the first. The
//! second thread then renders all up to that one, too, for what they change, and begins anew.

mod division;
#[cfg(test)]
mod tests;
mod thread;

use cairn_template::{Beside, go::Rendered};

pub(super) use self::division::Division;
use self::division::Share;
use super::worker::{Job, Worker};

/// So many templates may change values before the first thread goes on alone.
const MAX_CHANGES: usize = 8;

/// Fewer templates than these are rendered before another thread has seen the values.
const FEWEST_TEMPLATES: usize = 4;

/// What the thread that takes the templates in their order has of the other one.
pub(super) enum Second<'j> {
    /// There is none, or nothing that it renders counts.
    Absent,
    Working {
        division: &'j Division,
        changes: usize,
    },
    Done(Share),
}

impl<'j> Second<'j> {
    /// Has the other thread render templates.
    pub(super) fn begin(job: &'j Job<'j>, division: &'j Division, beside: &Beside<'j>) -> Self {
        // Where all comes from is known to one thread only.
        if job.options.provenance || job.rendered_count() < FEWEST_TEMPLATES {
            return Self::Absent;
        }
        beside.give(|| thread::render(job, division));
        Self::Working {
            division,
            changes: 0,
        }
    }

    /// Whether the other thread has rendered what is in a slot and in all after it; else the slot
    /// is taken, in their order, for the first thread to render.
    pub(super) fn has(
        &mut self,
        slot: usize,
        first: &Worker<'_>,
        beside: Option<&Beside<'_>>,
    ) -> bool {
        if let Self::Working { division, .. } = self {
            if division.takes(slot) {
                return false;
            }
            if let Some(beside) = beside {
                beside.catch_up();
            }
            // Alone, the first thread would have taken no more steps than both.
            let left = first.steps_left();
            let share = division.share().filter(|share| share.steps <= left);
            *self = share.map_or(Self::Absent, Self::Done);
        }
        matches!(self, Self::Done(share) if share.from <= slot)
    }

    /// The template in a slot changed what those after it see.
    pub(super) fn follow(&mut self, slot: usize) {
        match self {
            Self::Working { division, changes } if *changes < MAX_CHANGES => {
                *changes += 1;
                division.change(slot);
            }
            _ => self.dismiss(),
        }
    }

    /// Nothing that the other thread renders counts any more.
    pub(super) fn dismiss(&mut self) {
        if let Self::Working { division, .. } = self {
            division.close();
        }
        *self = Self::Absent;
    }

    /// What the other thread rendered, with its slots.
    pub(super) fn finish(mut self) -> Vec<(usize, Rendered)> {
        if let Self::Done(share) = self {
            return share.outputs;
        }
        self.dismiss();
        Vec::new()
    }
}
