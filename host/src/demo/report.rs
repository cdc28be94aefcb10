//! What the demo says.

use std::fmt::Display;
use std::io::Write;

/// Numbered steps with short lines under them.
pub(super) struct Report<'a> {
    out: &'a mut dyn Write,
    steps: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, steps: 0 }
    }

    pub(super) fn step(&mut self, title: &str) {
        self.steps += 1;
        let number = self.steps;
        self.write(format_args!("\n{number}. {title}\n"));
    }

    pub(super) fn fact(&mut self, name: &str, value: impl Display) {
        self.write(format_args!("   {name:<16} {value}\n"));
    }

    pub(super) fn line(&mut self, text: &str) {
        self.write(format_args!("   {text}\n"));
    }

    pub(super) fn end(&mut self, text: &str) {
        self.write(format_args!("\n{text}\n"));
    }

    /// Each step is shown when it happens. That nobody reads any more does not stop the demo.
    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
        let _ = self.out.flush();
    }
}
