//! Deterministic archives: the same files give the same bytes on any machine (`spec/pack.md` §8).
//!
//! Reading trusts nothing: sizes, counts and paths are checked while the bytes are inflated.

use std::{
    borrow::Cow,
    io::{BufReader, Read, Write},
};

use flate2::{Compression, GzBuilder, bufread::MultiGzDecoder, write::GzEncoder};
use tar::{EntryType, Header};

use crate::{File, FileTree, PathError, TreePath};

/// Level 9 of zlib-rs gives the same bytes however the input is cut into writes; some lower levels do not.
const GZIP_LEVEL: u32 = 9;
/// The size tar pads archives to, in bytes: 20 blocks of 512.
const TAR_RECORD_BYTES: usize = 10_240;
/// The blocks that a tar is made of, in bytes.
const BLOCK_BYTES: usize = 512;
/// The most bytes of one piece of an archive.
const PIECE_BYTES: usize = 64 << 10;

/// What an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// The most bytes compressed.
    pub packed_bytes: u64,
    /// The most bytes of all files together.
    pub unpacked_bytes: u64,
    /// The most bytes of one file.
    pub file_bytes: u64,
    /// The most files.
    pub files: usize,
}

impl ArchiveLimits {
    /// The limits of a pack.
    pub const PACK: Self = Self {
        packed_bytes: 64 << 20,
        unpacked_bytes: 256 << 20,
        file_bytes: 32 << 20,
        files: 10_000,
    };
    /// The limits of a bundle.
    pub const BUNDLE: Self = Self {
        packed_bytes: 64 << 20,
        unpacked_bytes: 512 << 20,
        file_bytes: 64 << 20,
        files: 100_000,
    };
}

/// Why an archive was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The bytes are not a gzipped tar.
    #[error("the archive cannot be read")]
    Malformed(#[source] std::io::Error),
    /// A path could escape the target folder, or is not portable.
    #[error("the archive holds a path that is refused")]
    Path(#[from] PathError),
    /// A path is not UTF-8: systems would disagree on what it names.
    #[error("the archive holds a path that is not UTF-8 text, `{}`", path.escape_debug())]
    PathEncoding {
        /// The path, as far as it is text.
        path: String,
    },
    /// An entry is neither a file nor a folder.
    #[error("the archive holds `{}`, which is a {what}; only regular files are allowed", path.escape_debug())]
    EntryType {
        /// The entry's path.
        path: String,
        /// Its type in words.
        what: &'static str,
    },
    /// A limit is exceeded: a mistake, or a bomb.
    #[error("the archive holds more than {}", amount(*limit, unit))]
    TooLarge {
        /// The limit.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
}

/// `32 MiB in one file` for 33554432 `bytes in one file`.
fn amount(limit: u64, unit: &str) -> String {
    match unit.strip_prefix("bytes") {
        Some(rest) if limit.is_multiple_of(1 << 20) => format!("{} MiB{rest}", limit >> 20),
        _ => format!("{limit} {unit}"),
    }
}

/// The reader's own words quote the bytes.
fn not_a_tar(_: std::io::Error) -> ArchiveError {
    let reason = "it is not a tar archive, or is damaged";
    ArchiveError::Malformed(std::io::Error::new(std::io::ErrorKind::InvalidData, reason))
}

/// Writes a tree as a deterministic tar.
pub fn write_tar(tree: &FileTree) -> Vec<u8> {
    let mut out = Vec::new();
    let files = tree.iter();
    for piece in pieces(files.map(|(path, file)| (path.as_str(), &*file.bytes, file.executable))) {
        out.extend_from_slice(&piece);
    }
    out
}

/// The pieces of a deterministic tar of these files, in this order. What the files hold is not copied.
pub fn tar_pieces<'a, P: AsRef<str>>(
    files: impl IntoIterator<Item = (P, &'a [u8])>,
) -> impl Iterator<Item = Cow<'a, [u8]>> {
    pieces(files.into_iter().map(|(path, bytes)| (path, bytes, false)))
}

fn pieces<'a, P: AsRef<str>>(
    files: impl IntoIterator<Item = (P, &'a [u8], bool)>,
) -> impl Iterator<Item = Cow<'a, [u8]>> {
    let mut files = files.into_iter();
    let mut content: &[u8] = &[];
    let (mut padding, mut written, mut is_ended) = (0, 0, false);
    std::iter::from_fn(move || {
        let piece = if let Some((part, rest)) = content
            .split_at_checked(PIECE_BYTES)
            .or_else(|| (!content.is_empty()).then_some((content, &content[..0])))
        {
            content = rest;
            Cow::Borrowed(part)
        } else if padding > 0 {
            Cow::Owned(vec![0; std::mem::take(&mut padding)])
        } else if let Some((path, bytes, executable)) = files.next() {
            content = bytes;
            padding = bytes.len().next_multiple_of(BLOCK_BYTES) - bytes.len();
            Cow::Owned(head(path.as_ref(), bytes.len() as u64, executable))
        } else if is_ended {
            return None;
        } else {
            is_ended = true;
            let whole: usize = written + 2 * BLOCK_BYTES;
            Cow::Owned(vec![0; whole.next_multiple_of(TAR_RECORD_BYTES) - written])
        };
        written += piece.len();
        Some(piece)
    })
}

/// Compresses a whole buffer as deterministic gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = gzip_writer(Vec::new());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing to memory does not fail")
}

/// Compresses what is written as deterministic gzip, the same as [`gzip`] does.
pub fn gzip_writer<W: Write>(writer: W) -> GzEncoder<W> {
    GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(writer, Compression::new(GZIP_LEVEL))
}

/// Reads a gzipped tar, and the bytes of the tar itself, whose digest is the content's identity.
pub fn read_tar_gzip(
    packed: &[u8],
    limits: &ArchiveLimits,
) -> Result<(FileTree, Vec<u8>), ArchiveError> {
    if packed.len() as u64 > limits.packed_bytes {
        return Err(ArchiveError::TooLarge {
            limit: limits.packed_bytes,
            unit: "bytes, compressed",
        });
    }
    let tar = gunzip(packed, limits)?;
    let tree = read_tar(&tar, limits)?;
    Ok((tree, tar))
}

/// Room for headers besides the files' own bytes: a header and padding for each file and folder.
const HEADER_BYTES_PER_FILE: u64 = 4096;

fn unpacked_most(limits: &ArchiveLimits) -> u64 {
    limits.unpacked_bytes + limits.files as u64 * HEADER_BYTES_PER_FILE
}

fn gunzip(packed: &[u8], limits: &ArchiveLimits) -> Result<Vec<u8>, ArchiveError> {
    let most = unpacked_most(limits);
    let mut tar = Vec::new();
    MultiGzDecoder::new(packed)
        .take(most + 1)
        .read_to_end(&mut tar)
        .map_err(ArchiveError::Malformed)?;
    if tar.len() as u64 > most {
        return Err(ArchiveError::TooLarge {
            limit: limits.unpacked_bytes,
            unit: "bytes, unpacked",
        });
    }
    Ok(tar)
}

fn read_tar(tar: &[u8], limits: &ArchiveLimits) -> Result<FileTree, ArchiveError> {
    let mut tree = FileTree::new();
    each_entry(tar, limits, &mut |entry| {
        let executable = entry.executable;
        let (path, bytes) = entry.read()?;
        let bytes = bytes.into();
        Ok::<_, ArchiveError>(tree.insert(path, File { bytes, executable })?)
    })?;
    Ok(tree)
}

/// Reads a gzipped tar file by file. Nothing is kept, so an archive of any size needs no more memory than
/// its largest file.
pub fn each_file<E: From<ArchiveError>>(
    packed: impl Read,
    limits: &ArchiveLimits,
    mut visit: impl FnMut(TreePath, Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    each_opened(packed, limits, &mut |entry| {
        let (path, bytes) = entry.read()?;
        visit(path, bytes)
    })
}

/// Opens the files of a gzipped tar one after the other, and tells where in the tar each begins, in bytes:
/// so that one can be read again without those before it.
pub fn open_each_file<E: From<ArchiveError>>(
    packed: impl Read,
    limits: &ArchiveLimits,
    mut visit: impl FnMut(TreePath, u64, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    each_opened(packed, limits, &mut |entry| {
        visit(entry.path, entry.begins_at, entry.content)
    })
}

fn each_opened<E: From<ArchiveError>>(
    packed: impl Read,
    limits: &ArchiveLimits,
    visit: Visit<'_, E>,
) -> Result<(), E> {
    let mut packed = Capped::new(packed, limits.packed_bytes);
    let mut tar = Capped::new(
        MultiGzDecoder::new(BufReader::new(&mut packed)),
        unpacked_most(limits),
    );
    let read = each_entry(&mut tar, limits, visit);
    // To the end, since a second archive may follow, or damage.
    let read = read.and_then(|()| {
        std::io::copy(&mut tar, &mut std::io::sink())
            .map(|_| ())
            .map_err(|error| ArchiveError::Malformed(error).into())
    });
    if tar.is_exceeded {
        return Err(too_large(limits.unpacked_bytes, "bytes, unpacked").into());
    }
    drop(tar);
    if packed.is_exceeded {
        return Err(too_large(limits.packed_bytes, "bytes, compressed").into());
    }
    read
}

/// A reader that says when it was asked for more than it may give.
struct Capped<R> {
    inner: R,
    left: u64,
    is_exceeded: bool,
}

impl<R> Capped<R> {
    fn new(inner: R, most: u64) -> Self {
        Self {
            inner,
            left: most,
            is_exceeded: false,
        }
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let Some(left) = self.left.checked_sub(count as u64) {
            self.left = left;
            return Ok(count);
        }
        self.is_exceeded = true;
        Err(std::io::ErrorKind::InvalidData.into())
    }
}

fn too_large(limit: u64, unit: &'static str) -> ArchiveError {
    ArchiveError::TooLarge { limit, unit }
}

/// A file of a tar.
struct Entry<'a> {
    path: TreePath,
    executable: bool,
    /// Where its content begins in the tar.
    begins_at: u64,
    content: &'a mut dyn Read,
}

type Visit<'a, E> = &'a mut dyn FnMut(Entry<'_>) -> Result<(), E>;

impl Entry<'_> {
    fn read(self) -> Result<(TreePath, Vec<u8>), ArchiveError> {
        let mut bytes = Vec::new();
        self.content.read_to_end(&mut bytes).map_err(not_a_tar)?;
        Ok((self.path, bytes))
    }
}

/// Visits the files of a tar.
fn each_entry<E: From<ArchiveError>>(
    tar: impl Read,
    limits: &ArchiveLimits,
    visit: Visit<'_, E>,
) -> Result<(), E> {
    let mut unpacked_bytes: u64 = 0;
    let (mut entries, mut files) = (0, 0);
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().map_err(not_a_tar)? {
        let mut entry = entry.map_err(not_a_tar)?;
        entries += 1;
        if files >= limits.files || entries > limits.files * 4 {
            return Err(too_large(limits.files as u64, "files").into());
        }
        let Some(path) = file_path(&entry)? else {
            continue;
        };
        files += 1;
        let size = entry.size();
        unpacked_bytes = unpacked_bytes.saturating_add(size);
        if size > limits.file_bytes {
            return Err(too_large(limits.file_bytes, "bytes in one file").into());
        }
        if unpacked_bytes > limits.unpacked_bytes {
            return Err(too_large(limits.unpacked_bytes, "bytes, unpacked").into());
        }
        let executable = entry.header().mode().map_err(not_a_tar)? & 0o100 != 0;
        visit(Entry {
            path,
            executable,
            begins_at: entry.raw_file_position(),
            content: &mut entry,
        })?;
    }
    Ok(())
}

/// The path of an entry that is a file; none for a folder.
fn file_path<R: Read>(entry: &tar::Entry<'_, R>) -> Result<Option<TreePath>, ArchiveError> {
    let path = match str::from_utf8(&entry.path_bytes()) {
        Ok(path) => path.to_owned(),
        Err(_) => {
            return Err(ArchiveError::PathEncoding {
                path: String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
            });
        }
    };
    let kind = entry.header().entry_type();
    if kind.is_dir() {
        let folder = path.trim_end_matches('/').trim_start_matches("./");
        if !folder.is_empty() && folder != "." {
            folder.parse::<TreePath>()?;
        }
        return Ok(None);
    }
    if !kind.is_file() {
        return Err(ArchiveError::EntryType {
            path,
            what: entry_type_name(kind),
        });
    }
    // Other tools write `./name`.
    Ok(Some(path.trim_start_matches("./").parse()?))
}

fn entry_type_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "symbolic link",
        EntryType::Link => "hard link",
        EntryType::Char | EntryType::Block => "device",
        EntryType::Fifo => "pipe",
        _ => "special entry",
    }
}

/// What stands before a file's content.
fn head(path: &str, size_bytes: u64, executable: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut header = Header::new_ustar();
    let mode = if executable { 0o755 } else { 0o644 };
    set_fields(&mut header, size_bytes, mode, EntryType::Regular);
    if !set_ustar_path(&mut header, path) {
        append_pax_path(&mut out, path);
        let short: Vec<u8> = path.bytes().take(100).collect();
        header.as_ustar_mut().expect("made as USTAR").name[..short.len()].copy_from_slice(&short);
    }
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
    out
}

fn set_fields(header: &mut Header, size: u64, mode: u32, kind: EntryType) {
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(kind);
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.set_device_major(0);
        ustar.set_device_minor(0);
    }
}

/// Splits a path over USTAR's name (100 bytes) and prefix (155 bytes), if it fits.
fn set_ustar_path(header: &mut Header, path: &str) -> bool {
    let ustar = header.as_ustar_mut().expect("made as USTAR");
    if !path.is_ascii() {
        return false;
    }
    if path.len() <= 100 {
        ustar.name[..path.len()].copy_from_slice(path.as_bytes());
        return true;
    }
    let split = path
        .char_indices()
        .filter(|&(index, c)| c == '/' && index <= 155 && path.len() - index - 1 <= 100)
        .map(|(index, _)| index)
        .next_back();
    let Some(split) = split else { return false };
    let (prefix, name) = (&path[..split], &path[split + 1..]);
    ustar.prefix[..prefix.len()].copy_from_slice(prefix.as_bytes());
    ustar.name[..name.len()].copy_from_slice(name.as_bytes());
    true
}

/// A PAX extended header with the path (POSIX.1-2001).
fn append_pax_path(out: &mut Vec<u8>, path: &str) {
    let fixed = " path=\n".len() + path.len();
    // The record's length counts its own digits.
    let mut length = fixed + 1;
    while length != fixed + length.to_string().len() {
        length = fixed + length.to_string().len();
    }
    let record = format!("{length} path={path}\n");
    let mut header = Header::new_ustar();
    set_fields(&mut header, record.len() as u64, 0o644, EntryType::XHeader);
    let name = b"PaxHeaders/path";
    header.as_ustar_mut().expect("made as USTAR").name[..name.len()].copy_from_slice(name);
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(record.as_bytes());
    out.resize(out.len().next_multiple_of(BLOCK_BYTES), 0);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Digest;

    fn tree(files: &[(&str, &str)]) -> FileTree {
        let mut tree = FileTree::new();
        for (path, text) in files {
            tree.put(path, text.as_bytes());
        }
        tree
    }

    #[test]
    fn archives_round_trip() {
        let long = format!("{}/{}/file.yaml", "a".repeat(90), "b".repeat(90));
        let mut files = tree(&[
            ("pack.yaml", "x"),
            ("empty", ""),
            ("ünï/ü.txt", "ü"),
            (&long, "long"),
        ]);
        files
            .insert(
                "run.sh".parse().unwrap(),
                File {
                    bytes: Arc::from(&b"#!"[..]),
                    executable: true,
                },
            )
            .unwrap();
        let (back, tar) = read_tar_gzip(&gzip(&write_tar(&files)), &ArchiveLimits::PACK).unwrap();
        assert_eq!((back, tar.len() % TAR_RECORD_BYTES), (files, 0));
    }

    #[test]
    fn files_come_one_after_the_other() {
        let files = tree(&[("a/b.yaml", "b"), ("a/c.yaml", "c")]);
        let packed = gzip(&write_tar(&files));
        let read = |packed: &[u8], limits: &ArchiveLimits| {
            let mut seen = Vec::new();
            let read = each_file(packed, limits, |path, bytes| {
                seen.push(format!("{path}={}", String::from_utf8(bytes).unwrap()));
                Ok::<_, ArchiveError>(())
            });
            read.map(|()| seen.join(" "))
                .map_err(|error| error.to_string())
        };
        let limits = ArchiveLimits::PACK;
        assert_eq!(read(&packed, &limits).unwrap(), "a/b.yaml=b a/c.yaml=c");
        let small = |limits: ArchiveLimits| read(&packed, &limits).unwrap_err();
        insta::assert_snapshot!([
            small(ArchiveLimits { packed_bytes: 20, ..limits }),
            small(ArchiveLimits { unpacked_bytes: 1, ..limits }),
            small(ArchiveLimits { file_bytes: 0, ..limits }),
            small(ArchiveLimits { files: 1, ..limits }),
            read(&packed[..packed.len() - 9], &limits).unwrap_err(),
        ].join("\n"), @r"
        the archive holds more than 20 bytes, compressed
        the archive holds more than 1 bytes, unpacked
        the archive holds more than 0 MiB in one file
        the archive holds more than 1 files
        the archive cannot be read
        ");
        // Much that is no file, and comes after all files.
        let mut bomb = write_tar(&files);
        bomb.resize(8 << 20, 0);
        let limits = ArchiveLimits {
            unpacked_bytes: 1 << 20,
            files: 10,
            ..limits
        };
        insta::assert_snapshot!(read(&gzip(&bomb), &limits).unwrap_err(), @"the archive holds more than 1 MiB, unpacked");
    }

    #[test]
    fn files_are_found_again_where_they_begin() {
        let large = "x".repeat(3 * PIECE_BYTES / 2);
        let files = [("a", ""), ("b/c", "c"), ("d", &large), ("e", "end")];
        let pieces = tar_pieces(files.map(|(path, text)| (path, text.as_bytes())));
        let tar = pieces.collect::<Vec<_>>().concat();
        assert_eq!(tar, write_tar(&tree(&files)));
        let mut seen = Vec::new();
        open_each_file(
            &*gzip(&tar),
            &ArchiveLimits::PACK,
            |path, begins_at, content| {
                let size = std::io::copy(content, &mut std::io::sink()).unwrap();
                let begins_at = usize::try_from(begins_at).unwrap();
                let again = &tar[begins_at..begins_at + usize::try_from(size).unwrap()];
                seen.push((path.to_string(), str::from_utf8(again).unwrap().to_owned()));
                Ok::<_, ArchiveError>(())
            },
        )
        .unwrap();
        assert_eq!(
            seen,
            files.map(|(path, text)| (path.to_owned(), text.to_owned()))
        );
    }

    /// The bytes are part of the format: a change here changes every digest ever published.
    #[test]
    fn the_bytes_are_pinned() {
        let tar = write_tar(&tree(&[("b/c.yaml", "kind: X\n"), ("a.txt", "hello\n")]));
        insta::assert_snapshot!(format!("{} {}", Digest::sha256(&tar), Digest::sha256(&gzip(&tar))), @"sha256:2e654656252411fd870c1d15a344e3a46e5cc314783b71d739178ece54346bad sha256:da8e4064062983ad1b6250bfc04925232d00383109d61b5c58e4addb2ff787c6");
    }

    fn archive_of(kind: EntryType, path: &[u8], size: u64) -> Vec<u8> {
        let mut header = Header::new_ustar();
        set_fields(&mut header, size, 0o644, kind);
        header.as_ustar_mut().unwrap().name[..path.len()].copy_from_slice(path);
        header.set_cksum();
        let mut tar = header.as_bytes().to_vec();
        tar.resize(tar.len() + 1024, 0);
        gzip(&tar)
    }

    #[test]
    fn hostile_archives_are_refused() {
        let refused = |packed: &[u8]| {
            let error = read_tar_gzip(packed, &ArchiveLimits::PACK).unwrap_err();
            match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }
        };
        let limits = ArchiveLimits {
            unpacked_bytes: 1 << 20,
            files: 10,
            ..ArchiveLimits::PACK
        };
        let bomb = read_tar_gzip(&gzip(&vec![0; 8 << 20]), &limits).unwrap_err();
        insta::assert_snapshot!([
            refused(b"not gzip"),
            refused(&archive_of(EntryType::Regular, b"../evil", 0)),
            refused(&archive_of(EntryType::Regular, b"/etc/passwd", 0)),
            refused(&archive_of(EntryType::Symlink, b"link", 0)),
            refused(&archive_of(EntryType::Regular, b"big", 1 << 40)),
            bomb.to_string(),
        ].join("\n"), @r"
        the archive cannot be read: unexpected end of file
        the archive holds a path that is refused: `../evil` is not a safe path: it has a `.` or `..` part
        the archive holds a path that is refused: `/etc/passwd` is not a safe path: it is absolute
        the archive holds `link`, which is a symbolic link; only regular files are allowed
        the archive holds more than 32 MiB in one file
        the archive holds more than 1 MiB, unpacked
        ");
    }
}
