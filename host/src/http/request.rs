//! A request on its way to a handler.

use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout_at};

use super::error::ApiError;
use super::json::Style;
use super::query::Query;
use super::settings::HttpLimits;

/// A request that was admitted and routed.
#[derive(Debug)]
pub(crate) struct Request {
    /// What follows the prefix that the route was found by, decoded; empty for exact routes.
    pub(crate) rest: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) client: IpAddr,
    pub(crate) style: Style,
    pub(crate) body: Incoming,
}

impl Request {
    /// Reads the whole body.
    ///
    /// # Errors
    /// 413 for one that is too large, whatever it says about itself; 408 for one that comes too
    /// slowly; 400 for one that breaks off.
    pub(crate) async fn read_body(&mut self, limits: &HttpLimits) -> Result<Bytes, ApiError> {
        let too_large = || {
            ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the request body is larger than {} bytes, which is the limit",
                    limits.body
                ),
            )
        };
        let announced = usize::try_from(self.body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limits.body {
            return Err(too_large());
        }
        let begin = Instant::now();
        let mut parts = Parts::default();
        loop {
            let earned = parts.len() / limits.body_rate.max(1);
            let deadline = begin
                + limits.body_time
                + Duration::from_secs(u64::try_from(earned).unwrap_or(u64::MAX));
            let frame = match timeout_at(deadline, self.body.frame()).await {
                Err(_elapsed) => {
                    return Err(ApiError::new(
                        StatusCode::REQUEST_TIMEOUT,
                        "the request body comes too slowly",
                    ));
                }
                Ok(None) => return Ok(parts.join()),
                Ok(Some(Err(error))) => {
                    return Err(ApiError::plain_bad_request(format!(
                        "the request body cannot be read: {error}"
                    )));
                }
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(data) = frame.into_data() {
                if parts.len() + data.len() > limits.body {
                    return Err(too_large());
                }
                parts.push(data);
            }
        }
    }
}

/// A body as it comes in: usually one part, which is then not copied.
#[derive(Default)]
struct Parts {
    only: Bytes,
    all: BytesMut,
}

impl Parts {
    fn len(&self) -> usize {
        self.only.len() + self.all.len()
    }

    fn push(&mut self, data: Bytes) {
        if self.only.is_empty() && self.all.is_empty() {
            self.only = data;
            return;
        }
        self.all.extend_from_slice(&std::mem::take(&mut self.only));
        self.all.extend_from_slice(&data);
    }

    fn join(self) -> Bytes {
        if self.all.is_empty() {
            self.only
        } else {
            self.all.freeze()
        }
    }
}
