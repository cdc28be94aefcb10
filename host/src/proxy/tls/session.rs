//! One TLS connection without buffers of its own: the caller lends them while bytes flow.
//!
//! rustls' buffered connections read at most 4 KiB from a socket at a time and keep their
//! buffers for as long as they live. This drives the unbuffered ones instead: records are read
//! 64 KiB at a time and decrypted where they lie, and an idle connection costs its keys.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::CertificateDer;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus,
};
use rustls::{CommonState, ProtocolVersion};

use crate::proxy::buffer::Buffer;
use crate::proxy::tls::gate::Refusal;

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SessionError {
    /// The gate let the peer not pass.
    #[error(transparent)]
    Refused(Refusal),
    /// rustls asked for something that its own rules exclude here.
    #[error("the TLS session is in a state without a way forward: {0}")]
    State(&'static str),
    /// The peer broke the protocol.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// Where a session stands when it wants nothing done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// More bytes of the peer are needed.
    Blocked,
    /// Both sides have closed.
    Closed,
    /// The handshake is complete, and bytes can be sealed.
    Traffic,
}

/// What to do once the session can send.
#[derive(Clone, Copy)]
enum Wish<'a> {
    Close,
    Nothing,
    Seal(&'a [u8]),
}

/// A TLS connection of either role.
pub(crate) struct Session {
    engine: Engine,
    peer_closed: bool,
}

enum Engine {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

impl Session {
    pub(crate) fn client(connection: UnbufferedClientConnection) -> Self {
        Self {
            engine: Engine::Client(Box::new(connection)),
            peer_closed: false,
        }
    }

    pub(crate) fn server(connection: UnbufferedServerConnection) -> Self {
        Self {
            engine: Engine::Server(Box::new(connection)),
            peer_closed: false,
        }
    }

    /// Whether the peer has said that it sends no more (`close_notify`).
    pub(crate) const fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.facts().is_handshaking()
    }

    /// The chain that the peer proved to be its own: in this handshake, or in the one that began
    /// a resumed session. Empty before that.
    pub(super) fn peer_chain(&self) -> &[CertificateDer<'static>] {
        self.facts().peer_certificates().unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn is_resumed(&self) -> bool {
        self.facts().handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    #[cfg(test)]
    pub(super) fn key_exchange_group(&self) -> Option<rustls::NamedGroup> {
        let group = self.facts().negotiated_key_exchange_group()?;
        Some(group.name())
    }

    pub(super) fn is_tls13(&self) -> bool {
        self.facts().protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Whether what is left to send when a handshake is complete is nothing that the peer waits
    /// for: the tickets of a server. A client's Finished is waited for.
    pub(crate) fn has_only_tickets_left(&self) -> bool {
        matches!(self.engine, Engine::Server(_)) && self.is_tls13()
    }

    fn facts(&self) -> &CommonState {
        match &self.engine {
            Engine::Client(connection) => connection,
            Engine::Server(connection) => connection,
        }
    }

    /// Takes what lies in `incoming` as far as whole records go: clear bytes are appended to
    /// `clear`, what must be answered to `sealed`.
    ///
    /// # Errors
    /// After an error the alert for the peer, if there is one, has been appended to `sealed`.
    pub(crate) fn open(
        &mut self,
        incoming: &mut Buffer,
        clear: &mut Buffer,
        sealed: &mut Buffer,
    ) -> Result<Turn, SessionError> {
        self.drive(incoming, clear, sealed, Wish::Nothing)
    }

    /// Seals `bytes` into `sealed`. `incoming` must have been taken by
    /// [`open`](Self::open) before, so that only a part of a record is left in it.
    pub(crate) fn seal(
        &mut self,
        bytes: &[u8],
        incoming: &mut Buffer,
        sealed: &mut Buffer,
    ) -> Result<(), SessionError> {
        let mut clear = Buffer::default();
        let turn = self.drive(incoming, &mut clear, sealed, Wish::Seal(bytes))?;
        if turn == Turn::Traffic && clear.is_empty() {
            Ok(())
        } else {
            Err(SessionError::State("it is not ready to seal"))
        }
    }

    /// Says that nothing more will be sent. The peer may go on sending.
    pub(crate) fn close(
        &mut self,
        incoming: &mut Buffer,
        sealed: &mut Buffer,
    ) -> Result<(), SessionError> {
        self.drive(incoming, &mut Buffer::default(), sealed, Wish::Close)
            .map(drop)
    }

    fn drive(
        &mut self,
        incoming: &mut Buffer,
        clear: &mut Buffer,
        sealed: &mut Buffer,
        wish: Wish<'_>,
    ) -> Result<Turn, SessionError> {
        loop {
            let (discard, step) = match &mut self.engine {
                Engine::Client(connection) => settle::<ClientConnectionData>(
                    connection.process_tls_records(incoming.filled_mut()),
                    clear,
                    sealed,
                    wish,
                ),
                Engine::Server(connection) => settle::<ServerConnectionData>(
                    connection.process_tls_records(incoming.filled_mut()),
                    clear,
                    sealed,
                    wish,
                ),
            };
            incoming.consume(discard);
            match step {
                Ok(Step::Again) => {}
                Ok(Step::PeerClosed) => self.peer_closed = true,
                Ok(Step::Rest(turn)) => return Ok(turn),
                Err(error) => {
                    let refused = Refusal::take().map(SessionError::Refused);
                    self.collect_alert(incoming, sealed);
                    return Err(refused.unwrap_or(error));
                }
            }
        }
    }

    // rustls hands the alert out before it looks at what else has come. Asked once more, it would
    // go on with the bytes behind the error, find fault with them too and, where it checks
    // itself, panic over a second alert.
    fn collect_alert(&mut self, incoming: &mut Buffer, sealed: &mut Buffer) {
        let mut clear = Buffer::default();
        let (discard, _) = match &mut self.engine {
            Engine::Client(connection) => settle::<ClientConnectionData>(
                connection.process_tls_records(incoming.filled_mut()),
                &mut clear,
                sealed,
                Wish::Nothing,
            ),
            Engine::Server(connection) => settle::<ServerConnectionData>(
                connection.process_tls_records(incoming.filled_mut()),
                &mut clear,
                sealed,
                Wish::Nothing,
            ),
        };
        incoming.consume(discard);
    }
}

enum Step {
    Again,
    PeerClosed,
    Rest(Turn),
}

fn settle<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    clear: &mut Buffer,
    sealed: &mut Buffer,
    wish: Wish<'_>,
) -> (usize, Result<Step, SessionError>) {
    let mut discard = status.discard;
    let state = match status.state {
        Ok(state) => state,
        Err(error) => return (discard, Err(error.into())),
    };
    let step = match state {
        ConnectionState::ReadTraffic(mut traffic) => loop {
            match traffic.next_record() {
                Some(Ok(record)) => {
                    discard += record.discard;
                    clear.push(record.payload);
                }
                Some(Err(error)) => break Err(error.into()),
                None => break Ok(Step::Again),
            }
        },
        ConnectionState::EncodeTlsData(data) => encode(data, sealed),
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(Step::Again)
        }
        ConnectionState::BlockedHandshake => Ok(Step::Rest(Turn::Blocked)),
        ConnectionState::PeerClosed => Ok(Step::PeerClosed),
        ConnectionState::Closed => Ok(Step::Rest(Turn::Closed)),
        ConnectionState::WriteTraffic(mut traffic) => {
            let written = match wish {
                Wish::Nothing => Ok(0),
                Wish::Seal(bytes) => with_room(sealed, |room| traffic.encrypt(bytes, room)),
                Wish::Close => with_room(sealed, |room| traffic.queue_close_notify(room)),
            };
            written.map(|count| {
                sealed.fill(count);
                Step::Rest(Turn::Traffic)
            })
        }
        _ => Err(SessionError::State("early data, which was not offered")),
    };
    (discard, step)
}

fn encode<Data>(
    mut data: EncodeTlsData<'_, Data>,
    sealed: &mut Buffer,
) -> Result<Step, SessionError> {
    loop {
        match data.encode(sealed.space()) {
            Ok(count) => {
                sealed.fill(count);
                return Ok(Step::Again);
            }
            Err(EncodeError::InsufficientSize(short)) => sealed.reserve(short.required_size),
            Err(EncodeError::AlreadyEncoded) => {
                return Err(SessionError::State("a message was encoded twice"));
            }
        }
    }
}

fn with_room(
    sealed: &mut Buffer,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<usize, SessionError> {
    loop {
        match write(sealed.space()) {
            Ok(count) => return Ok(count),
            Err(EncryptError::InsufficientSize(short)) => sealed.reserve(short.required_size),
            Err(EncryptError::EncryptExhausted) => {
                return Err(SessionError::State("its keys have sealed all they may"));
            }
        }
    }
}
