//! Listening: connections, their bounds and their end.

use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::api::Api;
use super::dispatch;
use super::listener::{Listener, Stream};
use super::paced::{Paced, Turns};
use super::parked::{Leaves, Parking, Resumed, Wait};
use super::slots::Slots;

/// How long requests may still take when the agent stops. Blocked queries answer at once.
const GRACE: Duration = Duration::from_millis(1_500);

/// How long the end of an answer may still take when the agent stops.
const FLUSH: Duration = Duration::from_millis(200);

/// How long accepting pauses when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a client hears that has too many connections. The status and the text are Consul's.
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 88\r\n\
    Connection: close\r\n\r\n\
    Your IP is issuing too many concurrent connections, please rate limit your calls. (429)\n";

/// Answers requests on `listener` until `shutdown` is cancelled; then blocked queries are answered
/// with what there is, requests under way may end, and everything is closed within two seconds.
pub async fn serve(listener: impl Into<Listener>, api: Api, shutdown: CancellationToken) {
    let listener = listener.into();
    let api = Arc::new(Api {
        guarded: listener.is_on_network(),
        shutdown: shutdown.clone(),
        ..api
    });
    let limits = &api.settings.limits;
    let slots = Slots::new(limits.connections, limits.connections_per_client);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => accept(&api, &slots, &mut connections, stream, client),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the HTTP API could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all_ended).await.is_err() {
        connections.abort_all();
    }
}

fn accept(
    api: &Arc<Api>,
    slots: &Arc<Slots>,
    connections: &mut JoinSet<()>,
    stream: Stream,
    client: IpAddr,
) {
    match slots.take(client) {
        Ok(slot) => {
            let connection = connection(Arc::clone(api), stream, client);
            connections.spawn(async move {
                connection.await;
                drop(slot);
            });
        }
        Err(full) => {
            tracing::debug!(%client, ?full, "refused a connection to the HTTP API");
            // The socket's buffer is empty: either this fits, or the client is gone.
            drop(stream.try_write(TOO_MANY));
        }
    }
}

async fn connection(api: Arc<Api>, stream: Stream, client: IpAddr) {
    let mut next = Resumed {
        stream,
        read: Bytes::new(),
        back: None,
    };
    // In a box, which a query that waits does not keep.
    while let Some((wait, stream, more)) = Box::pin(requests(&api, next, client)).await {
        match wait.over(&api, stream, more).await {
            Some(resumed) => next = resumed,
            None => return,
        }
    }
}

/// Answers requests until the connection ends, or until one has to wait: then with the socket,
/// and with what was read after that request.
async fn requests(
    api: &Arc<Api>,
    resumed: Resumed,
    client: IpAddr,
) -> Option<(Wait, Stream, Bytes)> {
    let Resumed { stream, read, back } = resumed;
    let limits = &api.settings.limits;
    let turns = Arc::new(Turns::default());
    let parking = Arc::new(Parking::new(back));
    let io = TokioIo::new(Paced::new(stream, read, limits, Arc::clone(&turns)));
    let service = {
        let (api, turns, parking) = (Arc::clone(api), Arc::clone(&turns), Arc::clone(&parking));
        service_fn(move |request| {
            turns.begin();
            let (api, turns, parking) =
                (Arc::clone(&api), Arc::clone(&turns), Arc::clone(&parking));
            async move {
                let answer = dispatch::answer(api, client, Arc::clone(&parking), request);
                let answer = pin!(answer);
                let answer = parking.unless_waiting(answer).await?;
                turns.end();
                Ok::<_, Leaves>(answer)
            }
        })
    };
    let mut connection = http1::Builder::new()
        .title_case_headers(true)
        .max_headers(limits.headers)
        .max_buf_size(limits.largest_head())
        .header_read_timeout(None)
        .serve_connection(io, service);
    let ended = tokio::select! {
        // First of all what was read already, also when the agent stops.
        biased;
        result = &mut connection => Some(result),
        () = api.shutdown.cancelled() => None,
    };
    let result = match ended {
        Some(result) => result,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            if turns.is_answering() {
                (&mut connection).await
            } else {
                // At most an answer to flush: half a request is not waited for.
                let flushed = tokio::time::timeout(FLUSH, &mut connection).await;
                flushed.unwrap_or(Ok(()))
            }
        }
    };
    if let Some(wait) = parking.take_wait() {
        let parts = connection.into_parts();
        return Some((wait, parts.io.into_inner().into_inner(), parts.read_buf));
    }
    if let Err(error) = result {
        tracing::debug!(%client, %error, "a connection to the HTTP API broke");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_says_how_long_it_is() {
        let text = std::str::from_utf8(TOO_MANY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }
}
