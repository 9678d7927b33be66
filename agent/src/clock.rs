//! The time of day, as a part that can be another one: what an agent does in a year is tested in a second.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

/// A clock may be set while somebody sleeps by it.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Says what time it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Self {
        Self::new(|| {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let second = since.ok().and_then(|it| i64::try_from(it.as_micros()).ok());
            let time = second.and_then(|it| Timestamp::from_microsecond(it).ok());
            time.unwrap_or(Timestamp::UNIX_EPOCH)
        })
    }

    /// A clock that says what the function says.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// Waits until then, or for ever. A clock that is set, or a machine that slept, is noticed soon.
    pub async fn sleep_until(&self, time: Option<Timestamp>) {
        let Some(time) = time else {
            return std::future::pending().await;
        };
        loop {
            let left = self.until(time);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
        }
    }

    /// How long it is until then; nothing when that is past.
    pub fn until(&self, time: Timestamp) -> Duration {
        let left = time.duration_since(self.now());
        Duration::try_from(left).unwrap_or_default()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
