//! Reads a chart's folder, as Helm does: in the order of names, links followed, without what
//! `.helmignore` leaves out.

mod content;
mod list;

use std::{fs, io, path::Path, sync::Arc};

use cairn_chart::{ChartFile, ChartLimits, Error, Ignore, ReadLate};
use cairn_spec::Diagnostic;

use self::content::Content;
use crate::files::tidy;

pub(crate) const IGNORE_FILE: &str = ".helmignore";
const METADATA_FILE: &str = "Chart.yaml";
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
    let folder = content::read(&top, ignore_rules(&top)?, limits)?;
    let late: Arc<ReadLate> = {
        let (top, limits) = (top.clone(), *limits);
        Arc::new(move |below: &str| read_late(&top, below, &limits))
    };
    let mut files = Vec::with_capacity(folder.files.len());
    let mut bytes = 0;
    for (below, content) in folder.files {
        let content = content.map_err(|error| unreadable(&top, &below, &error))?;
        let length = content.length();
        if length > limits.file_bytes {
            return Err(too_large(&top, &below, limits));
        }
        bytes += length;
        if bytes > limits.bytes {
            return Err(too_much(limits));
        }
        files.push(match content {
            Content::Text(text) => ChartFile::text(below, text),
            Content::Bytes(bytes) => ChartFile::new(below, bytes),
            Content::Unread(length) => ChartFile::late(below, length, Arc::clone(&late)),
        });
    }
    // What comes first in the folder is told first.
    folder.listed.map(|()| files)
}

/// What a file holds that was left unread when the folder was.
fn read_late(top: &Path, below: &str, limits: &ChartLimits) -> Result<Vec<u8>, Error> {
    let bytes = content::read_late(&top.join(below), limits);
    let bytes = bytes.map_err(|error| unreadable(top, below, &error))?;
    if bytes.len() as u64 > limits.file_bytes {
        return Err(too_large(top, below, limits));
    }
    Ok(bytes)
}

fn ignore_rules(top: &Path) -> Result<Ignore, Error> {
    let path = top.join(IGNORE_FILE);
    match fs::read(&path) {
        Ok(text) => Ignore::parse(&text),
        Err(_) if !path.exists() => Ok(Ignore::default()),
        Err(error) => Err(go_error("open", &path, &error)),
    }
}

fn unreadable(top: &Path, below: &str, error: &io::Error) -> Error {
    let path = top.join(below);
    if let Err(error) = fs::symlink_metadata(&path) {
        return go_error("lstat", &path, &error);
    }
    let reason = go_text("open", &path, error);
    let message = format!("error reading {below}: {reason}");
    let diagnostic = Diagnostic::error(CODE, format!("`{}` cannot be read", path.display()));
    Error::new(message, diagnostic.hint("make it readable for you"))
}

fn too_large(top: &Path, below: &str, limits: &ChartLimits) -> Error {
    let path = top.join(below);
    let limit = limits.file_bytes;
    let real = fs::canonicalize(&path);
    let real = real.as_ref().unwrap_or(&path);
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let message = format!("chart file {name:?} is larger than the maximum file size {limit}");
    let shown = format!("`{}` is larger than {} MiB", path.display(), limit >> 20);
    let diagnostic = Diagnostic::error("chart-limit", shown);
    Error::new(
        message,
        diagnostic.hint("remove it, or name it in `.helmignore`"),
    )
}

fn too_much(limits: &ChartLimits) -> Error {
    refused(
        format!(
            "the chart's folder holds more than {} files or {} MiB",
            limits.files,
            limits.bytes >> 20
        ),
        "remove what does not belong in the chart, or name it in `.helmignore`",
    )
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
    use super::{list::MAX_FOLDER_DEPTH, *};

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

    #[test]
    fn what_loading_needs_not_is_read_when_it_is_asked_for() {
        let long = "text ".repeat(100_000);
        let marked = format!("\u{feff}{long}");
        let chart = folder(&[
            ("a", long.as_str()),
            ("b", "\u{feff}b"),
            ("gone", "1"),
            ("grown", "1"),
            ("templates/long", &marked),
            ("templates/short", "\u{feff}short"),
        ]);
        fs::write(chart.path().join("templates/bytes"), b"\xff").unwrap();
        let files = read_chart_folder(chart.path(), &ChartLimits::HELM).unwrap();
        let content = |path: &str| {
            let file = files.iter().find(|file| &*file.path == path).unwrap();
            let bytes = file.bytes().map(<[u8]>::to_vec);
            bytes.map_err(|error| error.helm_message().to_owned())
        };
        let at = |path: &str| chart.path().join(path);
        fs::remove_file(at("gone")).unwrap();
        fs::write(at("grown"), vec![0; 5 << 20 | 1]).unwrap();
        assert!(content("a").unwrap() == long.as_bytes());
        assert_eq!(content("b").unwrap(), b"b");
        assert!(content("templates/long").unwrap() == long.as_bytes());
        assert_eq!(content("templates/short").unwrap(), b"short");
        assert_eq!(content("templates/bytes").unwrap(), b"\xff");
        let gone = at("gone").display().to_string();
        assert_eq!(
            content("gone").unwrap_err(),
            format!("lstat {gone}: no such file or directory")
        );
        assert_eq!(
            content("grown").unwrap_err(),
            "chart file \"grown\" is larger than the maximum file size 5242880"
        );
    }

    #[test]
    fn many_files_come_in_their_order_too() {
        let names: Vec<String> = (0..400)
            .map(|number| format!("templates/{number:03}"))
            .collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), "text")).collect();
        let chart = folder(&files);
        let expected = format!("Chart.yaml {}", names.join(" "));
        assert_eq!(read(&chart, &ChartLimits::HELM), expected);
        let limits = |bytes, files| ChartLimits {
            bytes,
            files,
            ..ChartLimits::HELM
        };
        let too_much = "the chart's folder holds more than";
        assert!(read(&chart, &limits(1000, 1000)).starts_with(too_much));
        assert!(read(&chart, &limits(100_000, 400)).starts_with(too_much));
        assert_eq!(read(&chart, &limits(100_000, 401)), expected);
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
