//! Whether the proxies have gone along with a change of the CA.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Ca, HeldPeer, RotationError};
use crate::harness::eventually;

const PATIENCE: Duration = Duration::from_secs(60);

impl Ca {
    /// Waits until the proxy of `service` shows a leaf that stands on the active root alone.
    ///
    /// # Errors
    /// [`RotationError`], in the end that of the last try.
    pub async fn wait_moved(&self, service: &str) -> Result<(), RotationError> {
        let mut newest = self.roots().await?;
        newest.roots.retain(|(id, _)| *id == newest.active);
        let mover = HeldPeer::of(self.leaf("mover").await?, &newest)?;
        let proxy = self.proxy_of(service).await?;
        eventually(PATIENCE, async || mover.call(proxy).await).await
    }

    /// Where the proxy of `service` takes connections.
    async fn proxy_of(&self, service: &str) -> Result<SocketAddr, RotationError> {
        let found = self.get(&format!("/v1/health/connect/{service}")).await?;
        let port = found[0]["Service"]["Port"].as_u64();
        let port = port.and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| RotationError::Shape {
            what: "proxy with a port",
            answer: found.to_string(),
        })?;
        Ok(SocketAddr::from(([127, 0, 0, 1], port)))
    }
}
