//! Going through all records of a kind, a page at a time.

use crate::{
    Result,
    service::Registry,
    storage::{Key, Prefix},
};

/// Keys listed at a time.
const PAGE_NAMES: usize = 1000;

/// The names below a prefix, in order.
#[derive(Debug)]
pub(crate) struct NamePages {
    prefix: Prefix,
    last: Option<String>,
}

impl NamePages {
    pub(crate) fn of(prefix: Prefix) -> Self {
        Self { prefix, last: None }
    }

    /// Those that follow a text.
    pub(crate) fn after(prefix: Prefix, last: Option<String>) -> Self {
        Self { prefix, last }
    }

    /// The next names, without the prefix; `None` at the end.
    pub(crate) async fn next(&mut self, registry: &Registry) -> Result<Option<Vec<String>>> {
        let names = registry
            .metadata
            .list(&self.prefix, self.last.as_deref(), PAGE_NAMES)
            .await?;
        self.last = names.last().cloned();
        Ok(self.last.is_some().then_some(names))
    }
}

/// Calls `visit` with each key below a prefix in order, or with the text of one that is malformed.
pub(super) async fn for_each_key(
    registry: &Registry,
    prefix: &Prefix,
    mut visit: impl AsyncFnMut(Result<Key, String>) -> Result<()>,
) -> Result<()> {
    let mut pages = NamePages::of(prefix.clone());
    while let Some(names) = pages.next(registry).await? {
        for name in &names {
            let text = format!("{prefix}{name}");
            visit(text.parse().map_err(|()| text)).await?;
        }
    }
    Ok(())
}
