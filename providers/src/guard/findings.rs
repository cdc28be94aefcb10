//! What a provider says of itself, made fit to be shown.

use std::time::Duration;

use chancery_core::Printable;

use crate::{Finding, Stops};

/// The findings, of which each is short and can be printed, and no more than anybody reads.
pub(super) fn fit_to_show(mut findings: Vec<Finding>) -> Vec<Finding> {
    let more = findings.len().saturating_sub(MOST);
    findings.truncate(MOST);
    for finding in &mut findings {
        show(&mut finding.subject, LONGEST_SUBJECT);
        show(&mut finding.what, LONGEST_TEXT);
        show(&mut finding.advice, LONGEST_TEXT);
        finding.left = finding.left.map(|left| left.min(FURTHEST));
    }
    if more > 0 {
        findings.push(Finding::new(
            "CA provider",
            format!("it has {more} more to say, of which nobody hears: allowed are {MOST}"),
            "",
            None,
            Stops::Nothing,
        ));
    }
    findings
}

fn show(text: &mut String, most: usize) {
    *text = Printable::up_to(text, most).to_string();
}

const MOST: usize = 16;
/// The name of a plugin is before what it says.
const LONGEST_SUBJECT: usize = 64 + 48;
const LONGEST_TEXT: usize = 1024;
/// A century: a time whose year has more than four digits nobody can read back.
const FURTHEST: Duration = Duration::from_secs(36_525 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(subject: &str, what: &str, advice: &str) -> Finding {
        Finding::new(subject, what, advice, None, Stops::Signing)
    }

    #[test]
    fn what_is_short_and_plain_stays_as_it_is() {
        let said = vec![finding("API key", "it ends", ""); MOST];
        assert_eq!(fit_to_show(said.clone()), said);
    }

    #[test]
    fn what_cannot_be_printed_is_escaped_in_every_text() {
        let said = vec![finding("a\u{1b}[2J", "b\nc", "d\u{202e}e")];
        for text in fit_to_show(said).iter().flat_map(texts) {
            assert!(text.starts_with(['a', 'b', 'd']), "{text}");
            assert!(text.bytes().all(|it| it.is_ascii_graphic()), "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = "x".repeat(1 << 20);
        let said = vec![finding(&long, &long, &long)];
        for text in fit_to_show(said).iter().flat_map(texts) {
            assert!(text.ends_with("x… (1048576 bytes)"), "{}", text.len());
            assert!(text.len() < LONGEST_TEXT + 32, "{}", text.len());
        }
    }

    #[test]
    fn no_time_is_further_away_than_anybody_plans() {
        for (said, shown) in [
            (Some(FURTHEST), Some(FURTHEST)),
            (Some(FURTHEST + Duration::from_secs(1)), Some(FURTHEST)),
            (Some(Duration::MAX), Some(FURTHEST)),
            (None, None),
        ] {
            let mut finding = finding("API key", "it ends", "");
            finding.left = said;
            assert_eq!(fit_to_show(vec![finding])[0].left, shown);
        }
    }

    #[test]
    fn of_too_many_the_number_is_told() {
        let shown = fit_to_show(vec![finding("API key", "it ends", ""); MOST + 3]);
        assert_eq!(shown.len(), MOST + 1);
        let last = &shown[MOST];
        assert!(last.what.starts_with("it has 3 more to say"), "{last:?}");
        assert_eq!(last.stops, Stops::Nothing);
    }

    fn texts(finding: &Finding) -> [&String; 3] {
        [&finding.subject, &finding.what, &finding.advice]
    }
}
