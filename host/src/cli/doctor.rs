//! `chancery doctor`.

use std::time::Duration;

use chancery_core::{GoDuration, Timestamp};
use clap::Args;

use super::connection::Connection;
use super::context::{Context, Failure, finish};
use super::output::Output;
use crate::doctor::{Finding, Report, State, Verdict};

/// What will expire, run out or stop renewing, and what to do about it
///
/// Exits with 0 if all is well, with 1 if something needs somebody within the horizon, and with
/// 2 if something does not work now or the agent cannot be asked.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    output: Output,
    /// The horizon: what is due later is no warning
    #[arg(long, value_name = "DURATION", default_value = "168h", value_parser = positive)]
    within: Duration,
    #[command(flatten)]
    connection: Connection,
}

fn positive(text: &str) -> Result<Duration, String> {
    let parsed = GoDuration::parse(text).map_err(|error| error.to_string())?;
    parsed
        .positive()
        .ok_or_else(|| format!("must be more than 0s, is {text}"))
}

impl Doctor {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let result = self.examine(context);
        finish(context, result.map_err(|failure| failure.with_code(2)))
    }

    fn examine(&self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(format!("Error asking the agent how it is: {error}"))
        };
        let client = self.connection.client(context)?;
        let answer = Context::wait_for(client.get("/v1/chancery/doctor", &[]))?
            .map_err(|error| failed(&error))?;
        let report: Report = answer.json().map_err(|error| failed(&error))?;
        let verdict = report.verdict(self.within);
        if self.output.is_json() {
            let value = serde_json::to_value(&report).map_err(|error| failed(&error))?;
            context.print_json(&value);
        } else {
            for line in lines(&report, self.within) {
                context.print(line);
            }
        }
        Ok(match verdict {
            Verdict::Fine => 0,
            Verdict::Warning => 1,
            Verdict::Broken => 2,
        })
    }
}

fn lines(report: &Report, within: Duration) -> Vec<String> {
    let now = report.now;
    let mut lines = vec![match report.first_failed_handshake {
        Some(at) if at <= now => format!(
            "Handshakes fail since {} ({}).",
            at.whole_seconds(),
            span(at, now)
        ),
        Some(at) => format!(
            "If nothing is done, the first handshake fails at {} ({}).",
            at.whole_seconds(),
            span(at, now)
        ),
        None => "Connect is not enabled.".to_owned(),
    }];
    let horizon = now.saturating_add(within);
    for finding in &report.findings {
        lines.push(String::new());
        lines.push(head(finding, now, horizon));
        lines.push(format!("        {}", finding.what));
        if let Some(advice) = &finding.advice {
            lines.push(format!("        > {advice}"));
        }
    }
    lines
}

fn head(finding: &Finding, now: Timestamp, horizon: Timestamp) -> String {
    let label = match finding.state {
        State::Broken => "BROKEN",
        State::Due if finding.at.is_none_or(|at| at <= horizon) => "DUE",
        State::Due => "later",
        State::Fine => "fine",
    };
    match finding.at {
        Some(at) => format!(
            "{label:<6}  {}: {} ({})",
            finding.subject,
            at.whole_seconds(),
            span(at, now)
        ),
        None => format!("{label:<6}  {}", finding.subject),
    }
}

/// `in 3 d 4 h`, `12 min ago`: the two greatest units, or one.
fn span(at: Timestamp, now: Timestamp) -> String {
    let (length, past) = if at < now {
        (now.saturating_since(at), true)
    } else {
        (at.saturating_since(now), false)
    };
    let text = rough(length.as_secs());
    if past {
        format!("{text} ago")
    } else {
        format!("in {text}")
    }
}

fn rough(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (100.., _, _) => format!("{days} d"),
        (1.., _, _) => format!("{days} d {hours} h"),
        (0, 1.., _) => format!("{hours} h {minutes} min"),
        (0, 0, 1..) => format!("{minutes} min"),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_roughly() {
        let now = Timestamp::from_unix(10_000_000);
        for (seconds, text) in [
            (0, "in 0 s"),
            (59, "in 59 s"),
            (60, "in 1 min"),
            (3_660, "in 1 h 1 min"),
            (90_000, "in 1 d 1 h"),
            (8_640_000, "in 100 d"),
            (-61, "1 min ago"),
        ] {
            let at = Timestamp::from_unix(10_000_000 + seconds);
            assert_eq!(span(at, now), text);
        }
    }
}
