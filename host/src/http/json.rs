//! JSON as Go's encoder writes it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

/// Whether answers are meant for eyes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// No white space at all.
    #[default]
    Compact,
    /// Four spaces a level and a final newline (`?pretty`, and always in dev mode).
    Pretty,
}

/// Serialises `value`.
///
/// `<`, `>` and `&` are escaped, as are U+2028 and U+2029, so that no answer means anything
/// inside a web page.
pub(crate) fn to_vec<T: Serialize + ?Sized>(
    value: &T,
    style: Style,
) -> serde_json::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(512);
    let formatter = GoFormatter {
        pretty: style == Style::Pretty,
        level: 0,
        has_value: false,
    };
    value.serialize(&mut Serializer::with_formatter(&mut body, formatter))?;
    if style == Style::Pretty {
        body.push(b'\n');
    }
    Ok(body)
}

struct GoFormatter {
    pretty: bool,
    level: usize,
    has_value: bool,
}

impl GoFormatter {
    fn new_line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        if !self.pretty {
            return Ok(());
        }
        writer.write_all(b"\n")?;
        for _ in 0..self.level {
            writer.write_all(b"    ")?;
        }
        Ok(())
    }

    fn begin<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.level += 1;
        self.has_value = false;
        writer.write_all(bracket)
    }

    fn end<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.level -= 1;
        if self.has_value {
            self.new_line(writer)?;
        }
        self.has_value = true;
        writer.write_all(bracket)
    }

    fn item<W: ?Sized + Write>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.new_line(writer)
    }
}

impl Formatter for GoFormatter {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.item(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.item(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.pretty { b": " } else { b":" })
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(place) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, marked) = rest.split_at(place);
            writer.write_all(plain.as_bytes())?;
            let mut characters = marked.chars();
            if let Some(character) = characters.next() {
                write!(writer, "\\u{:04x}", u32::from(character))?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Quote => writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::LineFeed => writer.write_all(b"\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\r"),
            CharEscape::Tab => writer.write_all(b"\\t"),
            // Go has no short form for these two.
            CharEscape::Backspace => writer.write_all(b"\\u0008"),
            CharEscape::FormFeed => writer.write_all(b"\\u000c"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &serde_json::Value, style: Style) -> String {
        String::from_utf8(to_vec(value, style).unwrap()).unwrap()
    }

    #[test]
    fn what_means_something_to_a_browser_is_escaped_in_keys_and_values() {
        assert_eq!(
            text(
                &json!({"<k>": "a=>b & \u{2028}\u{2029} \u{8}\u{c}\u{1}\n\t\"\\/é"}),
                Style::Compact
            ),
            "{\"\\u003ck\\u003e\":\"a=\\u003eb \\u0026 \\u2028\\u2029 \\u0008\\u000c\\u0001\\n\\t\\\"\\\\/é\"}"
        );
    }

    #[test]
    fn pretty_is_four_spaces_with_a_final_newline_and_empty_things_stay_short() {
        assert_eq!(
            text(
                &json!({"a": [1, {"b": null}], "c": {}, "d": []}),
                Style::Pretty
            ),
            "{\n    \"a\": [\n        1,\n        {\n            \"b\": null\n        }\n    ],\n    \
             \"c\": {},\n    \"d\": []\n}\n"
        );
        assert_eq!(text(&json!([]), Style::Pretty), "[]\n");
    }
}
