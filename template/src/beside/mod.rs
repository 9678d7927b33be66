//! Work that is done by two threads at the same time, where it takes less than a system needs to
//! see that it could be.

mod queue;

use std::{
    fmt::{self, Debug, Formatter},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed},
    },
    thread::{self, Builder, Scope, Thread, yield_now},
};

pub use queue::Queue;

/// How often it is asked for what another thread is about to give, before this one sleeps until it is
/// there: as often as it can be in the time that a system takes to wake a thread, some tenths of a
/// millisecond.
const BRIEFLY_ROUNDS: usize = 400;

type Work<'scope> = Box<dyn FnOnce() + Send + 'scope>;

/// A thread that works while the one goes on that started it.
///
/// A system may leave a new thread on the CPU of the one that made it, and move it only some
/// milliseconds later, when short work is done. This one begins at once, and on another CPU if it
/// may use one. Where there is no other thread to be had, the one that started it does all.
///
/// ```
/// use std::sync::OnceLock;
/// use cairn_template::Beside;
///
/// let (left, right) = ([1, 2], [3, 4]);
/// let sum_of_right = OnceLock::new();
/// let sum_of_left: i32 = std::thread::scope(|scope| {
///     let beside = Beside::begin(scope);
///     beside.give(|| {
///         sum_of_right.get_or_init(|| right.iter().sum::<i32>());
///     });
///     left.iter().sum()
/// });
/// assert_eq!((sum_of_left, sum_of_right.get()), (3, Some(&7)));
/// ```
pub struct Beside<'scope> {
    shared: Arc<Shared<'scope>>,
}

struct Shared<'scope> {
    queue: Queue<Work<'scope>>,
    /// How much of what was given is not done.
    undone: AtomicUsize,
    /// The thread that gives the work.
    giver: Thread,
}

impl<'scope> Beside<'scope> {
    /// Starts the thread. It ends when this is dropped and all work is done.
    pub fn begin(scope: &'scope Scope<'scope, '_>) -> Self {
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            undone: AtomicUsize::new(0),
            giver: thread::current(),
        });
        let (theirs, here) = (Arc::clone(&shared), cpu());
        let begun = Builder::new().spawn_scoped(scope, move || {
            leave(here);
            while let Some(work) = theirs.queue.wait_for_next() {
                theirs.run(work);
            }
        });
        if begun.is_ok() {
            // So that it comes to leave this CPU.
            yield_now();
        }
        Self { shared }
    }

    /// Has the thread do some work, after what was given before.
    pub fn give(&self, work: impl FnOnce() + Send + 'scope) {
        self.shared.undone.fetch_add(1, Relaxed);
        self.shared.queue.add(Box::new(work));
    }

    /// Waits until all work is done that was given, and takes part in it.
    pub fn catch_up(&self) {
        while let Some(work) = self.shared.queue.take() {
            self.shared.run(work);
        }
        let is_done = || (self.shared.undone.load(Acquire) == 0).then_some(());
        if poll_briefly(is_done).is_none() {
            while is_done().is_none() {
                thread::park();
            }
        }
    }
}

impl<'scope> Shared<'scope> {
    fn run(&self, work: Work<'scope>) {
        /// Counts also work that panics.
        struct Done<'s, 'scope>(&'s Shared<'scope>);
        impl Drop for Done<'_, '_> {
            fn drop(&mut self) {
                if self.0.undone.fetch_sub(1, AcqRel) == 1 {
                    self.0.giver.unpark();
                }
            }
        }
        let _done = Done(self);
        work();
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        self.shared.queue.close();
        if !thread::panicking() {
            self.catch_up();
        }
    }
}

impl Debug for Beside<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").finish_non_exhaustive()
    }
}

/// Asks for what another thread is about to give, until it is there or has taken too long.
fn poll_briefly<T>(mut poll: impl FnMut() -> Option<T>) -> Option<T> {
    (0..BRIEFLY_ROUNDS).find_map(|_| {
        let given = poll();
        if given.is_none() {
            yield_now();
        }
        given
    })
}

#[cfg(target_os = "linux")]
fn cpu() -> usize {
    rustix::thread::sched_getcpu()
}

/// Moves this thread to another CPU, if it may use others. From there the system may move it.
#[cfg(target_os = "linux")]
fn leave(cpu: usize) {
    use rustix::thread::{sched_getaffinity, sched_setaffinity};

    let Ok(all) = sched_getaffinity(None) else {
        return;
    };
    let mut others = all;
    others.unset(cpu);
    // Where that cannot be, it works here.
    if others.count() > 0 && sched_setaffinity(None, &others).is_ok() {
        let _ = sched_setaffinity(None, &all);
    }
}

#[cfg(not(target_os = "linux"))]
fn cpu() {}

#[cfg(not(target_os = "linux"))]
fn leave(_here: ()) {}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::*;

    /// Takes longer than who waits for it stays awake.
    fn be_long() {
        for _ in 0..BRIEFLY_ROUNDS * 10 {
            yield_now();
        }
    }

    #[test]
    fn all_that_is_given_is_done_after_catching_up() {
        for work in [|| (), be_long] {
            let done = AtomicUsize::new(0);
            thread::scope(|scope| {
                let beside = Beside::begin(scope);
                for round in 1..4 {
                    for _ in 0..3 {
                        beside.give(|| {
                            work();
                            done.fetch_add(1, Relaxed);
                        });
                    }
                    beside.catch_up();
                    assert_eq!(done.load(Relaxed), round * 3);
                }
            });
        }
    }

    #[test]
    fn what_is_given_last_is_done_too() {
        let done = AtomicUsize::new(0);
        thread::scope(|scope| {
            let beside = Beside::begin(scope);
            beside.give(|| {
                done.fetch_add(1, Relaxed);
            });
        });
        assert_eq!(done.load(Relaxed), 1);
    }

    #[test]
    fn a_panic_ends_the_scope() {
        for work in [|| (), be_long] {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                thread::scope(|scope| {
                    let beside = Beside::begin(scope);
                    beside.give(|| {
                        work();
                        resume_unwind(Box::new("down"));
                    });
                    beside.give(|| ());
                    beside.catch_up();
                });
            }));
            assert!(outcome.is_err());
        }
    }

    #[test]
    fn nothing_comes_of_what_is_never_given() {
        assert_eq!(poll_briefly(|| None::<()>), None);
        let mut left = 3;
        let given = poll_briefly(|| {
            left -= 1;
            (left == 0).then_some("it")
        });
        assert_eq!(given, Some("it"));
    }
}
