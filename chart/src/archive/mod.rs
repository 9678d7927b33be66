//! Packed charts: a gzipped tar, read with Helm's checks.
//!
//! The tar is inflated into one buffer that all files share, and no further than it is read.

mod content_type;
mod failure;
mod gzip;
mod pax;
mod tar;

use bytes::Bytes;
use cairn_template::go::quote;

pub(crate) use self::content_type::not_an_archive;
use self::{failure::Failure, gzip::Inflater, tar::BLOCK_BYTES};
use crate::{ChartFile, ChartLimits, Error, go_path};

/// What the headers of an entry may take beside its content, in bytes.
const HEADER_BYTES_PER_ENTRY: usize = 4 * BLOCK_BYTES;

/// Reads the files of a packed chart. Their paths are below the folder that was packed.
pub fn read_archive(bytes: &[u8], limits: &ChartLimits) -> Result<Vec<ChartFile>, Error> {
    read(bytes, limits)
        .map_err(|failure| Error::new(failure.to_string(), failure.diagnostic("the archive")))
}

pub(crate) fn read(packed: &[u8], limits: &ChartLimits) -> Result<Vec<ChartFile>, Failure> {
    let too_large = Failure::TooLarge(limits.bytes);
    let headers = limits.files.saturating_mul(HEADER_BYTES_PER_ENTRY);
    let tar_limit = usize::try_from(limits.bytes).unwrap_or(usize::MAX);
    let tar_limit = tar_limit.saturating_add(headers);
    let inflater = Inflater::new(packed)?;
    let mut tar = tar::Reader::new(inflater, tar_limit, too_large.clone());
    let mut found = Vec::new();
    let mut entries = 0;
    let mut bytes_left = limits.bytes;
    while let Some(entry) = tar.next()? {
        entries += 1;
        if entries > limits.files {
            return Err(Failure::TooManyEntries(limits.files));
        }
        if entry.is_folder() || entry.kind.is_header() {
            continue;
        }
        let name = tar::name_text(&entry.name);
        let path = path_below_base(&name)?;
        if entry.size > bytes_left {
            return Err(too_large);
        }
        if entry.size > limits.file_bytes {
            return Err(Failure::FileTooLarge(quote(&entry.name), limits.file_bytes));
        }
        let content = tar.content(&entry)?;
        let length = content.len() as u64;
        bytes_left -= length;
        // A link says how large its target is, and has no content.
        if length < entry.size || bytes_left == 0 {
            return Err(too_large);
        }
        found.push((path, content));
    }
    if found.is_empty() {
        return Err(Failure::NoFiles);
    }
    let tar = Bytes::from(tar.into_bytes());
    let files = found.into_iter();
    let files = files.map(|(path, content)| ChartFile::new(path, tar.slice(content)));
    Ok(files.collect())
}

/// The path below the folder that was packed, with Helm's checks in Helm's order.
fn path_below_base(name: &str) -> Result<String, Failure> {
    // Archives that were made on Windows have `\` between the parts of a path.
    let delimiter = if name.contains('\\') { '\\' } else { '/' };
    let (base, below) = name.split_once(delimiter).unwrap_or((name, ""));
    let below = below.replace(delimiter, "/");
    if below.starts_with('/') {
        return Err(Failure::AbsolutePath);
    }
    let path = go_path::clean(&below);
    if path == "." {
        return Err(Failure::OutsideBase(quote(name.as_bytes())));
    }
    if path.starts_with("..") {
        return Err(Failure::ParentFolder);
    }
    if let [letter, b':', b'/', ..] = path.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        return Err(Failure::DriveLetter);
    }
    if base == "Chart.yaml" {
        return Err(Failure::NoBaseFolder);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::path_below_base;

    #[test]
    fn paths_are_checked_as_helm_checks_them() {
        let check = |name| match path_below_base(name) {
            Ok(path) => path,
            Err(failure) => format!("! {failure}"),
        };
        assert_eq!(check("web/Chart.yaml"), "Chart.yaml");
        assert_eq!(check("web\\templates\\a.yaml"), "templates/a.yaml");
        assert_eq!(check("web/a/../b//c/."), "b/c");
        assert_eq!(
            check("web"),
            "! chart illegally contains content outside the base directory: \"web\""
        );
        assert_eq!(
            check("web//etc/x"),
            "! chart illegally contains absolute paths"
        );
        assert_eq!(
            check("web/../x"),
            "! chart illegally references parent directory"
        );
        assert_eq!(
            check("web/..x"),
            "! chart illegally references parent directory"
        );
        assert_eq!(check("web/c:/x"), "! chart contains illegally named files");
        assert_eq!(check("Chart.yaml/x"), "! chart yaml not in base directory");
    }
}
