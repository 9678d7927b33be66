//! Going through all records of a kind, a page at a time.

use crate::{
    Result,
    service::Registry,
    storage::{Key, Prefix},
};

/// Keys listed at a time.
const PAGE_NAMES: usize = 1000;

/// Calls `visit` with each key below a prefix in order, or with the text of one that is malformed.
pub(super) async fn for_each_key(
    registry: &Registry,
    prefix: &Prefix,
    mut visit: impl AsyncFnMut(Result<Key, String>) -> Result<()>,
) -> Result<()> {
    let mut last: Option<String> = None;
    loop {
        let names = registry.metadata.list(prefix, last.as_deref(), PAGE_NAMES);
        let names = names.await?;
        for name in &names {
            let text = format!("{prefix}{name}");
            visit(text.parse().map_err(|()| text)).await?;
        }
        match names.into_iter().next_back() {
            Some(name) => last = Some(name),
            None => return Ok(()),
        }
    }
}
