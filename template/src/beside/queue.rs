//! What two threads have to do, in the order in which it came up.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::poll_briefly;

/// A queue that one thread fills, and that both take from.
///
/// ```
/// use cairn_template::Queue;
///
/// let queue = Queue::default();
/// queue.add("first");
/// queue.add("second");
/// queue.close();
/// assert_eq!(queue.wait_for_next(), Some("first"));
/// assert_eq!(queue.wait_for_next(), Some("second"));
/// assert_eq!(queue.wait_for_next(), None);
/// ```
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// No more will come.
    is_closed: bool,
    /// A thread sleeps until there is something to do.
    is_awaited: bool,
}

/// What a queue tells whoever asks.
enum Next<T> {
    Item(T),
    End,
}

impl<T> State<T> {
    fn next(&mut self) -> Option<Next<T>> {
        let next = self.items.pop_front().map(Next::Item);
        next.or(self.is_closed.then_some(Next::End))
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                is_closed: false,
                is_awaited: false,
            }),
            changed: Condvar::new(),
        }
    }
}

impl<T> Queue<T> {
    /// Adds an item at the end.
    pub fn add(&self, item: T) {
        self.change(|state| state.items.push_back(item));
    }

    /// No more items will come.
    pub fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    /// Takes the next item, if there is one now.
    pub fn take(&self) -> Option<T> {
        self.state().items.pop_front()
    }

    /// Takes the next item, when there is one; nothing after the last, once the queue is closed.
    pub fn wait_for_next(&self) -> Option<T> {
        let next = poll_briefly(|| self.state().next()).unwrap_or_else(|| {
            let mut state = self.state();
            loop {
                if let Some(next) = state.next() {
                    return next;
                }
                state.is_awaited = true;
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            }
        });
        match next {
            Next::Item(item) => Some(item),
            Next::End => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State<T>)) {
        let mut state = self.state();
        change(&mut state);
        if std::mem::take(&mut state.is_awaited) {
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::channel, thread};

    use super::*;

    #[test]
    fn who_sleeps_is_woken_by_an_item_and_by_the_end() {
        let queue = Queue::default();
        let until_it_sleeps = || {
            while !queue.state().is_awaited {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            let (sender, taken) = channel();
            scope.spawn(|| {
                while let Some(item) = queue.wait_for_next() {
                    sender.send(item).unwrap();
                }
                drop(sender);
            });
            for item in 0..3 {
                until_it_sleeps();
                queue.add(item);
                assert_eq!(taken.recv(), Ok(item));
            }
            until_it_sleeps();
            queue.close();
            assert!(taken.recv().is_err(), "it has ended");
        });
    }
}
