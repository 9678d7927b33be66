//! Reads and writes files: pack folders, profiles and what they name, bundles.

use std::{
    fs,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use cairn_chart::Ignore;
use cairn_compiler::{InputError, NamedText, ProfileFiles};
use cairn_spec::{ArchiveLimits, File, FileTree, TreePath, human_bytes};
use globset::{Glob, GlobBuilder};

use crate::{
    chart_folder::IGNORE_FILE,
    chart_source::{Charts, Choice},
    exit::{ExitCode, Failure},
};

/// The largest profile, cluster, lock or values file, in bytes.
const MAX_TEXT_BYTES: u64 = 8 << 20;
/// The most files that a glob of a profile may match.
const MAX_GLOB_MATCHES: usize = 10_000;

/// The code of a file or folder that is not there.
pub(crate) const FILE_MISSING: &str = "file-missing";

/// Reads a folder into a tree. Names starting with `.` are ignored, and what charts in `charts/`
/// leave out by their `.helmignore`; links and devices are refused.
pub(crate) fn read_tree(folder: &Path, limits: &ArchiveLimits) -> Result<FileTree, InputError> {
    read_tree_of(folder, limits, |_| true)
}

/// As [`read_tree`], but only of the files whose path below the folder is wanted.
pub(crate) fn read_tree_of(
    folder: &Path,
    limits: &ArchiveLimits,
    is_wanted: fn(&str) -> bool,
) -> Result<FileTree, InputError> {
    if !folder.exists() {
        let message = format!("there is no folder `{}`", folder.display());
        return Err(InputError::new(FILE_MISSING, message).hint("check the path"));
    }
    if !folder.is_dir() {
        let message = format!("`{}` is not a folder", folder.display());
        return Err(InputError::new("file", message).hint("name the folder that the file is in"));
    }
    let mut reader = TreeReader {
        root: folder,
        limits,
        is_wanted,
        tree: FileTree::new(),
        bytes: 0,
        chart: None,
    };
    reader.folder(folder, "")?;
    Ok(reader.tree)
}

struct TreeReader<'a> {
    root: &'a Path,
    limits: &'a ArchiveLimits,
    is_wanted: fn(&str) -> bool,
    tree: FileTree,
    bytes: u64,
    /// What the chart leaves out that is being read.
    chart: Option<Ignore>,
}

/// Where charts lie in a pack.
const CHARTS: &str = "charts/";

impl TreeReader<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), InputError> {
        let failed = |error: io::Error| unreadable(folder, &error);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let message = format!("`{}` has a name that is not UTF-8", path.display());
                return Err(InputError::new("file", message).hint("rename the file"));
            };
            if name.starts_with('.') {
                continue;
            }
            let below = if prefix.is_empty() {
                name.to_owned()
            } else {
                format!("{prefix}/{name}")
            };
            let kind = entry
                .file_type()
                .map_err(|error| unreadable(&path, &error))?;
            if self.is_ignored(&below, kind.is_dir()) {
                // It is no part of the chart, whatever it is.
            } else if kind.is_dir() {
                self.enter_chart(&path, &below)?;
                self.folder(&path, &below)?;
            } else if !(self.is_wanted)(&below) {
                // Whatever it is, it is not looked at.
            } else if kind.is_file() {
                self.file(&path, &below)?;
            } else {
                let message = format!("`{}` is a link or a device", path.display());
                return Err(InputError::new("file", message).hint("copy the file itself"));
            }
        }
        Ok(())
    }

    /// A folder right below `charts/` is a chart, and leaves out what its `.helmignore` names.
    fn enter_chart(&mut self, path: &Path, below: &str) -> Result<(), InputError> {
        let name = below.strip_prefix(CHARTS);
        if name.is_none_or(|name| name.contains('/')) {
            return Ok(());
        }
        self.chart = None;
        let path = path.join(IGNORE_FILE);
        if path.is_file() {
            let text = read_bytes(&path, MAX_TEXT_BYTES)?;
            let ignore = Ignore::parse(&text).map_err(|error| {
                let diagnostic = error.into_diagnostic();
                let message = format!("`{}`: {}", path.display(), diagnostic.message);
                let made = InputError::new(diagnostic.code, message);
                made.hint(diagnostic.hint.unwrap_or_default())
            })?;
            self.chart = Some(ignore);
        }
        Ok(())
    }

    fn is_ignored(&self, below: &str, is_folder: bool) -> bool {
        let in_chart = below
            .strip_prefix(CHARTS)
            .and_then(|path| path.split_once('/'));
        match (&self.chart, in_chart) {
            (Some(ignore), Some((_, path))) => ignore.is_ignored(path, is_folder),
            _ => false,
        }
    }

    fn file(&mut self, path: &Path, below: &str) -> Result<(), InputError> {
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        self.bytes += metadata.len();
        if metadata.len() > self.limits.file_bytes {
            let limit = human_bytes(self.limits.file_bytes);
            return Err(too_much(
                format!("`{}` is larger than {limit}", path.display()),
                "remove the file, or make it smaller",
            ));
        }
        if self.bytes > self.limits.unpacked_bytes {
            let limit = human_bytes(self.limits.unpacked_bytes);
            return Err(too_much(
                format!(
                    "the files of `{}` are larger than {limit} together",
                    self.root.display()
                ),
                "remove what does not belong there",
            ));
        }
        if self.tree.len() >= self.limits.files {
            return Err(too_much(
                format!(
                    "`{}` holds more than {} files",
                    self.root.display(),
                    self.limits.files
                ),
                "remove what does not belong there",
            ));
        }
        let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
        let file = File {
            bytes: bytes.into(),
            executable: is_executable(&metadata),
        };
        let added = below
            .parse()
            .and_then(|tree_path: TreePath| self.tree.insert(tree_path, file));
        added.map_err(|error| {
            InputError::new("file", error.to_string()).hint("rename the file or its folder")
        })
    }
}

fn too_much(message: String, hint: &str) -> InputError {
    InputError::new("file", message).hint(hint)
}

fn unreadable(path: &Path, error: &io::Error) -> InputError {
    let code = if error.kind() == io::ErrorKind::NotFound {
        FILE_MISSING
    } else {
        "file"
    };
    let message = format!("failed to read `{}`: {}", path.display(), describe(error));
    InputError::new(code, message).hint(match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "make it readable for you",
        _ => "check the path and the disk",
    })
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

/// Replaces a folder by a tree, all or nothing: the tree is written beside it and moved into place.
/// A folder that is there is replaced only when it holds `marker`, so that no other folder is lost;
/// one that holds this very tree is left as it is.
pub(crate) fn replace_folder(folder: &Path, tree: &FileTree, marker: &str) -> Result<(), Failure> {
    // A link counts as what it is, not as what it leads to.
    let occupied = folder.symlink_metadata().is_ok();
    if occupied && !folder.join(marker).is_file() {
        let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if !is_empty {
            let message = format!(
                "`{}` is there and is not an earlier output: it has no `{marker}`",
                folder.display()
            );
            return Err(
                Failure::new(ExitCode::Conflict, anyhow::Error::msg(message))
                    .hint("choose another folder with --output, or remove it"),
            );
        }
    }
    if occupied && read_tree(folder, &ArchiveLimits::BUNDLE).is_ok_and(|there| there == *tree) {
        return Ok(());
    }
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(parent)
        .with_context(|| format!("failed to create folder `{}`", parent.display()))?;
    let staging = tempfile::Builder::new()
        .prefix(".cairn-")
        .tempdir_in(parent)
        .with_context(|| format!("failed to write to `{}`", parent.display()))?;
    let new = staging.path().join("new");
    write_tree(&new, tree)?;
    if occupied {
        let old = staging.path().join("old");
        fs::rename(folder, &old)
            .with_context(|| format!("failed to replace `{}`", folder.display()))?;
    }
    fs::rename(&new, folder).with_context(|| format!("failed to write `{}`", folder.display()))?;
    Ok(())
}

fn write_tree(folder: &Path, tree: &FileTree) -> Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("failed to create folder `{}`", folder.display()))?;
    for (path, file) in tree.iter() {
        let target = folder.join(path.as_str());
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("failed to create folder `{}`", parent.display()))?;
        }
        fs::write(&target, &file.bytes)
            .with_context(|| format!("failed to write `{}`", target.display()))?;
        if file.executable {
            make_executable(&target)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("failed to make `{}` executable", path.display()))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}

/// Writes a file, all or nothing.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        fs::create_dir_all(parent)?;
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        io::Write::write_all(&mut file, bytes)?;
        open_to_all(file.as_file())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("failed to write `{}`", path.display()))
}

/// Temporary files are private; what replaces a file of the user is not.
#[cfg(unix)]
fn open_to_all(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn open_to_all(_: &fs::File) -> io::Result<()> {
    Ok(())
}

/// Writes a file that only its owner may read; one that is there is never replaced.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(parent)
            .with_context(|| format!("failed to create folder `{}`", parent.display()))?;
    }
    let mut file = options
        .open(path)
        .with_context(|| format!("failed to create `{}`", path.display()))?;
    io::Write::write_all(&mut file, text.as_bytes())
        .with_context(|| format!("failed to write `{}`", path.display()))
}

/// Writes a file that only its owner may read, in one step; one that was there keeps its mode, for
/// a server may run as another user.
pub(crate) fn replace_secret(path: &Path, text: &str) -> Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        fs::create_dir_all(parent)?;
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        if let Ok(present) = fs::metadata(path) {
            file.as_file().set_permissions(present.permissions())?;
        }
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("failed to write `{}`", path.display()))
}

/// The text of a file; empty if there is none.
pub(crate) fn read_text_or_empty(path: &Path) -> Result<String, InputError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        _ => read_text(path),
    }
}

/// The files beside a profile, on disk; local packs with the charts that they want.
pub(crate) struct DiskFiles<'a> {
    pub(crate) charts: &'a Charts,
    pub(crate) choice: Choice,
}

impl DiskFiles<'_> {
    /// A path beside a file; with an empty `beside`, the path as it is.
    fn beside(beside: &str, path: &str) -> PathBuf {
        let folder = Path::new(beside).parent().unwrap_or(Path::new(""));
        tidy(&folder.join(path))
    }
}

/// Removes `.` and resolves `..` where that needs no look at the disk.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(tidy.components().next_back(), Some(Component::Normal(_))) =>
            {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    if tidy.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        tidy
    }
}

/// A file within a limit.
pub(crate) fn read_bytes(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, InputError> {
    let failed = |error: io::Error| unreadable(path, &error);
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    io::Read::take(file, limit_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit_bytes {
        let limit = human_bytes(limit_bytes);
        return Err(too_much(
            format!("`{}` is larger than {limit}", path.display()),
            "name another file",
        ));
    }
    Ok(bytes)
}

/// A text file within its limit. Pipes are fine; they and devices do not say how much will come.
pub(crate) fn read_text(path: &Path) -> Result<String, InputError> {
    let refuse = |reason: &str, hint: &str| {
        let message = format!("failed to read `{}`: {reason}", path.display());
        InputError::new("file", message).hint(hint)
    };
    let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(refuse("it is a folder", "name a file in it"));
    }
    let mut bytes = Vec::new();
    io::Read::take(file, MAX_TEXT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        let reason = format!("it is larger than {}", human_bytes(MAX_TEXT_BYTES));
        return Err(refuse(&reason, "split it into several files"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let reason = format!(
            "it is not UTF-8 text (byte {})",
            error.utf8_error().valid_up_to() + 1
        );
        refuse(&reason, "save the file as UTF-8")
    })
}

pub(crate) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

impl ProfileFiles for DiskFiles<'_> {
    fn read(&self, beside: &str, path: &str) -> Result<NamedText, InputError> {
        let path = Self::beside(beside, path);
        let text: Arc<str> = read_text(&path)?.into();
        Ok(NamedText {
            name: path.display().to_string(),
            text,
        })
    }

    fn glob(&self, beside: &str, pattern: &str) -> Result<Vec<NamedText>, InputError> {
        let path = Self::beside(beside, pattern);
        let text = path.display().to_string();
        let glob: Glob = GlobBuilder::new(&text)
            .literal_separator(true)
            .build()
            .map_err(|error| {
                InputError::new(
                    "glob",
                    format!("`{pattern}` is not a glob: {}", error.kind()),
                )
                .hint("write a `[` that is meant as itself `[[]`")
            })?;
        let fixed: PathBuf = path
            .components()
            .take_while(|part| {
                !part
                    .as_os_str()
                    .to_string_lossy()
                    .contains(['*', '?', '[', '{'])
            })
            .collect();
        let start = if fixed.is_dir() {
            fixed
        } else {
            fixed.parent().map(Path::to_path_buf).unwrap_or_default()
        };
        let start = if start.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            start
        };
        let mut found = Vec::new();
        collect(&start, &glob.compile_matcher(), &mut found).map_err(|error| {
            InputError::new(
                "glob",
                format!("failed to look for `{text}`: {}", describe(&error)),
            )
        })?;
        found.sort();
        if found.len() > MAX_GLOB_MATCHES {
            return Err(InputError::new(
                "glob",
                format!("`{pattern}` matches more than {MAX_GLOB_MATCHES} files"),
            ));
        }
        found
            .iter()
            .map(|path| {
                Ok(NamedText {
                    name: path.display().to_string(),
                    text: read_text(path)?.into(),
                })
            })
            .collect()
    }

    fn read_pack(&self, beside: &str, path: &str) -> Result<FileTree, InputError> {
        let path = Self::beside(beside, path);
        let tree = read_tree(&path, &ArchiveLimits::PACK)?;
        self.charts.complete(tree, self.choice)
    }
}

fn collect(
    folder: &Path,
    matcher: &globset::GlobMatcher,
    found: &mut Vec<PathBuf>,
) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = tidy(&entry.path());
        if entry.file_type()?.is_dir() {
            collect(&path, matcher, found)?;
        } else if matcher.is_match(&path) {
            found.push(path);
        }
    }
    Ok(())
}
