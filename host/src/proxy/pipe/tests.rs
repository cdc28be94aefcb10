use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::proxy::tls::{HandshakeError, handshake};

const SOON: Duration = Duration::from_secs(10);

type Outcome = (Carried, Result<Ended, PipeError>);

/// Two pipes back to back, as two sidecars make them: what goes in at `near` comes out at `far`.
struct Line {
    near: TcpStream,
    far: TcpStream,
    near_pipe: Pipe,
    far_pipe: Pipe,
}

struct Laid {
    near: TcpStream,
    far: TcpStream,
    near_end: JoinHandle<Outcome>,
    far_end: JoinHandle<Outcome>,
    cut: CancellationToken,
}

impl Line {
    async fn lay() -> Self {
        let (near, near_local) = pair().await;
        let (far, far_local) = pair().await;
        let (mut near_peer, mut far_peer) = pair().await;
        let (mut client, mut server) = sessions();
        let near_shakes = async {
            let mut left = handshake(&mut client, &mut near_peer, 65_536, SOON).await?;
            // The other end's handshake ends with this.
            near_peer.write_all(left.sealed.filled()).await?;
            left.sealed.consume(left.sealed.len());
            Ok::<_, HandshakeError>(left)
        };
        let far_shakes = handshake(&mut server, &mut far_peer, 65_536, SOON);
        let (near_left, far_left) = tokio::join!(near_shakes, far_shakes);
        let pool = Pool::default();
        Self {
            near,
            far,
            near_pipe: Pipe::new(
                client,
                near_peer,
                near_local,
                pool.clone(),
                near_left.unwrap(),
            ),
            far_pipe: Pipe::new(server, far_peer, far_local, pool, far_left.unwrap()),
        }
    }

    fn run(self, idle: Option<Duration>) -> Laid {
        let cut = CancellationToken::new();
        let carry = |pipe: Pipe| {
            let cut = cut.clone();
            tokio::spawn(async move { pipe.run(&cut, idle).await })
        };
        Laid {
            near: self.near,
            far: self.far,
            near_end: carry(self.near_pipe),
            far_end: carry(self.far_pipe),
            cut,
        }
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connected, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (connected.unwrap(), accepted.unwrap().0)
}

fn sessions() -> (Session, Session) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let made = rcgen::generate_simple_self_signed(["peer.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.into()], key)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    let name = ServerName::try_from("peer.test").unwrap();
    (
        Session::client(UnbufferedClientConnection::new(Arc::new(client), name).unwrap()),
        Session::server(UnbufferedServerConnection::new(Arc::new(server)).unwrap()),
    )
}

/// The pipe does not ask who the peer is; the gates do.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

async fn ended(end: JoinHandle<Outcome>) -> Outcome {
    timeout(SOON, end).await.unwrap().unwrap()
}

#[tokio::test]
async fn bytes_and_ends_go_both_ways() {
    let mut line = Line::lay().await.run(None);
    let there = vec![1; 300_000];
    line.near.write_all(b"first").await.unwrap();
    let mut first = [0; 5];
    line.far.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"first");

    let near = async {
        line.near.write_all(&there).await.unwrap();
        line.near.shutdown().await.unwrap();
    };
    let mut arrived = Vec::new();
    let (_, read) = tokio::join!(near, line.far.read_to_end(&mut arrived));
    read.unwrap();
    assert!(arrived == there);

    line.far.write_all(b"last word").await.unwrap();
    line.far.shutdown().await.unwrap();
    let mut back = Vec::new();
    line.near.read_to_end(&mut back).await.unwrap();
    assert_eq!(back, b"last word");

    let (near, far) = (ended(line.near_end).await, ended(line.far_end).await);
    let carried = |to_peer, from_peer| Carried { from_peer, to_peer };
    assert_eq!(near.0, carried(300_005, 9));
    assert_eq!(far.0, carried(9, 300_005));
    assert!(matches!(
        (near.1, far.1),
        (Ok(Ended::Closed), Ok(Ended::Closed))
    ));
}

#[tokio::test]
async fn a_cut_resets_both_ends_at_once() {
    let mut line = Line::lay().await.run(None);
    line.cut.cancel();
    assert!(matches!(ended(line.near_end).await.1, Ok(Ended::Cut)));
    let read = line.near.read(&mut [0]).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn silence_ends_a_connection_and_traffic_does_not() {
    let span = Duration::from_millis(400);
    let mut line = Line::lay().await.run(Some(span));
    let begun = Instant::now();
    while begun.elapsed() < span * 2 {
        line.near.write_all(b"x").await.unwrap();
        assert_eq!(line.far.read_u8().await.unwrap(), b'x');
        tokio::time::sleep(span / 10).await;
    }
    assert!(matches!(ended(line.near_end).await.1, Ok(Ended::Idle)));
}

#[tokio::test]
async fn a_stream_without_its_end_is_broken_off() {
    let Line {
        near,
        mut far,
        near_pipe,
        far_pipe,
    } = Line::lay().await;
    // The near proxy dies: its kernel ends the TCP stream, nobody ends the TLS stream.
    drop((near, near_pipe));
    let (_, result) = far_pipe.run(&CancellationToken::new(), None).await;
    assert!(
        matches!(result, Err(PipeError::Truncated | PipeError::Peer(_))),
        "{result:?}"
    );
    let read = far.read(&mut [0]).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_connection_holds_no_buffer_while_nothing_flows() {
    let mut line = Line::lay().await;
    line.near.write_all(&[7; 100_000]).await.unwrap();
    let mut received = vec![0; 100_000];
    let carry = async {
        tokio::select! {
            () = poll_fn(|cx| line.near_pipe.poll(cx)) => {}
            () = poll_fn(|cx| line.far_pipe.poll(cx)) => {}
            read = line.far.read_exact(&mut received) => { read.unwrap(); }
        }
    };
    timeout(SOON, carry).await.unwrap();
    assert!(received == [7; 100_000]);
    for pipe in [&line.near_pipe, &line.far_pipe] {
        assert!(pipe.incoming.is_none() && pipe.clear.is_none());
    }
    assert!(line.near_pipe.sealed.is_none());
    // The server's tickets, which go with its first bytes.
    assert_eq!(line.far_pipe.flight, Some(Flight::Waits));
    assert!(line.far_pipe.sealed.as_ref().unwrap().len() < 1024);
    line.far.write_all(b"!").await.unwrap();
    let carry = async {
        tokio::select! {
            () = poll_fn(|cx| line.near_pipe.poll(cx)) => {}
            () = poll_fn(|cx| line.far_pipe.poll(cx)) => {}
            read = line.near.read_u8() => { assert_eq!(read.unwrap(), b'!'); }
        }
    };
    timeout(SOON, carry).await.unwrap();
    for pipe in [&line.near_pipe, &line.far_pipe] {
        assert!(pipe.incoming.is_none() && pipe.clear.is_none() && pipe.sealed.is_none());
    }
}

#[tokio::test]
async fn the_first_bytes_share_a_packet_with_the_end_of_the_handshake() {
    let (mut application, near_local) = pair().await;
    let (near_peer, mut far_peer) = pair().await;
    let (mut client, mut server) = sessions();
    application.write_all(b"first").await.unwrap();
    near_local.readable().await.unwrap();
    let cut = CancellationToken::new();
    let near = async {
        let mut near_peer = near_peer;
        let left = handshake(&mut client, &mut near_peer, 65_536, SOON).await;
        let pipe = Pipe::new(
            client,
            near_peer,
            near_local,
            Pool::default(),
            left.unwrap(),
        );
        pipe.run(&cut, None).await
    };
    let far = async {
        let left = handshake(&mut server, &mut far_peer, 65_536, SOON).await;
        let left = left.unwrap();
        cut.cancel();
        left
    };
    let (_, left) = timeout(SOON, async { tokio::join!(near, far) })
        .await
        .unwrap();
    // Read with the client's Finished, before anybody asked for more.
    assert_eq!(left.clear.filled(), b"first");
}
