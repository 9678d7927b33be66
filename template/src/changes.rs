//! Notices when a template changes a value that was there before it, for such a change is seen by
//! all templates that follow. Each thread notices its own, for values do not leave theirs.

use std::cell::Cell;

thread_local! {
    static IS_RENDERING: Cell<bool> = const { Cell::new(false) };
    static CHANGES: Cell<u64> = const { Cell::new(0) };
}

/// How many changes this thread has noticed.
pub(crate) fn changes() -> u64 {
    CHANGES.get()
}

/// While it lives, a template is rendered: what is made is the template's own.
#[derive(Debug)]
pub(crate) struct Rendering {
    outer: bool,
}

impl Rendering {
    pub(crate) fn begin() -> Self {
        Self {
            outer: IS_RENDERING.replace(true),
        }
    }
}

impl Drop for Rendering {
    fn drop(&mut self) {
        IS_RENDERING.set(self.outer);
    }
}

/// Whose a value is: a template's, or everybody's.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Owner {
    is_template: bool,
}

impl Owner {
    /// Whose a value is that is made now.
    pub(crate) fn now() -> Self {
        Self {
            is_template: IS_RENDERING.get(),
        }
    }

    /// The value is changed.
    pub(crate) fn notice(self) {
        if !self.is_template && IS_RENDERING.get() {
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
        Owner::now().notice();
        assert_eq!(changes(), before, "it is the template's own");
        everybodys.notice();
        assert_eq!(changes(), before + 1);
        drop(rendering);
        everybodys.notice();
        assert_eq!(changes(), before + 1);
    }
}
