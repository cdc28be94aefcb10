//! Texts over several lines: `<<EOF` and the indented `<<-EOF`.

use super::lexer::Lexer;
use super::parser::SyntaxError;

/// Reads a heredoc whose first `<` is next.
///
/// The text keeps the line end of its last line. With `<<-` the blanks before the closing mark
/// are taken from every line, if every line has them; else the text stays as it is.
pub(super) fn read(lexer: &mut Lexer<'_>) -> Result<String, SyntaxError> {
    let start = lexer.position();
    if !lexer.take_prefix("<<") {
        return Err(lexer.unexpected("a value; a text over several lines begins with '<<'"));
    }
    let indented = lexer.take_prefix("-");
    let mark = lexer.take_while(|character| character == '_' || character.is_alphanumeric());
    if mark.is_empty() {
        return Err(lexer.unexpected("a word such as EOF after '<<'"));
    }
    lexer.take_prefix("\r");
    if !lexer.take_prefix("\n") {
        return Err(lexer.unexpected("the end of the line after the word that '<<' names"));
    }
    let mut lines = Vec::new();
    loop {
        let line = lexer.take_while(|character| character != '\n');
        if line.trim() == mark {
            let blanks = line.len() - line.trim_start().len();
            let indentation = line.get(..blanks).unwrap_or_default();
            return Ok(text(&lines, indented.then_some(indentation)));
        }
        lines.push(line);
        if lexer.take().is_none() {
            let found = "a text without end".to_owned();
            let expected = format!("a line with nothing but {mark}");
            return Err(SyntaxError::new(start, found, &expected));
        }
    }
}

fn text(lines: &[&str], indentation: Option<&str>) -> String {
    let strip = indentation.filter(|blanks| lines.iter().all(|line| line.starts_with(*blanks)));
    let mut text = String::new();
    for line in lines {
        let kept = strip.and_then(|blanks| line.strip_prefix(blanks));
        text.push_str(kept.unwrap_or(line));
        text.push('\n');
    }
    text
}
