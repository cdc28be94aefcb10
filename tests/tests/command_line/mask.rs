//! What differs from run to run, put out of sight.

/// A text with ids, times, ports and indexes masked, and no blanks at the ends of lines: Consul
/// pads the last column too.
pub(crate) fn masked(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(|line| masked_line(line.trim_end()))
        .collect();
    lines.join("\n").trim_end().to_owned()
}

fn masked_line(line: &str) -> String {
    for volatile in ["Created At:", "\"CreateIndex\":", "\"ModifyIndex\":"] {
        if let Some(place) = line.find(volatile) {
            let end = place + volatile.len();
            return format!("{}…", line.get(..end).unwrap_or_default());
        }
    }
    let mut out = String::new();
    let mut word = String::new();
    for letter in line.chars() {
        if letter.is_ascii_hexdigit() || letter == '-' {
            word.push(letter);
            continue;
        }
        out.push_str(masked_word(&word, out.ends_with(':')));
        word.clear();
        out.push(letter);
    }
    out.push_str(masked_word(&word, out.ends_with(':')));
    out
}

/// An id, the beginning of one, or a port after a colon.
fn masked_word(word: &str, after_colon: bool) -> &str {
    let hex = |text: &str| text.len() == 8 && text.chars().all(|letter| letter != '-');
    let port = word.len() > 3 && word.chars().all(|letter| letter.is_ascii_digit());
    if word.len() == 36 && word.split('-').count() == 5 {
        "<id>"
    } else if hex(word) && word.chars().any(|letter| letter.is_ascii_digit()) {
        "<id…>"
    } else if port && after_colon {
        "<port>"
    } else {
        word
    }
}

#[test]
fn only_what_is_volatile_is_masked() {
    for (text, shown) in [
        (
            "n1  4e45cce3  127.0.0.1:28301  alive  ",
            "n1  <id…>  127.0.0.1:<port>  alive",
        ),
        ("ID:  eb1c4a24-083e-3036-f6c3-7cf98ae4689e", "ID:  <id>"),
        ("Created At:   Tuesday", "Created At:…"),
        ("\t\"CreateIndex\": 5,", "\t\"CreateIndex\":…"),
        ("web => db (allow)", "web => db (allow)"),
    ] {
        assert_eq!(masked(text), shown);
    }
}
