//! One page of Markdown.

use std::io;
use std::path::{Path, PathBuf};

/// A page, as it stands in the repository.
#[derive(Clone, Debug)]
pub struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    /// Reads the page at `path`, seen from the root of the repository unless it is absolute.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &str) -> io::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        let text = std::fs::read_to_string(&path)?;
        Ok(Self { path, text })
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The texts of its code blocks in `language`.
    #[must_use]
    pub fn blocks(&self, language: &str) -> Vec<String> {
        let mut blocks = Vec::new();
        let mut open: Option<(bool, String)> = None;
        for line in self.text.lines() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(found)) => open = Some((found == language, String::new())),
                (None, None) => {}
                (Some(_), Some(_)) => {
                    blocks.extend(open.take().filter(|(wanted, _)| *wanted).map(|(_, b)| b));
                }
                (Some((_, text)), None) => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        blocks
    }

    /// The commands of its `sh` blocks, one a line; what follows a `#` is for the reader.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.blocks("sh")
            .concat()
            .replace("\\\n", " ")
            .lines()
            .map(|line| line.split(" #").next().unwrap_or_default().trim())
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The cells of each row of its tables, without backticks.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<String>> {
        let row = |line: &str| {
            let inside = line.strip_prefix("| ")?.strip_suffix(" |")?;
            let cells = inside.split(" | ").map(|cell| cell.replace('`', ""));
            Some(cells.collect())
        };
        self.text.lines().filter_map(row).collect()
    }

    /// The files in the repository that its links lead to.
    #[must_use]
    pub fn linked_files(&self) -> Vec<PathBuf> {
        let folder = self.path.parent().unwrap_or(&self.path);
        self.text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
            .filter(|target| !target.is_empty() && !target.contains("://"))
            .map(|target| folder.join(target))
            .collect()
    }
}
