//! What a chart may cost: every chart is foreign input.

/// What an archive or folder of a chart may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChartLimits {
    /// The most bytes of all files together. Helm's own limit, 100 MiB.
    pub bytes: u64,
    /// The most bytes of one file. Helm's own limit, 5 MiB.
    pub file_bytes: u64,
    /// The most files, and other entries of an archive.
    pub files: usize,
}

impl ChartLimits {
    /// Helm's limits, and one on the number of files, of which the largest charts have some
    /// hundreds.
    pub const HELM: Self = Self {
        bytes: 100 << 20,
        file_bytes: 5 << 20,
        files: 20_000,
    };
}

/// The most bytes of a chart and of all archives in it together, unpacked: 256 MiB.
pub const MAX_LOADED_BYTES: u64 = 256 << 20;
/// The most files of a chart and of all charts in it together.
pub const MAX_LOADED_FILES: usize = 50_000;
/// How deep charts may hold charts: keeps the stack of a thread with 2 MiB safe.
pub const MAX_CHART_DEPTH: usize = 32;
