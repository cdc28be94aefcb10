//! What Vault says may be shown, but no secret that it could quote.

/// `text` on one line, at most a kilobyte of it, with whatever looks like a token, a key or a
/// control character taken out.
pub(super) fn redact(text: &str) -> String {
    let mut shown = String::new();
    let (mut in_block, mut at_end) = (false, false);
    for word in text.split_whitespace() {
        in_block |= word.starts_with("-----BEGIN");
        at_end |= in_block && word.contains("-----END");
        let piece = if in_block || is_token(word) {
            "…"
        } else {
            word
        };
        if at_end && word.ends_with("-----") && !word.ends_with("-----END") {
            (in_block, at_end) = (false, false);
        }
        let next = piece.chars().filter(|letter| !letter.is_control());
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.extend(next);
        if shown.len() > LONGEST {
            shown.truncate(shown.floor_char_boundary(LONGEST));
            shown.push('…');
            break;
        }
    }
    shown
}

/// Tokens of Vault and OpenBao begin with their sort and a dot; JWTs with the base64 of `{"`.
fn is_token(word: &str) -> bool {
    let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let marked = [
        "hvs.", "hvb.", "hvr.", "sr.", "br.", "rr.", "s.", "b.", "r.", "eyJ",
    ];
    word.len() >= SHORTEST_TOKEN && marked.iter().any(|mark| word.starts_with(mark))
}

const LONGEST: usize = 1024;
const SHORTEST_TOKEN: usize = 20;

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn tokens_and_keys_do_not_come_through() {
        let said = "bad token hvs.CAESIJlu2Q7TnB9canary, key -----BEGIN EC PRIVATE KEY----- canary \
                    -----END EC PRIVATE KEY----- at web.svc.default.11111111.consul";
        assert_eq!(
            redact(said),
            "bad token … key … … … … … … … … … at web.svc.default.11111111.consul"
        );
    }

    #[test]
    fn lines_escapes_and_length_are_tamed() {
        assert_eq!(
            redact("1 error occurred:\n\t* permission denied\n\n"),
            "1 error occurred: * permission denied"
        );
        assert_eq!(redact("a\u{1b}[31mb"), "a[31mb");
        assert!(redact(&"word ".repeat(1000)).len() < 1100);
    }
}
