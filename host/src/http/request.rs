//! A request on its way to a handler.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::HeaderMap;
use http::{Method, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::api::Api;
use super::error::ApiError;
use super::json::Style;
use super::parked::Parking;
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
    /// The line that it began with.
    pub(crate) line: Line,
    /// Where it says that it waits.
    pub(crate) parking: Arc<Parking>,
}

/// The first line of a request.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
}

impl Request {
    /// Its head as bytes that mean the same when they are read again; nothing if it has a body,
    /// or is no question, or would not be taken again. Written anew a head can be longer: by a
    /// blank after each colon, and where lines ended in less than CR and LF.
    pub(crate) fn head(&self, limits: &HttpLimits) -> Option<Vec<u8>> {
        let Line {
            method,
            uri,
            version,
        } = &self.line;
        if *method != Method::GET || !self.body.is_end_stream() {
            return None;
        }
        let mut head = format!("{method} {uri} {version:?}\r\n").into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head.shrink_to_fit();
        (head.len() <= limits.largest_head()).then_some(head)
    }

    /// Reads the whole body. What of it is large counts against what all bodies may take
    /// together, until it is dropped.
    ///
    /// # Errors
    /// 413 for one that is too large, whatever it says about itself; 408 for one that comes too
    /// slowly; 503 if there are too many large ones at once; 400 for one that breaks off.
    pub(crate) async fn read_body(&mut self, api: &Api) -> Result<Body, ApiError> {
        let limits = &api.settings.limits;
        let announced = usize::try_from(self.body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limits.body {
            return Err(too_large(limits));
        }
        let begin = Instant::now();
        let mut parts = Parts::default();
        let mut room = Room::default();
        loop {
            let earned = parts.len() / limits.body_rate.max(1);
            let deadline = begin
                + limits.body_time
                + Duration::from_secs(u64::try_from(earned).unwrap_or(u64::MAX));
            let frame = match next_frame(&mut self.body, deadline).await {
                Err(_elapsed) => return Err(too_slow()),
                Ok(None) => break,
                Ok(Some(Err(error))) => {
                    return Err(ApiError::plain_bad_request(format!(
                        "the request body cannot be read: {error}"
                    )));
                }
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(data) = frame.into_data() {
                let length = parts.len() + data.len();
                if length > limits.body {
                    return Err(too_large(limits));
                }
                room.grow(&api.bodies, length)?;
                parts.push(data);
            }
            if self.body.is_end_stream() {
                break;
            }
        }
        Ok(Body {
            bytes: parts.join(),
            _room: room,
        })
    }
}

/// The next frame of a body, `None` at its end, unless it is not there at the deadline.
///
/// hyper hands over what it has read already in the next turn of the task. Nearly all bodies are
/// there by then, and for those no timer is set.
async fn next_frame(
    body: &mut Incoming,
    deadline: Instant,
) -> Result<Option<Result<Frame<Bytes>, hyper::Error>>, Elapsed> {
    let mut was_asked = false;
    let at_once = poll_fn(|context| match Pin::new(&mut *body).poll_frame(context) {
        Poll::Ready(frame) => Poll::Ready(Some(frame)),
        Poll::Pending if was_asked => Poll::Ready(None),
        Poll::Pending => {
            was_asked = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match at_once.await {
        Some(frame) => Ok(frame),
        None => timeout_at(deadline, body.frame()).await,
    }
}

/// A body that was read.
pub(crate) struct Body {
    bytes: Bytes,
    _room: Room,
}

impl std::ops::Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// How much of a body is not counted: nearly all bodies are smaller.
const UNCOUNTED: usize = 16 << 10;

/// What a body takes of the room for large ones.
#[derive(Default)]
struct Room {
    counted: usize,
    held: Option<OwnedSemaphorePermit>,
}

impl Room {
    fn grow(&mut self, bodies: &Arc<Semaphore>, length: usize) -> Result<(), ApiError> {
        let wanted = length.saturating_sub(UNCOUNTED);
        let more = wanted.saturating_sub(self.counted);
        if more == 0 {
            return Ok(());
        }
        let permits = u32::try_from(more).unwrap_or(u32::MAX);
        let permit = Arc::clone(bodies)
            .try_acquire_many_owned(permits)
            .map_err(|_full| {
                ApiError::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too many large requests at once, try again later",
                )
            })?;
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
        self.counted = wanted;
        Ok(())
    }
}

fn too_large(limits: &HttpLimits) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "the request body is larger than {} bytes, which is the limit",
            limits.body
        ),
    )
}

fn too_slow() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "the request body comes too slowly",
    )
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
