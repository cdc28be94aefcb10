//! "Did you mean …": the known key that is the fewest edits away.

/// The candidate nearest to `word`, unless they differ in more than a third of its letters.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word: Vec<char> = word
        .chars()
        .take(LONGEST + 1)
        .flat_map(char::to_lowercase)
        .collect();
    if word.len() > LONGEST {
        return None;
    }
    let allowed = (word.len() / 3).max(1);
    candidates
        .iter()
        .map(|candidate| (distance(&word, candidate), *candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours between the two words.
fn distance(left: &[char], right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX);
            let substituted = at(&last, column).saturating_add(usize::from(letter != other));
            let mut edits = substituted
                .min(at(&last, column + 1).saturating_add(1))
                .min(at(&line, column).saturating_add(1));
            let swapped = row > 0
                && column > 0
                && left.get(row - 1) == Some(other)
                && right.get(column - 1) == Some(letter);
            if swapped {
                edits = edits.min(at(&before, column - 1).saturating_add(1));
            }
            line.push(edits);
        }
        before = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or_default()
}

/// Nobody means a key by a longer word.
const LONGEST: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_finds_none() {
        let known = ["ports", "server", "service", "http"];
        for (word, nearest_word) in [
            ("prots", Some("ports")),
            ("PORT", Some("ports")),
            ("servcie", Some("service")),
            ("htp", Some("http")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), nearest_word, "{word}");
        }
        assert_eq!(nearest(&"ports".repeat(1000), &known), None);
    }
}
