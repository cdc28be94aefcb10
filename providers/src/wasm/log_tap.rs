//! What plugins write to the agent's log: escaped, cut, and never a flood.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chancery_core::Printable;
use tracing::Level;

/// The log of one plugin, shared by its instances.
pub(crate) struct LogTap {
    plugin: String,
    bucket: Mutex<Bucket>,
}

impl LogTap {
    /// For the plugin of that name, which is the operator's word for it.
    pub(crate) fn new(plugin: impl Into<String>) -> Self {
        Self {
            plugin: plugin.into(),
            bucket: Mutex::new(Bucket::new(Instant::now())),
        }
    }

    /// Writes a line, or counts it if there have been too many.
    ///
    /// Lines that nobody would see cost nothing of what is allowed.
    pub(crate) fn write(&self, level: Level, message: &str) {
        if !is_wanted(level) {
            return;
        }
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = bucket.take(Instant::now());
        drop(bucket);
        let plugin = &self.plugin;
        if let Verdict::Write { suppressed } = verdict {
            if suppressed > 0 {
                tracing::warn!(plugin, suppressed, "the plugin writes too much to the log");
            }
            let message = line(message);
            match level {
                Level::ERROR => tracing::error!(plugin, "{message}"),
                Level::WARN => tracing::warn!(plugin, "{message}"),
                Level::INFO => tracing::info!(plugin, "{message}"),
                Level::DEBUG => tracing::debug!(plugin, "{message}"),
                _ => tracing::trace!(plugin, "{message}"),
            }
        }
    }

    /// How many lines have been left out since the last one that was written.
    pub(crate) fn suppressed(&self) -> u64 {
        let bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.suppressed
    }
}

/// The text as it may stand in a log: on one line, with nothing that moves a cursor.
fn line(message: &str) -> Printable<'_> {
    Printable::up_to(message, LONGEST_LINE)
}

fn is_wanted(level: Level) -> bool {
    match level {
        Level::ERROR => tracing::enabled!(Level::ERROR),
        Level::WARN => tracing::enabled!(Level::WARN),
        Level::INFO => tracing::enabled!(Level::INFO),
        Level::DEBUG => tracing::enabled!(Level::DEBUG),
        _ => tracing::enabled!(Level::TRACE),
    }
}

/// Lines that may still be written; they come back with time.
struct Bucket {
    lines: u32,
    filled: Instant,
    suppressed: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Suppress,
    /// After so many that were not.
    Write {
        suppressed: u64,
    },
}

impl Bucket {
    const fn new(now: Instant) -> Self {
        Self {
            lines: BURST,
            filled: now,
            suppressed: 0,
        }
    }

    fn take(&mut self, now: Instant) -> Verdict {
        let passed = now.saturating_duration_since(self.filled);
        let earned = passed.as_millis() / LINE_EVERY.as_millis();
        if let Some(earned) = u32::try_from(earned).ok().filter(|earned| *earned < BURST) {
            self.lines = self.lines.saturating_add(earned).min(BURST);
            self.filled += LINE_EVERY * earned;
        } else {
            (self.lines, self.filled) = (BURST, now);
        }
        let Some(left) = self.lines.checked_sub(1) else {
            self.suppressed = self.suppressed.saturating_add(1);
            return Verdict::Suppress;
        };
        self.lines = left;
        Verdict::Write {
            suppressed: std::mem::take(&mut self.suppressed),
        }
    }
}

const LONGEST_LINE: usize = 1 << 10;
/// Lines at once; more than a plugin that reports one trouble needs.
const BURST: u32 = 50;
const LINE_EVERY: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_moves_no_cursor() {
        for (text, shown) in [
            ("plain, with ünïcode", "plain, with ünïcode"),
            ("two\r\nlines", r"two\u{d}\u{a}lines"),
            ("\u{1b}[2Jcleared", r"\u{1b}[2Jcleared"),
            ("nul\0del\u{7f}c1\u{9b}", r"nul\u{0}del\u{7f}c1\u{9b}"),
            ("right\u{202e}left", r"right\u{202e}left"),
            ("sep\u{2028}", r"sep\u{2028}"),
            ("100%s %n {} {0}", "100%s %n {} {0}"),
            (r"back\slash", r"back\\slash"),
        ] {
            assert_eq!(line(text).to_string(), shown);
        }
    }

    #[test]
    fn a_megabyte_is_cut_to_a_kibibyte_and_its_length() {
        let exact = "x".repeat(1_024);
        assert_eq!(line(&exact).to_string(), exact);
        let long = "x".repeat(1_000_000);
        let shown = line(&long).to_string();
        assert_eq!(shown, format!("{exact}… (1000000 bytes)"));
    }

    #[test]
    fn of_a_flood_the_number_is_told_when_it_has_passed() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        for _ in 0..BURST {
            assert_eq!(bucket.take(start), Verdict::Write { suppressed: 0 });
        }
        for _ in 0..1_000 {
            assert_eq!(bucket.take(start), Verdict::Suppress);
        }
        let almost = start + LINE_EVERY - Duration::from_millis(1);
        assert_eq!(bucket.take(almost), Verdict::Suppress);
        let next = start + LINE_EVERY;
        assert_eq!(bucket.take(next), Verdict::Write { suppressed: 1_001 });
        assert_eq!(bucket.take(next), Verdict::Suppress);
    }

    #[test]
    fn a_long_silence_earns_one_burst_and_no_more() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let late = start + Duration::from_secs(1_000_000);
        let written = (0..1_000)
            .filter(|_| bucket.take(late) != Verdict::Suppress)
            .count();
        assert_eq!(written, usize::try_from(BURST).unwrap());
    }
}
