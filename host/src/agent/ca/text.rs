//! The same for people.

use std::fmt;
use std::time::Duration;

use chancery_core::Timestamp;

use super::{CaStatus, Failure, Plan, RootState, RootStatus, RotationStatus, State};

/// A table of two columns and lists below headings. What is empty is left out.
impl fmt::Display for CaStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Initializing => "initializing: the first root is being made",
            State::None => "there is no certificate authority",
            State::Rotating => "serving, a change is under way",
            State::Serving => "serving",
        };
        writeln!(f, "State:         {state}")?;
        if self.state == State::None {
            return Ok(());
        }
        writeln!(f, "Trust domain:  {}", self.trust_domain)?;
        writeln!(f, "Provider:      {} (epoch {})", self.provider, self.epoch)?;
        if let Some(plugin) = &self.plugin {
            writeln!(
                f,
                "Plugin:        {} {}, {}",
                plugin.name, plugin.version, plugin.path
            )?;
            writeln!(f, "               SHA-256 {}", plugin.sha256)?;
            if let Some((at, reason)) = &plugin.refused {
                let at = Moment(*at, self.now);
                writeln!(
                    f,
                    "               another file was not taken {at}: {reason}"
                )?;
            }
        }
        self.leafs(f)?;
        if let Some(intermediate) = &self.intermediate {
            let end = Moment(intermediate.not_after, self.now);
            write!(f, "Intermediate:  {}, ends {end}", intermediate.key_id)?;
            match intermediate.renew_at {
                Some(at) => writeln!(f, ", renewed {}", Moment(at, self.now))?,
                None => writeln!(f, ", not renewed by itself")?,
            }
        }
        writeln!(f, "\nRoots:")?;
        for root in &self.roots {
            self.root(root, f)?;
        }
        if let Some(rotation) = &self.rotation {
            self.rotation(rotation, f)?;
        }
        self.troubles(f)?;
        if !self.next.is_empty() {
            writeln!(f, "\nNext:")?;
            for coming in &self.next {
                writeln!(f, "  {}: {}", Moment(coming.at, self.now), coming.what)?;
            }
        }
        Ok(())
    }
}

impl CaStatus {
    fn leafs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, moved) = (self.leafs.total, self.leafs.moved);
        write!(f, "Leafs:         {total} of this agent")?;
        if moved < total {
            write!(
                f,
                ", {moved} from the issuer that signs now, {} to move",
                total - moved
            )?;
        }
        writeln!(f)
    }

    fn root(&self, root: &RootStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match root.state {
            RootState::Active => "active ",
            RootState::Retired => "retired",
        };
        writeln!(
            f,
            "  {state}  {}  {} {}, trusted since {}, ends {}, {} {}",
            root.id,
            root.key_type,
            root.key_bits,
            Moment(root.added_at, self.now),
            Moment(root.not_after, self.now),
            root.leafs,
            if root.leafs == 1 { "leaf" } else { "leafs" },
        )?;
        if !root.links_to.is_empty() {
            let count = root.links_to.len();
            writeln!(
                f,
                "           its leafs also verify for peers that hold only an older root (of {count})"
            )?;
        }
        if let (Some(until), Some(because)) = (root.kept_until, &root.kept_because) {
            let until = Moment(until, self.now);
            writeln!(f, "           kept until {until}: {because}")?;
        }
        Ok(())
    }

    fn rotation(&self, rotation: &RotationStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nChange under way:")?;
        writeln!(
            f,
            "  {} to provider {} (epoch {}), {} since {}, begun {}",
            rotation.cause,
            rotation.provider,
            rotation.epoch,
            rotation.step,
            Moment(rotation.step_since, self.now),
            Moment(rotation.since, self.now),
        )?;
        writeln!(f, "  next: {}", rotation.next)?;
        if let Some(failure) = &rotation.failure {
            write!(f, "  failed last: ")?;
            self.failure(failure, f)?;
        }
        if let Some(at) = rotation.gives_up_at {
            let at = Moment(at, self.now);
            writeln!(f, "  given up {at}, if the step does not succeed before")?;
        }
        Ok(())
    }

    fn troubles(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(difference) = &self.difference {
            writeln!(f, "\nDifference: {difference}; the stored state counts")?;
        }
        if let Some(reason) = &self.given_up {
            writeln!(f, "\nThe last change came to nothing: {reason}")?;
        }
        if !self.failures.is_empty() {
            writeln!(f, "\nFailing:")?;
            for failure in &self.failures {
                write!(f, "  ")?;
                self.failure(failure, f)?;
            }
        }
        if !self.clean_ups.is_empty() {
            writeln!(f, "\nNot cleaned up yet:")?;
            for left in &self.clean_ups {
                let since = Moment(left.retired_at, self.now);
                let what = if left.root_only {
                    ", its root is still trusted"
                } else {
                    ""
                };
                writeln!(
                    f,
                    "  epoch {} of provider {}, retired {since}{what}",
                    left.epoch, left.provider
                )?;
            }
        }
        Ok(())
    }

    fn failure(&self, failure: &Failure, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = Moment(failure.since, self.now);
        let (what, count) = (&failure.what, failure.count);
        writeln!(
            f,
            "{what} ({count} times since {since}): {}",
            failure.reason
        )
    }
}

/// What a change would do, in sentences.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(refused) = &self.refused {
            return writeln!(f, "It would be refused: {refused}");
        }
        if !self.changes {
            return writeln!(f, "Nothing would change.");
        }
        match self.new_root {
            Some(true) => writeln!(f, "New root:      yes, from provider {}", self.provider)?,
            Some(false) => writeln!(f, "New root:      no, the root stays")?,
            None => writeln!(f, "New root:      as provider {} decides", self.provider)?,
        }
        let crossed = if self.cross_signed {
            "yes, by the CA that signs now"
        } else {
            "no"
        };
        writeln!(f, "Cross-signed:  {crossed}")?;
        writeln!(
            f,
            "Path:          {} certificates with a leaf, at most {} are accepted",
            self.path_length, self.longest_path
        )?;
        writeln!(
            f,
            "To move:       the leafs of this agent: {}; in the mesh are services: {}, proxies: {}",
            self.leafs, self.services, self.proxies
        )?;
        for (index, risk) in self.risks.iter().enumerate() {
            let head = if index == 0 { "At risk:" } else { "" };
            write!(f, "{head:<15}{}", risk.what)?;
            match risk.until {
                Some(until) => writeln!(f, ", until {}", Moment(until, self.now))?,
                None => writeln!(f)?,
            }
        }
        if self.risks.is_empty() {
            writeln!(f, "At risk:       nothing")?;
        }
        Ok(())
    }
}

/// A moment, and how far it is from now.
struct Moment(Timestamp, Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(at, now) = *self;
        let at_second = at.whole_seconds();
        if at > now {
            write!(f, "{at_second} (in {})", Span(at.saturating_since(now)))
        } else {
            write!(f, "{at_second} ({} ago)", Span(now.saturating_since(at)))
        }
    }
}

/// A length of time in its two greatest units.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
        let first = units
            .iter()
            .position(|(_, length)| seconds >= *length)
            .unwrap_or(units.len() - 1);
        let mut rest = seconds;
        for (place, (unit, length)) in units.iter().skip(first).take(2).enumerate() {
            let count = rest / length;
            rest %= length;
            if place == 0 || count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_661, "1h1m"),
            (86_400, "1d"),
            (90_000 + 59, "1d1h"),
            (315_360_000, "3650d"),
        ] {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), text);
        }
    }
}
