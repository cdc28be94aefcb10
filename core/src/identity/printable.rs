//! A stranger's text, made safe for a log line or an error message.

use std::fmt::{self, Write as _};

/// Shows text from outside with everything unprintable escaped and its length capped.
///
/// Control characters (C0, DEL, C1), line and paragraph separators, and the marks that reorder
/// or hide text become `\u{…}`; a backslash is doubled so that the result is unambiguous. After
/// [`Printable::MAX_BYTES`] of input, or as many as were said, the rest is replaced by its length.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a> {
    text: &'a str,
    most: usize,
}

impl<'a> Printable<'a> {
    /// How many bytes of the text are shown unless said otherwise.
    pub const MAX_BYTES: usize = 256;

    /// Wraps `text`; nothing is copied until it is shown.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self::up_to(text, Self::MAX_BYTES)
    }

    /// Wraps `text`, of which `most` bytes are shown.
    #[must_use]
    pub const fn up_to(text: &'a str, most: usize) -> Self {
        Self { text, most }
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (offset, character) in self.text.char_indices() {
            if offset + character.len_utf8() > self.most {
                return write!(f, "… ({} bytes)", self.text.len());
            }
            match character {
                '\\' => f.write_str("\\\\")?,
                _ if hides(character) => write!(f, "{}", character.escape_unicode())?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Whether a terminal or a reader could be led astray by the character.
pub(super) fn hides(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_never_pass() {
        let shown = Printable::new("a\r\nb\x1b[31m\u{85}\u{202e}\\é").to_string();
        assert_eq!(shown, "a\\u{d}\\u{a}b\\u{1b}[31m\\u{85}\\u{202e}\\\\é");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let exact = "x".repeat(Printable::MAX_BYTES);
        assert_eq!(Printable::new(&exact).to_string(), exact);
        let long = format!("{}é", "x".repeat(Printable::MAX_BYTES - 1));
        let expected = format!("{}… (257 bytes)", "x".repeat(255));
        assert_eq!(Printable::new(&long).to_string(), expected);
    }
}
