//! `chancery plugin new`: a plugin that works, to begin with.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::context::{Context, Failure};

/// Make a project with a plugin that compiles and works as it is
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Its folder, which must not be there yet; the last part is the plugin's name: lower case
    /// letters, digits and hyphens
    #[arg(value_name = "NAME")]
    folder: PathBuf,
    /// The language to write it in
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    Js,
    Python,
    Rust,
}

impl Language {
    /// The files, and the name that the plugin has in them.
    const fn template(self) -> (&'static [(&'static str, &'static str)], &'static str) {
        match self {
            Self::Js => (templates::JS, "local-ca-js"),
            Self::Python => (templates::PYTHON, "local-ca-python"),
            Self::Rust => (templates::RUST, "local-ca"),
        }
    }
}

impl New {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let name = name(&self.folder)?;
        let (files, before) = self.lang.template();
        let shown = self.folder.display();
        // Not `create_dir_all`: what is there already is somebody's work.
        fs::create_dir(&self.folder)
            .map_err(|error| Failure::new(format!("Error making {shown}: {error}")))?;
        for (path, text) in files {
            let text = if is_ours(path) {
                (*text).to_owned()
            } else {
                renamed(text, before, name)
            };
            write(&self.folder.join(path), &text)?;
        }
        context.print(format_args!(
            "Made {shown}, a plugin that works as it is. {} says how to build and try it.",
            self.folder.join("README.md").display()
        ));
        Ok(0)
    }
}

/// Whether a file is the same in all plugins, so that a newer one can take its place.
fn is_ours(path: &str) -> bool {
    path.starts_with("vendor/") || path.starts_with("wit/")
}

fn name(folder: &Path) -> Result<&str, Failure> {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.filter(|name| is_name(name)).ok_or_else(|| {
        Failure::new(format!(
            "Error: {} is no name for a plugin: it must begin with a lower case letter and go on \
             with lower case letters, digits and single hyphens, at most {LONGEST} in all",
            folder.display()
        ))
    })
}

/// A plugin's name becomes that of a crate and of a type, too.
fn is_name(name: &str) -> bool {
    let word = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && !word.is_empty()
    };
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.split('-').all(word)
}

/// The text with another name in all three spellings.
fn renamed(text: &str, before: &str, name: &str) -> String {
    text.replace(before, name)
        .replace(&before.replace('-', "_"), &name.replace('-', "_"))
        .replace(&as_type(before), &as_type(name))
}

/// `my-ca` as a type in Rust: `MyCa`.
fn as_type(name: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(capital).collect()
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| Failure::new(format!("Error writing {}: {error}", path.display())))
}

/// As the agent wants names to be.
const LONGEST: usize = 32;

#[path = "../../../../plugins/templates/files.rs"]
mod templates;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_crates() {
        for good in ["my-ca", "a", "ca2", "acme-pki-1"] {
            assert!(is_name(good), "{good}");
        }
        let long = "a".repeat(LONGEST + 1);
        for bad in [
            "", "My-ca", "1ca", "-ca", "ca-", "a--b", "a_b", "ä", "a b", &long,
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn nothing_of_the_examples_name_is_left() {
        for language in [Language::Js, Language::Python, Language::Rust] {
            let (files, before) = language.template();
            assert!(files.iter().any(|(path, _)| *path == "README.md"));
            for (path, text) in files.iter().filter(|(path, _)| !is_ours(path)) {
                let text = renamed(text, before, "acme-pki");
                assert!(!text.contains(before), "{path}");
                assert!(!text.contains(&before.replace('-', "_")), "{path}");
                assert!(!text.contains(&as_type(before)), "{path}");
            }
        }
    }
}
