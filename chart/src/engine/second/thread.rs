//! The second thread's way through the templates: from the last one on.

use std::{mem::replace, ops::Range};

use cairn_template::{DEFAULT_STACK_BYTES, Limits, go::Output};

use super::division::{Division, Share, Step};
use crate::engine::worker::{Job, Worker};

/// The second thread may hold so many times less than the first: what needs more, that one renders.
const MEMORY_SHARE: usize = 4;

/// Renders the last template that was not taken, until none is left or one does what only the first
/// thread may.
pub(super) fn render(job: &Job<'_>, division: &Division) {
    let limits = job.options.limits;
    let limits = Limits {
        stack_bytes: limits.stack_bytes.min(DEFAULT_STACK_BYTES),
        memory_bytes: limits.memory_bytes / MEMORY_SHARE,
        ..limits
    };
    let mut thread = Thread {
        job,
        division,
        limits,
        worker: Worker::new(job, limits),
        has_begun_anew: false,
        followed: 0,
        from: job.names.len(),
        outputs: Vec::new(),
        steps: 0,
    };
    thread.begin();
    while let Some(step) = division.next(thread.followed) {
        let done = match step {
            Step::Follow(slots) => thread.follow(slots),
            Step::Take(slot) => thread.take(slot),
        };
        // What it was, the first thread will find out.
        if done.is_none() {
            break;
        }
    }
    division.hand_in(thread.share());
}

struct Thread<'j> {
    job: &'j Job<'j>,
    division: &'j Division,
    limits: Limits,
    worker: Worker<'j>,
    has_begun_anew: bool,
    /// How many slots it rendered for what they change.
    followed: usize,
    from: usize,
    outputs: Vec<(usize, Output)>,
    /// What the outputs took.
    steps: u64,
}

impl Thread<'_> {
    /// Begins at the end, as if all slots had been rendered.
    fn begin(&mut self) {
        self.forget();
        for slot in (self.followed..self.from).filter(|slot| self.job.is_rendered(*slot)) {
            self.worker.enter(slot);
        }
    }

    fn forget(&mut self) {
        self.from = self.job.names.len();
        self.outputs.clear();
        self.steps = 0;
    }

    /// Renders slots as the first thread did, for what they change, and begins anew.
    fn follow(&mut self, slots: Range<usize>) -> Option<()> {
        self.forget();
        self.followed = slots.end;
        for slot in slots.filter(|slot| self.job.is_rendered(*slot)) {
            self.worker.render(slot).ok()?;
        }
        self.worker.takes_changes();
        self.begin();
        Some(())
    }

    /// A template changed what those were to see that this thread rendered before it. Often all
    /// of a chart set the same: once the first has done so, the others change nothing.
    fn begin_anew(&mut self) -> Option<()> {
        self.forget();
        if replace(&mut self.has_begun_anew, true) {
            return None;
        }
        self.division.give_back();
        self.worker = Worker::new(self.job, self.limits);
        let mut slots = 0..self.job.names.len();
        let first = slots.find(|slot| self.job.is_rendered(*slot))?;
        self.follow(0..self.followed.max(first + 1))
    }

    fn take(&mut self, slot: usize) -> Option<()> {
        if slot >= self.from {
            // It was given back: the first thread changed what this one had followed already.
            self.begin();
        }
        if self.job.is_rendered(slot) {
            let before = self.worker.renderer.steps();
            let output = self.worker.render(slot).ok()?;
            if self.worker.takes_changes() {
                return self.begin_anew();
            }
            self.worker.leave(slot);
            self.steps += self.worker.renderer.steps() - before;
            if self.job.is_manifest(slot) {
                self.outputs.push((slot, output));
            }
        }
        self.from = slot;
        Some(())
    }

    fn share(self) -> Share {
        let (slots, outputs): (Vec<_>, Vec<_>) = self.outputs.into_iter().unzip();
        let rendered = self.worker.renderer.finish(outputs);
        Share {
            from: self.from,
            followed: self.followed,
            outputs: slots.into_iter().zip(rendered).collect(),
            steps: self.steps,
        }
    }
}
