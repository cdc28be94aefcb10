//! An agent that is killed while its CA changes, and everything it handed out before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::ca::{Ca, CaRoots, RotationError, Sent};
use crate::harness::ProcessError;
use crate::peers::Agent;

/// Where in a change the kill comes. The seed is printed, so that a failure can be had again.
#[derive(Clone, Debug)]
pub struct KillMoments {
    state: u64,
}

impl KillMoments {
    /// Those of `CHANCERY_KILL_SEED`, or of this process.
    #[must_use]
    pub fn from_environment() -> Self {
        let given = std::env::var("CHANCERY_KILL_SEED").ok();
        let seed = given
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| u64::from(std::process::id()) << 20 | 0xC0FF_EE00);
        println!("CHANCERY_KILL_SEED={seed}");
        Self { state: seed }
    }

    /// One in a change that takes so long, or shortly after it.
    pub fn within(&mut self, takes: Duration) -> Duration {
        // xorshift64*
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let draw = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        takes.mul_f64(1.2 * (draw as f64 / (1_u64 << 53) as f64))
    }
}

/// A leaf, and the roots that were served shortly before somebody asked for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The leaf.
    pub leaf: Sent,
    /// The roots.
    pub bundle: Arc<CaRoots>,
    /// When they were asked for.
    pub bundle_taken: Instant,
}

/// Orders a change and kills the agent `after` that, while leafs are asked for all the time.
///
/// # Errors
/// When the agent had ended before.
pub async fn killed_while_changing(
    agent: Agent,
    ca: &Ca,
    after: Duration,
    order: impl Future<Output = Result<(), RotationError>> + Send + 'static,
) -> Result<Vec<Issued>, ProcessError> {
    let stop = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn(ask(ca.clone(), Arc::clone(&stop)));
    let order = tokio::spawn(order);
    tokio::time::sleep(after).await;
    agent.kill().await?;
    // Whether an answer came is the moment's chance.
    drop(order.await);
    stop.store(true, Ordering::SeqCst);
    Ok(asking.await.unwrap_or_default())
}

/// Asks for the roots and for leafs that nobody has asked for, until there is no answer.
async fn ask(ca: Ca, stop: Arc<AtomicBool>) -> Vec<Issued> {
    let mut issued = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let bundle_taken = Instant::now();
        let Ok(roots) = ca.roots().await else { break };
        let bundle = Arc::new(roots);
        for number in 0..5 {
            let name = format!("asked-{}-{number}", issued.len());
            let Ok(leaf) = ca.leaf(&name).await else {
                break;
            };
            issued.push(Issued {
                leaf,
                bundle: Arc::clone(&bundle),
                bundle_taken,
            });
        }
    }
    issued
}
