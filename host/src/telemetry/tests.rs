use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(json: bool, log: impl FnOnce()) -> String {
    let captured = Captured::default();
    let writer = captured.clone();
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { json })
        .with_writer(move || writer.clone());
    let subscriber = tracing_subscriber::registry().with(lines);
    tracing::subscriber::with_default(subscriber, log);
    let bytes = captured.0.lock().expect("lock").clone();
    String::from_utf8(bytes).expect("UTF-8")
}

const HOSTILE: &str = "a\r\nb\u{1b}[2Jc\u{202e}d\u{0}e\u{7f}f\u{2028}g\u{85}h";

#[test]
fn a_line_has_time_level_module_message_and_fields() {
    let line = logged(false, || {
        tracing::info!(target: "chancery::proxy", service = "web", reason = "two words", "denied");
    });
    assert!(
        line.ends_with("[INFO]  proxy: denied service=web reason=\"two words\"\n"),
        "{line}"
    );
    let time = line.trim_start().split(' ').next().unwrap_or_default();
    assert_eq!(time.len(), "2026-11-24T16:36:13.919Z".len(), "{line}");
    assert!(Timestamp::parse(time).is_some(), "{line}");
}

#[test]
fn strangers_bytes_write_no_lines_and_no_escapes() {
    for json in [false, true] {
        let line = logged(json, || {
            tracing::warn!(name = HOSTILE, shown = %HOSTILE, "from {HOSTILE}");
        });
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(line.ends_with('\n'));
        let body = line.trim_end_matches('\n');
        assert!(
            !body.contains(|c: char| c.is_control() && c != '\u{7f}' && c != '\u{85}'),
            "{line:?}"
        );
        if !json {
            assert!(!body.contains(|c: char| c.is_control()), "{line:?}");
            assert!(!body.contains(['\u{202e}', '\u{2028}']), "{line:?}");
        }
    }
}

#[test]
fn a_value_is_cut_at_a_kibibyte() {
    let line = logged(false, || {
        let long = "x".repeat(1 << 20);
        tracing::warn!(name = %long, "{long}");
    });
    assert!(line.len() < 2 * MOST + 100, "{}", line.len());
    assert!(line.contains('…'));
    let exact = printable(&"x".repeat(MOST));
    assert_eq!(exact, "x".repeat(MOST));
    assert_eq!(printable(&"x".repeat(MOST + 1)), format!("{exact}…"));
}

#[test]
fn json_lines_are_json() {
    let line = logged(true, || {
        tracing::error!(target: "chancery::agent::leafs", name = HOSTILE, count = 3, "bad \"thing\"");
    });
    let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(value["@level"], "error");
    assert_eq!(value["@message"], "bad \"thing\"");
    assert_eq!(value["@module"], "agent.leafs");
    assert_eq!(value["count"], "3");
}

#[test]
fn levels_have_consuls_names() {
    for (text, level) in [
        ("trace", Some(LogLevel::Trace)),
        ("DEBUG", Some(LogLevel::Debug)),
        ("Info", Some(LogLevel::Info)),
        ("WARN", Some(LogLevel::Warn)),
        ("ERR", Some(LogLevel::Error)),
        ("error", Some(LogLevel::Error)),
        ("zzz", None),
        ("", None),
    ] {
        assert_eq!(LogLevel::parse(text), level, "{text}");
    }
}
