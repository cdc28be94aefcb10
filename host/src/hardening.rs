//! Keeping what is in memory out of files and of other processes' reach.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// Forbids core dumps of this process, and reading its memory by other processes of its user.
///
/// Call it before the first secret is in memory. Children inherit the limit but, once they
/// execute another program, not the second part. Root is not kept out.
///
/// # Errors
/// When the system refuses, which Linux does only under a filter of system calls.
pub fn protect_memory() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, none)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_core_dumps_nor_tracing_are_left() {
        protect_memory().unwrap();
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            DumpableBehavior::NotDumpable
        );
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }
}
