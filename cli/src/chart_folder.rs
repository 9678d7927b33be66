//! Reads a chart's folder, as Helm does: in the order of names, links followed, without what
//! `.helmignore` leaves out.

use std::{
    fs, io,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
};

use cairn_chart::{ChartFile, ChartLimits, Error, Ignore};
use cairn_spec::Diagnostic;
use rustix::{
    fs::{CWD, Dir, FileType, Mode, OFlags, openat},
    io::{read, retry_on_intr},
};

use crate::files::tidy;

pub(crate) const IGNORE_FILE: &str = ".helmignore";
const METADATA_FILE: &str = "Chart.yaml";
/// How deep folders may nest. A link to a folder around it is found before.
const MAX_FOLDER_DEPTH: usize = 64;
/// What is read of a file at a time, in bytes: more than nearly all files of charts hold.
const READ_BYTES: usize = 64 << 10;
/// The code of findings about a folder or a file in it.
const CODE: &str = "chart-files";

/// Reads the files of the chart in `folder`.
///
/// Links are followed wherever they lead, as Helm does; one that leads back to a folder around it
/// is refused, where Helm runs on until a path is too long.
pub(crate) fn read_chart_folder(
    folder: &Path,
    limits: &ChartLimits,
) -> Result<Vec<ChartFile>, Error> {
    let absolute =
        std::path::absolute(folder).map_err(|error| go_error("getwd", folder, &error))?;
    let top = tidy(&absolute);
    let metadata = top.join(METADATA_FILE);
    fs::File::open(&metadata).map_err(|error| {
        let message = format!(
            "unable to detect chart at {}: {}",
            metadata.display(),
            go_text("open", &metadata, &error)
        );
        let diagnostic = Diagnostic::error(CODE, format!("`{}` is no chart", folder.display()))
            .hint("name the folder that `Chart.yaml` is in");
        Error::new(message, diagnostic)
    })?;
    let mut reader = FolderReader {
        ignore: ignore_rules(&top)?,
        files: Vec::new(),
        bytes: 0,
        around: Vec::new(),
        buffer: vec![0; READ_BYTES],
        limits,
    };
    let real = fs::canonicalize(&top).map_err(|error| go_error("lstat", &top, &error))?;
    let entry = Entry {
        folder: CWD,
        name: &top,
        path: &top,
        below: "",
    };
    reader.folder(entry, &real)?;
    Ok(reader.files)
}

fn ignore_rules(top: &Path) -> Result<Ignore, Error> {
    let path = top.join(IGNORE_FILE);
    match fs::read(&path) {
        Ok(text) => Ignore::parse(&text),
        Err(_) if !path.exists() => Ok(Ignore::default()),
        Err(error) => Err(go_error("open", &path, &error)),
    }
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

struct FolderReader<'l> {
    ignore: Ignore,
    files: Vec<ChartFile>,
    bytes: u64,
    /// The folders that are being read, without links.
    around: Vec<PathBuf>,
    buffer: Vec<u8>,
    limits: &'l ChartLimits,
}

impl FolderReader<'_> {
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
        let real = link.map(|(real, _)| real);
        if kind.is_dir() {
            // What is no link lies where its folder does: nobody need ask for each part of the path.
            let real = match (real, self.around.last()) {
                (Some(real), _) => real,
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
        let real = real.as_deref().unwrap_or(path);
        self.file(entry, real)
    }

    fn file(&mut self, entry: Entry<'_>, real: &Path) -> Result<(), Error> {
        let Entry { path, below, .. } = entry;
        let unreadable = |error: io::Error| {
            if let Err(error) = fs::symlink_metadata(path) {
                return go_error("lstat", path, &error);
            }
            let message = format!("error reading {below}: {}", go_text("open", path, &error));
            let diagnostic =
                Diagnostic::error(CODE, format!("`{}` cannot be read", path.display()));
            Error::new(message, diagnostic.hint("make it readable for you"))
        };
        let limit = self.limits.file_bytes;
        let bytes = self.content(entry, limit).map_err(unreadable)?;
        if bytes.len() as u64 > limit {
            let name = real.file_name().unwrap_or_default().to_string_lossy();
            let message =
                format!("chart file {name:?} is larger than the maximum file size {limit}");
            let shown = format!("`{}` is larger than {} MiB", path.display(), limit >> 20);
            let diagnostic = Diagnostic::error("chart-limit", shown)
                .hint("remove it, or name it in `.helmignore`");
            return Err(Error::new(message, diagnostic));
        }
        self.bytes += bytes.len() as u64;
        if self.bytes > self.limits.bytes || self.files.len() == self.limits.files {
            return Err(refused(
                format!(
                    "the chart's folder holds more than {} files or {} MiB",
                    self.limits.files,
                    self.limits.bytes >> 20
                ),
                "remove what does not belong in the chart, or name it in `.helmignore`",
            ));
        }
        self.files.push(ChartFile::new(below, bytes));
        Ok(())
    }

    /// What a file holds, up to a byte more than the limit.
    fn content(&mut self, entry: Entry<'_>, limit: u64) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(entry.folder, entry.name, flags, Mode::empty())?;
        let most = usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let mut bytes = Vec::new();
        loop {
            let wanted = self.buffer.len().min(most - bytes.len());
            let count = retry_on_intr(|| read(&file, &mut self.buffer[..wanted]))?;
            bytes.extend_from_slice(&self.buffer[..count]);
            if count == 0 {
                return Ok(bytes);
            }
        }
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

fn refused(message: String, hint: &str) -> Error {
    Error::new(message.clone(), Diagnostic::error(CODE, message).hint(hint))
}

/// An error of the operating system as Go words it.
pub(crate) fn go_text(operation: &str, path: &Path, error: &io::Error) -> String {
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or(&reason);
    format!("{operation} {}: {}", path.display(), reason.to_lowercase())
}

fn go_error(operation: &str, path: &Path, error: &io::Error) -> Error {
    let diagnostic = Diagnostic::error(CODE, format!("`{}` cannot be read", path.display()))
        .hint("check the path, and make it readable for you");
    Error::new(go_text(operation, path, error), diagnostic)
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = "{apiVersion: v2, name: web, version: 1.2.3}";

    /// A folder with these files, and `Chart.yaml`.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files.iter().chain(&[("Chart.yaml", METADATA)]) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    /// The paths of the files, or the message without the folder's own path.
    fn read(folder: &tempfile::TempDir, limits: &ChartLimits) -> String {
        match read_chart_folder(folder.path(), limits) {
            Ok(files) => {
                let paths: Vec<_> = files.iter().map(|file| &*file.path).collect();
                paths.join(" ")
            }
            Err(error) => {
                assert!(error.diagnostic().hint.is_some());
                let real = fs::canonicalize(folder.path()).unwrap();
                let message = error.helm_message();
                let message = message.replace(&real.display().to_string(), "…");
                message.replace(&folder.path().display().to_string(), "…")
            }
        }
    }

    #[test]
    fn files_come_in_the_order_of_a_walk() {
        let chart = folder(&[
            ("templates/a.yaml", ""),
            ("templates/.hidden", ""),
            ("templates.md", ""),
            ("crds/b/c.yaml", ""),
            ("crds/b.yaml", ""),
            ("docs/x", ""),
            (".helmignore", "docs/"),
        ]);
        assert_eq!(
            read(&chart, &ChartLimits::HELM),
            ".helmignore Chart.yaml crds/b/c.yaml crds/b.yaml templates/a.yaml templates.md"
        );
    }

    #[test]
    fn what_is_no_chart_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(
            read(&empty, &ChartLimits::HELM),
            "unable to detect chart at …/Chart.yaml: open …/Chart.yaml: no such file or directory"
        );
        let broken = folder(&[(".helmignore", "a/**")]);
        assert_eq!(
            read(&broken, &ChartLimits::HELM),
            "double-star (**) syntax is not supported"
        );
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let chart = folder(&[("big", "123456789")]);
        let limits = |bytes, file_bytes, files| ChartLimits {
            bytes,
            file_bytes,
            files,
        };
        assert_eq!(
            read(&chart, &limits(1000, 8, 10)),
            "chart file \"Chart.yaml\" is larger than the maximum file size 8"
        );
        let too_much = "the chart's folder holds more than";
        assert!(read(&chart, &limits(50, 100, 10)).starts_with(too_much));
        assert!(read(&chart, &limits(1000, 100, 1)).starts_with(too_much));
        assert_eq!(read(&chart, &limits(1000, 100, 2)), "Chart.yaml big");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        use std::os::unix::fs::symlink;
        let elsewhere = folder(&[("shared/a.yaml", "a")]);
        let chart = folder(&[("values.yaml", "")]);
        let link = |target: &Path, name: &str| symlink(target, chart.path().join(name)).unwrap();
        link(&elsewhere.path().join("shared"), "templates");
        link(Path::new("values.yaml"), "z.yaml");
        assert_eq!(
            read(&chart, &ChartLimits::HELM),
            "Chart.yaml templates/a.yaml values.yaml z.yaml"
        );
        link(Path::new("nowhere"), "a");
        assert_eq!(
            read(&chart, &ChartLimits::HELM),
            "error evaluating symlink …/a: lstat …/nowhere: no such file or directory"
        );
        fs::remove_file(chart.path().join("a")).unwrap();
        link(Path::new("nowhere/below"), "a");
        assert_eq!(
            read(&chart, &ChartLimits::HELM),
            "error evaluating symlink …/a: lstat …/nowhere: no such file or directory"
        );
        fs::remove_file(chart.path().join("a")).unwrap();
        link(Path::new("."), "b");
        assert_eq!(
            read(&chart, &ChartLimits::HELM),
            "`…/b` is a link to a folder around it"
        );
        fs::remove_file(chart.path().join("b")).unwrap();
        link(Path::new("/dev/null"), "c");
        assert_eq!(
            read(&chart, &ChartLimits::HELM),
            "cannot load irregular file …/c as it has file mode type bits set"
        );
    }

    #[test]
    fn folders_do_not_nest_without_end() {
        let deep = "d/".repeat(MAX_FOLDER_DEPTH + 1) + "x";
        let chart = folder(&[(&deep, "")]);
        assert!(read(&chart, &ChartLimits::HELM).ends_with("more than 64 folders deep"));
    }
}
