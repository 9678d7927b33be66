//! What the agent's own process takes, as Linux says it (`man 5 proc`).

use std::fs;

/// Ticks of processor time in a second: the same on all machines that Linux runs on today.
const TICKS_PER_S: u64 = 100;

/// What a process takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) rss_bytes: u64,
    pub(super) cpu_ms: u64,
}

/// What this process takes; nothing where there is no `/proc`.
pub(super) fn taken() -> Taken {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    Taken {
        rss_bytes: rss_bytes(&read("status")).unwrap_or_default(),
        cpu_ms: cpu_ms(&read("stat")).unwrap_or_default(),
    }
}

fn rss_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

fn cpu_ms(stat: &str) -> Option<u64> {
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()?.checked_add(ticks()?)?;
    ticks.checked_mul(1_000 / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read() {
        let status = "Name:\tx\nVmRSS:\t    6144 kB\nThreads:\t1\n";
        assert_eq!(rss_bytes(status), Some(6 << 20));
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 5 1 1";
        assert_eq!(cpu_ms(stat), Some(3_000));
        assert_eq!((rss_bytes(""), cpu_ms("")), (None, None));
    }

    #[test]
    fn this_process_takes_memory() {
        assert!(taken().rss_bytes > 1 << 20);
    }
}
