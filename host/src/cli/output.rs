//! How results are printed: for people, or as JSON.

use clap::{Args, ValueEnum};

/// The flag that every command with a result has.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Output {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

impl Output {
    /// Whether JSON is wanted.
    pub(super) const fn is_json(self) -> bool {
        matches!(self.format, Format::Json)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Pretty,
    Json,
}

/// Columns as wide as their widest cell, `gap` blanks apart, nothing after the last cell.
pub(super) fn table<const N: usize>(rows: &[[String; N]], gap: usize) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    rows.iter()
        .map(|row| {
            let padded = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            let line = padded.collect::<Vec<_>>().join(&" ".repeat(gap));
            line.trim_end().to_owned()
        })
        .collect()
}

/// `key=value, key=value`, in the order of the keys.
pub(super) fn pairs<'a>(
    map: impl IntoIterator<Item = (&'a String, &'a String)>,
    between: &str,
) -> String {
    let pairs: Vec<_> = map
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "b"], ["ccc", ""], ["ü", "d"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows, 2), ["a    b", "ccc", "ü    d"]);
        assert_eq!(table::<1>(&[], 2), Vec::<String>::new());
    }
}
