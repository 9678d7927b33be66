//! The repositories that somebody may read, page by page.
//!
//! Looking for them costs in proportion to what is shown, or is cut off: names are looked up only
//! where the access policy allows any at all, and of those that it denies one by one, a request
//! passes so many and no more. Its page is short then, but says where to go on, in a way that tells
//! nothing of what stands there.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{Page, Registry};
use crate::{Result, auth::Readable, storage::Prefix};

/// Names that are read at a time, at least, when some of them may not be shown.
const SCANNED_NAMES: usize = 256;
/// Follows every character of a repository's name, and begins what is sealed.
const BEYOND: char = '~';

impl Registry {
    /// The repositories that follow `last` and may be read. The end of a page tells nothing of
    /// what may not be read; a page that is not the last may be short.
    pub(crate) async fn repositories(
        &self,
        entries: Option<usize>,
        last: Option<&str>,
        readable: &Readable,
    ) -> Result<Page> {
        let entries = self.page_entries(entries);
        let mut page = Page::default();
        if entries == 0 {
            return Ok(page);
        }
        let mut position = match last {
            Some(last) if last.starts_with(BEYOND) => self.unsealed(last).await?,
            last => last.map(str::to_owned),
        };
        let mut budget = self.limits.page_entries.max(SCANNED_NAMES) + 1;
        for beginning in readable.beginnings() {
            let end = format!("{beginning}{BEYOND}");
            position = position.max(before(&beginning));
            while position.as_ref().is_none_or(|position| *position < end) {
                if budget == 0 {
                    let position = position.unwrap_or_default();
                    page.next = Some(self.sealed(&position).await?);
                    return Ok(page);
                }
                let wanted = (entries + 1 - page.names.len()).max(SCANNED_NAMES);
                let wanted = wanted.min(budget);
                let after = position.as_deref();
                let names = self.metadata.list(&Prefix::Repositories, after, wanted);
                let names = names.await?;
                budget = budget.saturating_sub(names.len().max(SCANNED_NAMES));
                let is_end = names.len() < wanted;
                // What was read of the next beginning's names comes there.
                position = names.last().map(|last| last.min(&end).clone());
                let is_readable = |name: &String| {
                    name.starts_with(&beginning)
                        && name.parse().is_ok_and(|name| readable.includes(&name))
                };
                page.names.extend(names.into_iter().filter(is_readable));
                if page.names.len() > entries {
                    page.names.truncate(entries);
                    page.next = page.names.last().cloned();
                    return Ok(page);
                }
                if is_end {
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }

    /// A position that only this registry, or a replica, can read.
    async fn sealed(&self, position: &str) -> Result<String> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut bytes = position.as_bytes().to_vec();
        let key = self.position_key().await?;
        // Positions are names, which are no longer than a key may seal.
        let _ = key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut bytes,
        );
        let sealed = [&nonce[..], &bytes].concat();
        Ok(format!("{BEYOND}{}", URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// What was sealed; what was not sealed here is a position behind all names.
    async fn unsealed(&self, text: &str) -> Result<Option<String>> {
        let key = self.position_key().await?;
        let open = || {
            let sealed = URL_SAFE_NO_PAD.decode(text.strip_prefix(BEYOND)?).ok()?;
            let (nonce, bytes) = sealed.split_at_checked(NONCE_LEN)?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut bytes = bytes.to_vec();
            let opened = key.open_in_place(nonce, Aad::empty(), &mut bytes).ok()?;
            String::from_utf8(opened.to_vec()).ok()
        };
        Ok(Some(open().unwrap_or_else(|| text.to_owned())))
    }

    async fn position_key(&self) -> Result<LessSafeKey> {
        let key = self.derived_key("catalog positions").await?;
        let key = UnboundKey::new(&AES_256_GCM, &key).expect("the key has the cipher's length");
        Ok(LessSafeKey::new(key))
    }
}

/// A position right before the first name that begins so; `None` before all names.
fn before(beginning: &str) -> Option<String> {
    let (last, rest) = beginning.as_bytes().split_last()?;
    let mut position = rest.to_vec();
    position.push(last.saturating_sub(1));
    let mut position = String::from_utf8(position).ok()?;
    position.push(BEYOND);
    Some(position)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::{FutureExt as _, future::BoxFuture};

    use super::*;
    use crate::{
        Config,
        auth::Policy,
        storage::{Batch, Entry, Key, MemoryMetadata, MemoryPayloads, Metadata, Version, Write},
    };

    /// Counts the names that are read.
    #[derive(Debug, Default)]
    struct Counting {
        inner: MemoryMetadata,
        names: AtomicUsize,
    }

    impl Metadata for Counting {
        fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
            self.inner.get(key)
        }

        fn write(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>> {
            self.inner.write(batch)
        }

        fn list(
            &self,
            prefix: &Prefix,
            start_after: Option<&str>,
            limit: usize,
        ) -> BoxFuture<'_, Result<Vec<String>>> {
            let listed = self.inner.list(prefix, start_after, limit);
            async move {
                let names = listed.await?;
                self.names.fetch_add(names.len(), Ordering::SeqCst);
                Ok(names)
            }
            .boxed()
        }
    }

    /// Ten thousand repositories; a request looks at no more than a thousand.
    async fn registry() -> (Arc<Counting>, Registry) {
        let metadata = Arc::new(Counting::default());
        let names = (0..9_997).map(|number| format!("team-{}/app-{number:04}", number % 100));
        let shown = ["open/a", "team-50/app-shown", "zoo/z"].map(str::to_owned);
        for name in names.chain(shown) {
            let key = Key::Repository(name.parse().unwrap());
            let write = Write::put_new(key, "{}\n".into());
            metadata.write(Batch::durable([write])).await.unwrap();
        }
        let mut config = Config::default();
        config.limits.page_entries = 1000;
        let store = Arc::clone(&metadata) as Arc<dyn Metadata>;
        let payloads = Arc::new(MemoryPayloads::default());
        (metadata, Registry::new(payloads, store, &config).unwrap())
    }

    fn readable(globs: &str) -> Readable {
        let policy = format!(
            "apiVersion: cairn.dev/v1\nkind: AccessPolicy\nrules:\n- repositories: {globs}\n  users: [ada]\n  actions: [pull]\n- repositories: [\"**\"]\n  users: [bob]\n  actions: [pull]\n"
        );
        Readable::of(Policy::parse("policy", &policy).unwrap(), "ada")
    }

    /// Every page from the first to the last, and the most names that were read for one.
    async fn pages(globs: &str, entries: usize) -> (Vec<Vec<String>>, usize) {
        let (metadata, registry) = registry().await;
        let readable = readable(globs);
        let (mut pages, mut most) = (Vec::new(), 0);
        let mut last: Option<String> = None;
        loop {
            metadata.names.store(0, Ordering::SeqCst);
            let page = registry.repositories(Some(entries), last.as_deref(), &readable);
            let page = page.await.unwrap();
            most = most.max(metadata.names.load(Ordering::SeqCst));
            pages.push(page.names);
            match page.next {
                Some(next) => {
                    // Names of others are not in it.
                    assert!(!next.contains("app-0"), "{next}");
                    last = Some(next);
                }
                None => return (pages, most),
            }
            assert!(pages.len() < 100, "it goes on for ever");
        }
    }

    const SHOWN: [&str; 3] = ["open/a", "team-50/app-shown", "zoo/z"];

    #[tokio::test]
    async fn names_are_looked_up_where_the_policy_allows_any() {
        let (found, most) = pages("[zoo/*, open/**, team-50/app-shown]", 100).await;
        assert_eq!(found, [SHOWN]);
        assert!(most <= 3 * SCANNED_NAMES, "{most}");
        let (found, _) = pages("[zoo/*, open/**, team-50/app-shown]", 2).await;
        assert_eq!(found, [&SHOWN[..2], &SHOWN[2..]]);
        let (found, _) = pages("[nothing/**]", 2).await;
        assert_eq!(found, [[""; 0]]);
    }

    #[tokio::test]
    async fn a_request_that_finds_little_ends_and_the_next_goes_on() {
        let (found, most) = pages("[\"*/app-shown\", \"*/a\", \"*/z\"]", 100).await;
        assert_eq!(found.concat(), SHOWN);
        assert!(most <= 1000 + SCANNED_NAMES, "{most}");
        assert!((8..30).contains(&found.len()), "{}", found.len());
    }

    #[tokio::test]
    async fn whoever_may_read_everything_gets_full_pages() {
        let (found, most) = pages("[\"**\"]", 1000).await;
        assert_eq!(found.len(), 10);
        assert!(found.iter().all(|page| page.len() == 1000));
        assert!(most <= 1001, "{most}");
    }

    #[tokio::test]
    async fn positions_are_sealed_for_this_registry() {
        let (_, registry) = registry().await;
        let sealed = registry.sealed("secret/name").await.unwrap();
        assert!(sealed.starts_with('~') && !sealed.contains("secret"));
        let opened = registry.unsealed(&sealed).await.unwrap();
        assert_eq!(opened.as_deref(), Some("secret/name"));
        for forged in ["~", "~AAAA", &sealed[..sealed.len() - 2]] {
            let everything = Readable::everything();
            let page = registry.repositories(None, Some(forged), &everything);
            assert_eq!(page.await.unwrap(), Page::default(), "{forged}");
        }
    }

    #[test]
    fn a_beginning_is_preceded_by_nothing_that_begins_so() {
        let position = before("apps/").unwrap();
        assert!(*"apps" < *position && *position < *"apps/" && *"apps.~" <= *position);
        assert_eq!(before(""), None);
    }
}
