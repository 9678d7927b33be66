//! Every bound of the protocol, with its unit. Both sides keep them.

/// The largest desired state or keyring, as it is signed, in bytes (64 KiB).
pub const MAX_SIGNED_BYTES: usize = 64 << 10;
/// The largest envelope, in bytes (128 KiB): base64 takes a third more, signatures the rest.
pub const MAX_ENVELOPE_BYTES: usize = 128 << 10;
/// The most signatures of an envelope, and the most keys of a keyring.
pub const MAX_KEYS: usize = 16;
/// The most entries of each list of a policy.
pub const MAX_POLICY_ENTRIES: usize = 1_000;
/// The longest reason in what is signed, in bytes.
pub const MAX_REASON_BYTES: usize = 2_048;

pub use super::status::MAX_STATUS_BYTES;
/// The largest body of a sync request, in bytes as it is read after gzip (768 KiB).
pub const MAX_SYNC_BYTES: usize = 768 << 10;
/// The largest body of any other request, in bytes (16 KiB).
pub const MAX_SMALL_BODY_BYTES: usize = 16 << 10;
/// The largest answer that an agent reads, in bytes (512 KiB); content is not one.
pub const MAX_ANSWER_BYTES: usize = 512 << 10;
/// From this size on a body is worth gzip, in bytes.
pub const GZIP_FROM_BYTES: usize = 1_024;

/// The most transitions that one request reports.
pub const MAX_TRANSITIONS: usize = 100;
/// The most transitions that an agent keeps for later; the oldest go first.
pub const MAX_SPOOLED_TRANSITIONS: usize = 500;
/// The most commands of one answer, and the most that wait for an agent.
pub const MAX_COMMANDS: usize = 16;

/// The longest time that a request may ask to be held, in seconds.
pub const MAX_WAIT_S: u32 = 55;
/// The longest life of a request's token, in seconds.
pub const REQUEST_TOKEN_LIFE_S: u64 = 60;
/// How far the clocks of agent and hub may differ, in seconds.
pub const MAX_CLOCK_SKEW_S: u64 = 60;
/// The longest request token that is read, in bytes.
pub const MAX_REQUEST_TOKEN_BYTES: usize = 4 << 10;
/// The longest identity in a message, in bytes: of an agent, a boot, a command, a token.
pub const MAX_ID_BYTES: usize = 128;

/// The longest life of a join token, in seconds (24 h).
pub const MAX_JOIN_TOKEN_LIFE_S: u64 = 24 * 3_600;
/// The life of an agent's certificate, in seconds (90 d).
pub const CERTIFICATE_LIFE_S: u64 = 90 * 86_400;
/// How long after its end a certificate is still good for its renewal, in seconds (365 d).
pub const RENEWAL_GRACE_S: u64 = 365 * 86_400;

/// Data older than this many intervals of sync is the last known, not the present.
pub const INTERVALS_UNTIL_UNKNOWN: u32 = 3;
