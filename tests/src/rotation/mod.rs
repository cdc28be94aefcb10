//! What a scenario about a change of the CA needs: to order one, to see what the agent then
//! serves, and peers that take no notice of it.

mod ca;
mod held;
mod killed;
mod moved;
mod own;

pub use ca::{Ca, CaRoots, RotationError, Sent};
pub use held::{HeldPeer, HeldServer};
pub use killed::{Issued, KillMoments, killed_while_changing};
pub use own::OperatorCa;
