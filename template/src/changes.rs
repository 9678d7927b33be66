//! Notices when a template changes a value that was there before it, for such a change is seen by
//! all templates that follow. Each thread notices its own, for values do not leave theirs.

use std::cell::Cell;

thread_local! {
    /// The number of the template's render that is going on, or [`NOBODY`].
    static RENDERING: Cell<u32> = const { Cell::new(NOBODY) };
    static LAST_RENDERING: Cell<u32> = const { Cell::new(NOBODY) };
    static CHANGES: Cell<u64> = const { Cell::new(0) };
}

/// No template is rendered.
const NOBODY: u32 = 0;

/// How many changes this thread has noticed.
pub(crate) fn changes() -> u64 {
    CHANGES.get()
}

/// While it lives, a template is rendered: what is made is the template's own.
#[derive(Debug)]
pub(crate) struct Rendering {
    outer: u32,
}

impl Rendering {
    pub(crate) fn begin() -> Self {
        let number = LAST_RENDERING.get().wrapping_add(1).max(NOBODY + 1);
        LAST_RENDERING.set(number);
        Self {
            outer: RENDERING.replace(number),
        }
    }
}

impl Drop for Rendering {
    fn drop(&mut self) {
        RENDERING.set(self.outer);
    }
}

/// Whose a value is: that of the render that made it, until another template sees it; or everybody's.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Owner {
    rendering: u32,
}

impl Owner {
    /// Whose a value is that is made now.
    pub(crate) fn now() -> Self {
        Self {
            rendering: RENDERING.get(),
        }
    }

    /// The value is changed.
    pub(crate) fn notice(self) {
        self.notice_unless(|| false);
    }

    /// The value is changed, unless it is the same afterwards.
    pub(crate) fn notice_unless(self, is_same: impl FnOnce() -> bool) {
        let rendering = RENDERING.get();
        if rendering != NOBODY && rendering != self.rendering && !is_same() {
            CHANGES.set(CHANGES.get().wrapping_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_templates_change_what_was_there() {
        let before = changes();
        let everybodys = Owner::now();
        everybodys.notice();
        assert_eq!(changes(), before, "no template is rendered");
        let rendering = Rendering::begin();
        let own = Owner::now();
        own.notice();
        assert_eq!(changes(), before, "it is the template's own");
        everybodys.notice();
        everybodys.notice_unless(|| true);
        assert_eq!(changes(), before + 1);
        drop(rendering);
        everybodys.notice();
        assert_eq!(changes(), before + 1);
        let _next = Rendering::begin();
        own.notice();
        assert_eq!(changes(), before + 2, "another template left it behind");
    }
}
