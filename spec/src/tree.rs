//! A tree of files in memory: what a pack or a bundle is before and after its archive.

use std::{
    borrow::{Borrow, Cow},
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest path, in bytes: fits USTAR's prefix and name in nearly every case.
pub(crate) const MAX_PATH_LENGTH: usize = 240;

/// Why a path cannot be in a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a safe path: {reason}")]
pub struct PathError {
    /// The path as it was given.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A relative path with `/` between its parts, safe to create below any folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Arc<str>);

impl TreePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The path below a folder, when it is in there.
    pub fn below(&self, folder: &str) -> Option<&str> {
        self.0.strip_prefix(folder)?.strip_prefix('/')
    }
}

impl FromStr for TreePath {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        let refuse = |reason| PathError {
            path: path.escape_debug().to_string(),
            reason,
        };
        if path.is_empty() {
            return Err(refuse("it is empty"));
        }
        if path.len() > MAX_PATH_LENGTH {
            return Err(refuse("it is longer than 240 bytes"));
        }
        if path.starts_with('/') {
            return Err(refuse("it is absolute"));
        }
        if path.contains('\\') || path.chars().any(char::is_control) {
            return Err(refuse("it holds a backslash or a control character"));
        }
        for part in path.split('/') {
            match part {
                "" => return Err(refuse("it has an empty part")),
                "." | ".." => return Err(refuse("it has a `.` or `..` part")),
                _ => {}
            }
        }
        if path.as_bytes().get(1) == Some(&b':') {
            return Err(refuse("it starts with a drive letter"));
        }
        Ok(Self(path.into()))
    }
}

impl Borrow<str> for TreePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for TreePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TreePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for TreePath {
    fn schema_name() -> Cow<'static, str> {
        "TreePath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "title": "path", "description": "a relative path with `/` between its parts" })
    }
}

/// A file: its bytes and whether its owner may execute it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The content.
    pub bytes: Arc<[u8]>,
    /// Mode 0755 instead of 0644.
    pub executable: bool,
}

/// Files by path, sorted bytewise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileTree {
    files: BTreeMap<TreePath, File>,
    /// The paths in lower case.
    folded: BTreeSet<String>,
}

impl FileTree {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file. Refuses a path that is there already, that differs from one only in letter
    /// case, or that would make a file a folder: such trees differ between file systems.
    pub fn insert(&mut self, path: TreePath, file: File) -> Result<(), PathError> {
        let refuse = |reason| PathError {
            path: path.to_string(),
            reason,
        };
        if self.files.contains_key(&path) {
            return Err(refuse("it is there already"));
        }
        let folded = path.as_str().to_lowercase();
        if self.folded.contains(&folded) {
            return Err(refuse("another path differs only in letter case"));
        }
        let inside = format!("{folded}/");
        let is_folder = self
            .folded
            .range(inside.clone()..)
            .next()
            .is_some_and(|next| next.starts_with(&inside));
        let below_file = folded
            .match_indices('/')
            .any(|(index, _)| self.folded.contains(&folded[..index]));
        if is_folder || below_file {
            return Err(refuse("it would be both a file and a folder"));
        }
        self.folded.insert(folded);
        self.files.insert(path, file);
        Ok(())
    }

    /// Adds a text file whose path Cairn itself made.
    ///
    /// # Panics
    /// When the path is not safe, or not new.
    pub fn put(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        let path = path.parse().expect("a path made by Cairn is safe");
        let file = File {
            bytes: bytes.into().into(),
            executable: false,
        };
        self.insert(path, file)
            .expect("a path made by Cairn is new");
    }

    /// A file.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Files by path, sorted bytewise.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &File)> {
        self.files.iter()
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The sum of all file sizes, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.files
            .values()
            .map(|file| file.bytes.len() as u64)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_paths_are_refused() {
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/./b",
            "a\\b",
            "a\nb",
            "c:/x",
            &"a/".repeat(200),
        ] {
            assert!(bad.parse::<TreePath>().is_err(), "{bad:?}");
        }
        for good in ["pack.yaml", "templates/_labels.hbs", "a b/ü.yaml"] {
            assert!(good.parse::<TreePath>().is_ok(), "{good}");
        }
    }

    #[test]
    fn trees_that_differ_between_file_systems_are_refused() {
        let mut tree = FileTree::new();
        let file = File {
            bytes: Arc::from(&b""[..]),
            executable: false,
        };
        tree.insert("a/b".parse().unwrap(), file.clone()).unwrap();
        for bad in ["a/b", "A/b", "a", "a/b/c"] {
            assert!(
                tree.insert(bad.parse().unwrap(), file.clone()).is_err(),
                "{bad}"
            );
        }
    }
}
