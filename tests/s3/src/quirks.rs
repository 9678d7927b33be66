//! How real stores differ from what AWS documents.

/// Differences from AWS; the default has none, but takes parts of any size, so that tests need not
/// move megabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each names one independent deviation"
)]
pub struct Quirks {
    /// `If-Match` and `If-None-Match` on writes are accepted and have no effect, as on Garage.
    pub ignores_conditions: bool,
    /// `If-Match` on `DeleteObject` is accepted and has no effect, as on `MinIO`.
    pub ignores_delete_conditions: bool,
    /// Conditions are checked, and then the write happens, as on s3s-fs: two writers may both win.
    pub checks_then_writes: bool,
    /// `ListMultipartUploads` is not implemented, as on s3s-fs.
    pub lacks_multipart_listing: bool,
    /// An object's name cannot be the path to another object, as on versitygw; on `MinIO`, lists
    /// leave the other one out.
    pub keeps_objects_in_folders: bool,
    /// All parts but the last must have one size, as on R2.
    pub wants_equal_parts: bool,
    /// All parts but the last must have at least so many bytes; 5 MiB on AWS.
    pub smallest_part_bytes: usize,
}
