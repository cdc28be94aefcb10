//! Who asks.

/// A resolved identity with its rights.
///
/// Every decision takes one, because rights are checked in the middle of it, on the old and on
/// the new value. Until access control exists there is one kind: whoever can reach the API may
/// do everything.
#[derive(Clone, Debug)]
pub struct Caller {
    rights: Rights,
}

#[derive(Clone, Debug)]
enum Rights {
    Unrestricted,
}

impl Caller {
    /// Somebody who may do everything: the agent itself, or anybody while there is no access
    /// control.
    #[must_use]
    pub const fn unrestricted() -> Self {
        Self {
            rights: Rights::Unrestricted,
        }
    }

    /// Whether this caller may write intentions towards `destination`.
    #[must_use]
    pub const fn may_write_intentions(&self, _destination: &str) -> bool {
        match self.rights {
            Rights::Unrestricted => true,
        }
    }
}
