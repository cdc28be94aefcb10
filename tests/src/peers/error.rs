//! Why a peer cannot be had.

use std::path::PathBuf;

/// A peer's program cannot be had on this machine. One line, for a person.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// A file or directory below `target/peers` cannot be made.
    #[error("{peer} cannot be had: {path}: {reason}")]
    File {
        /// Which program.
        peer: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// This machine's package sources name no Debian archive.
    #[error(
        "{peer} cannot be had: the apt sources of this machine name no Debian archive (looked in \
         /etc/apt/sources.list and /etc/apt/sources.list.d)"
    )]
    NoArchive {
        /// Which program.
        peer: &'static str,
    },
    /// A step of fetching failed.
    #[error("{peer} cannot be had: `{step}` failed: {reason}")]
    Step {
        /// Which program.
        peer: &'static str,
        /// The command.
        step: String,
        /// Its last line.
        reason: String,
    },
    /// What was fetched is another version.
    #[error("{peer} cannot be had: wanted version {wanted}, the archive has {found}")]
    Version {
        /// Which program.
        peer: &'static str,
        /// The version pinned here.
        wanted: &'static str,
        /// The version that was fetched.
        found: String,
    },
}
