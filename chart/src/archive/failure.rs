//! Why an archive is refused, in the words of Helm and Go.

use std::fmt;

use cairn_spec::Diagnostic;

/// Why an archive is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It does not begin as gzip does.
    NoGzip,
    /// There are no bytes.
    Empty,
    /// It ends too early.
    CutOff,
    /// The compressed bytes are damaged; at which of them.
    Damaged(u64),
    /// The checksum is of other content.
    Checksum,
    /// The tar is damaged, or not of a kind that is read.
    Tar,
    /// A header of the tar is larger than Go reads.
    HeaderTooLong,
    /// A path begins with `/`.
    AbsolutePath,
    /// A file is outside of the folder that the archive is of.
    OutsideBase(String),
    /// A path has `..` in it.
    ParentFolder,
    /// A path begins with a drive letter.
    DriveLetter,
    /// `Chart.yaml` is not in a folder.
    NoBaseFolder,
    /// All together is larger than the limit, in bytes.
    TooLarge(u64),
    /// A file is larger than the limit, in bytes.
    FileTooLarge(String, u64),
    /// There are more entries than the limit.
    TooManyEntries(usize),
    /// There is no file in it.
    NoFiles,
}

impl Failure {
    pub(crate) fn is_no_gzip(&self) -> bool {
        matches!(self, Self::NoGzip)
    }

    /// The reason as Helm 3 words it.
    pub(crate) fn helm_3_message(&self) -> String {
        match self {
            Self::TooLarge(limit) => {
                format!("decompressed chart is larger than the maximum file size {limit}")
            }
            other => other.to_string(),
        }
    }

    /// The finding for the archive of this name.
    pub(crate) fn diagnostic(&self, name: &str) -> Diagnostic {
        let (code, hint) = match self {
            Self::NoGzip | Self::Empty => (
                "chart-archive",
                "a packed chart is a gzipped tar; make it with `helm package`",
            ),
            Self::CutOff | Self::Damaged(_) | Self::Checksum | Self::Tar | Self::HeaderTooLong => {
                ("chart-archive", "fetch or pack it again")
            }
            Self::TooLarge(_) | Self::FileTooLarge(..) | Self::TooManyEntries(_) => {
                ("chart-limit", "remove what does not belong in the chart")
            }
            _ => (
                "chart-archive",
                "pack the chart's folder with `helm package`",
            ),
        };
        Diagnostic::error(code, format!("`{name}` cannot be read: {self}")).hint(hint)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGzip => f.write_str("gzip: invalid header"),
            Self::Empty => f.write_str("EOF"),
            Self::CutOff => f.write_str("unexpected EOF"),
            Self::Damaged(at) => write!(f, "flate: corrupt input before offset {at}"),
            Self::Checksum => f.write_str("gzip: invalid checksum"),
            Self::Tar => f.write_str("archive/tar: invalid tar header"),
            Self::HeaderTooLong => f.write_str("archive/tar: header field too long"),
            Self::AbsolutePath => f.write_str("chart illegally contains absolute paths"),
            Self::OutsideBase(path) => write!(
                f,
                "chart illegally contains content outside the base directory: {path}"
            ),
            Self::ParentFolder => f.write_str("chart illegally references parent directory"),
            Self::DriveLetter => f.write_str("chart contains illegally named files"),
            Self::NoBaseFolder => f.write_str("chart yaml not in base directory"),
            Self::TooLarge(limit) => write!(
                f,
                "decompressed chart is larger than the maximum size {limit}"
            ),
            Self::FileTooLarge(path, limit) => write!(
                f,
                "decompressed chart file {path} is larger than the maximum file size {limit}"
            ),
            Self::TooManyEntries(limit) => {
                write!(f, "the chart archive holds more than {limit} entries")
            }
            Self::NoFiles => f.write_str("no files in chart archive"),
        }
    }
}
