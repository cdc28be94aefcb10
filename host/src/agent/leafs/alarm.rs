//! Says that leafs cannot be renewed: when it begins, each time half of what was left is over,
//! and when it ends. Never one line a leaf.

use std::time::Duration;

use chancery_core::Timestamp;

use super::LeafFacts;

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    /// How long was left until the first of them ends.
    said: Option<Duration>,
}

impl Alarm {
    /// Looks at all leafs; answers whether something was said.
    pub(super) fn look(&mut self, facts: &[LeafFacts], now: Timestamp) -> bool {
        let failing: Vec<_> = facts
            .iter()
            .filter(|leaf| leaf.failure.is_some() && leaf.valid_before.is_some())
            .collect();
        let first = failing.iter().min_by_key(|leaf| leaf.valid_before);
        let Some(first) = first else {
            if self.said.take().is_some() {
                tracing::info!("leafs are renewed again");
                return true;
            }
            return false;
        };
        let ends = first.valid_before.unwrap_or(now);
        let left = ends.saturating_since(now);
        if self
            .said
            .is_some_and(|said| left > said / 2 || said.is_zero())
        {
            return false;
        }
        self.said = Some(left);
        tracing::warn!(
            leafs = failing.len(),
            service = %first.service,
            valid_before = %ends,
            reason = first.failure.as_ref().map(|(_, reason)| reason),
            "leafs cannot be renewed, those there are stay in use until they end"
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use chancery_core::ServiceName;

    use super::*;

    #[test]
    fn it_is_said_at_the_begin_at_each_half_and_at_the_end() {
        let leaf = LeafFacts {
            service: ServiceName::parse("web").unwrap(),
            issuer_key_id: None,
            valid_before: Some(Timestamp::from_unix(1000)),
            due: None,
            failure: Some((Timestamp::from_unix(0), "away".to_owned())),
            registered: true,
        };
        let mut alarm = Alarm::default();
        let said: Vec<i64> = (0..1100)
            .filter(|second| alarm.look(std::slice::from_ref(&leaf), Timestamp::from_unix(*second)))
            .collect();
        assert_eq!(said.get(..4), Some(&[0, 500, 750, 875][..]));
        assert!(said.len() < 13, "{said:?}");
        assert!(alarm.look(&[], Timestamp::from_unix(1100)));
        assert!(!alarm.look(&[], Timestamp::from_unix(1101)));
    }
}
