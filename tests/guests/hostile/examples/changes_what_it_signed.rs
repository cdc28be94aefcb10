//! Has a leaf signed by the root's key, and another serial put into it afterwards.
#![cfg(target_family = "wasm")]
#![expect(clippy::expect_used, reason = "a test must not go on without")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct ChangesWhatItSigned;

impl Guest for ChangesWhatItSigned {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let wanted = ca::Leaf::wanted(&request);
        let serial = &wanted.serial;
        let mut leaf = wanted.sign();
        let at = leaf.windows(serial.len()).position(|it| it == serial);
        let last = at.and_then(|at| leaf.get_mut(at + serial.len() - 1));
        *last.expect("the serial is in the leaf") ^= 1;
        Ok(vec![leaf])
    }
}

guest!(ChangesWhatItSigned);
