//! What this machine could carry at best through two sidecars.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::thread;
use std::time::Duration;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustix::time::{ClockId, clock_gettime};

use crate::load::connect;

/// Bytes moved over loopback for the measurement.
const OVER_LOOPBACK: usize = 512 * 1024 * 1024;
/// Bytes sealed and opened for the measurement.
const SEALED: usize = 256 * 1024 * 1024;
const AT_ONCE: usize = 64 * 1024;
const RECORD: usize = 16 * 1024;

/// The processor time that a byte costs on its way, in seconds, if nothing is spent but on what
/// cannot be left out.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ceiling {
    /// Written and read once over loopback.
    pub hop: f64,
    /// Sealed and opened once as TLS 1.3 does with AES-128-GCM, in records of 16 KiB.
    pub tls: f64,
    /// Processors that can work at the same time.
    pub cores: usize,
}

impl Ceiling {
    /// Measures both costs now. Nothing else should run in this process meanwhile.
    ///
    /// # Errors
    /// When loopback fails.
    pub fn measure() -> io::Result<Self> {
        Ok(Self {
            hop: hop()?,
            tls: tls().ok_or_else(|| io::Error::other("AES-128-GCM failed"))?,
            cores: thread::available_parallelism()?.get(),
        })
    }

    /// Bytes a second through client, two sidecars and application: three hops and one TLS
    /// connection, spread over all processors without a gap.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.cores as f64 / (3.0 * self.hop + self.tls)
    }
}

fn hop() -> io::Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut sender = connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    let start = used();
    thread::scope(|scope| {
        let sending = scope.spawn(move || {
            let block = vec![0x5a; AT_ONCE];
            for _ in 0..OVER_LOOPBACK / AT_ONCE {
                sender.write_all(&block)?;
            }
            sender.shutdown(Shutdown::Write)
        });
        let mut room = vec![0; AT_ONCE];
        while receiver.read(&mut room)? > 0 {}
        sending
            .join()
            .map_err(|_panic| io::Error::other("the sender panicked"))?
    })?;
    Ok((used() - start).as_secs_f64() / OVER_LOOPBACK as f64)
}

fn tls() -> Option<f64> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).ok()?);
    let plain = vec![0x5a; RECORD];
    let mut record = Vec::with_capacity(RECORD + 16);
    let start = used();
    for _ in 0..SEALED / RECORD {
        record.clear();
        record.extend_from_slice(&plain);
        let nonce = || Nonce::assume_unique_for_key([1; 12]);
        key.seal_in_place_append_tag(nonce(), Aad::from([23, 3, 3, 64, 17]), &mut record)
            .ok()?;
        key.open_in_place(nonce(), Aad::from([23, 3, 3, 64, 17]), &mut record)
            .ok()?;
    }
    Some((used() - start).as_secs_f64() / SEALED as f64)
}

/// The processor time of this process so far.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
