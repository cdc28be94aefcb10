//! The pages for people: what stands in their code blocks, and a terminal that runs it.

mod page;
mod terminal;

pub use page::Page;
pub use terminal::{Ran, Terminal, TerminalError};
