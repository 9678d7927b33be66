//! What files there are in a chart's folder.

use std::{
    fs, io,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
};

use cairn_chart::{ChartLimits, Error, Ignore};
use cairn_spec::Diagnostic;
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, openat};

use super::{CODE, go_error, go_text, refused, too_much};
use crate::files::tidy;

/// How deep folders may nest. A link to a folder around it is found before.
pub(super) const MAX_FOLDER_DEPTH: usize = 64;

/// Finds the paths of the files below the chart, in their order, and numbers them.
pub(super) fn list(
    top: &Path,
    ignore: Ignore,
    limits: &ChartLimits,
    found: &mut dyn FnMut(usize, String),
) -> Result<(), Error> {
    let mut lister = Lister {
        ignore,
        found,
        count: 0,
        around: Vec::new(),
        limits,
    };
    let entry = Entry {
        folder: CWD,
        name: top,
        path: top,
        below: "",
    };
    let real = fs::canonicalize(top).map_err(|error| go_error("lstat", top, &error))?;
    lister.folder(entry, &real)
}

/// An entry of a folder: opened by its name in that folder, which spares the system the way there.
#[derive(Clone, Copy)]
struct Entry<'a> {
    folder: BorrowedFd<'a>,
    name: &'a Path,
    /// Its path as it is written.
    path: &'a Path,
    /// Its path below the chart.
    below: &'a str,
}

struct Lister<'l> {
    ignore: Ignore,
    found: &'l mut dyn FnMut(usize, String),
    count: usize,
    /// The folders that are being read, without links.
    around: Vec<PathBuf>,
    limits: &'l ChartLimits,
}

impl Lister<'_> {
    /// `real` is the folder's path without links.
    fn folder(&mut self, entry: Entry<'_>, real: &Path) -> Result<(), Error> {
        let Entry { path, below, .. } = entry;
        if self.around.iter().any(|folder| folder == real) {
            return Err(refused(
                format!("`{}` is a link to a folder around it", path.display()),
                "remove the link",
            ));
        }
        if self.around.len() == MAX_FOLDER_DEPTH {
            return Err(refused(
                format!(
                    "`{}` lies more than {MAX_FOLDER_DEPTH} folders deep",
                    path.display()
                ),
                "remove what does not belong in the chart",
            ));
        }
        self.around.push(real.to_owned());
        let failed = |error: io::Error| go_error("open", path, &error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(entry.folder, entry.name, flags, Mode::empty());
        let mut folder = Dir::new(opened.map_err(|error| failed(error.into()))?)
            .map_err(|error| failed(error.into()))?;
        let entries = entries(&mut folder, path)?;
        let folder = folder.fd().map_err(|error| failed(error.into()))?;
        for (name, kind) in entries {
            let below = if below.is_empty() {
                name.clone()
            } else {
                format!("{below}/{name}")
            };
            let entry = Entry {
                folder,
                name: Path::new(&name),
                path: &path.join(&name),
                below: &below,
            };
            self.entry(entry, kind)?;
        }
        self.around.pop();
        Ok(())
    }

    /// `kind` is what the folder says that the entry is.
    fn entry(&mut self, entry: Entry<'_>, kind: FileType) -> Result<(), Error> {
        let Entry { path, below, .. } = entry;
        let link = if kind.is_symlink() {
            Some(follow(path)?)
        } else {
            None
        };
        let kind = link
            .as_ref()
            .map_or(kind, |(_, metadata)| kind_of(metadata));
        if self.ignore.is_ignored(below, kind.is_dir()) {
            return Ok(());
        }
        if kind.is_dir() {
            // What is no link lies where its folder does: nobody need ask for each part of the path.
            let real = match (link, self.around.last()) {
                (Some((real, _)), _) => real,
                (None, Some(around)) => around.join(entry.name),
                (None, None) => path.to_owned(),
            };
            return self.folder(entry, &real);
        }
        if !kind.is_file() {
            let path = path.display();
            let diagnostic = Diagnostic::error(CODE, format!("`{path}` is no regular file"))
                .hint("remove it, or name it in `.helmignore`");
            let message =
                format!("cannot load irregular file {path} as it has file mode type bits set");
            return Err(Error::new(message, diagnostic));
        }
        if self.count == self.limits.files {
            return Err(too_much(self.limits));
        }
        (self.found)(self.count, below.to_owned());
        self.count += 1;
        Ok(())
    }
}

fn kind_of(metadata: &fs::Metadata) -> FileType {
    let kind = metadata.file_type();
    if kind.is_dir() {
        FileType::Directory
    } else if kind.is_file() {
        FileType::RegularFile
    } else if kind.is_symlink() {
        FileType::Symlink
    } else {
        FileType::Unknown
    }
}

/// The names in a folder, sorted by their bytes, and what they are.
fn entries(folder: &mut Dir, path: &Path) -> Result<Vec<(String, FileType)>, Error> {
    let mut entries = Vec::new();
    while let Some(entry) = folder.read() {
        let entry = entry.map_err(|error| go_error("open", path, &error.into()))?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(name) = name.to_str() else {
            let shown = path.join(&*name.to_string_lossy());
            return Err(refused(
                format!("`{}` has a name that is not UTF-8", shown.display()),
                "rename the file",
            ));
        };
        let kind = match entry.file_type() {
            // Some file systems do not tell.
            FileType::Unknown => {
                let metadata = fs::symlink_metadata(path.join(name));
                kind_of(&metadata.map_err(|error| go_error("lstat", &path.join(name), &error))?)
            }
            kind => kind,
        };
        entries.push((name.to_owned(), kind));
    }
    entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    Ok(entries)
}

/// Where a link leads, and what is there.
fn follow(path: &Path) -> Result<(PathBuf, fs::Metadata), Error> {
    let resolved = fs::canonicalize(path).map_err(|error| {
        let folder = path.parent().unwrap_or(path);
        let target = fs::read_link(path).unwrap_or_default();
        let message = format!(
            "error evaluating symlink {}: {}",
            path.display(),
            go_text("lstat", first_missing(&tidy(&folder.join(target))), &error)
        );
        let diagnostic =
            Diagnostic::error(CODE, format!("the link `{}` leads nowhere", path.display()))
                .hint("remove the link, or correct where it leads");
        Error::new(message, diagnostic)
    })?;
    let metadata =
        fs::symlink_metadata(&resolved).map_err(|error| go_error("lstat", &resolved, &error))?;
    Ok((resolved, metadata))
}

/// The first part of a path that is not there, at which Go stops.
fn first_missing(path: &Path) -> &Path {
    let missing = path
        .ancestors()
        .take_while(|part| fs::symlink_metadata(part).is_err());
    missing.last().unwrap_or(path)
}
