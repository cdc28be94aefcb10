//! A TLS 1.3 client made by hand, which can leave out, repeat and distort what an honest
//! library never would (RFC 8446).
//!
//! One suite (`TLS_AES_128_GCM_SHA256`), one group (X25519), and nothing of the server is
//! verified: it is the server that is examined. Messages are built by the functions of this
//! module and sent by [`HandmadeClient::send`] in whatever order the test likes.

use std::io;
use std::net::SocketAddr;

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::records::{
    ALERT, APPLICATION_DATA, Direction, HANDSHAKE, Secret, authenticate, expand, hash, read_record,
    record,
};

/// What a client signs in its CertificateVerify (RFC 8446 §4.4.3).
pub const CLIENT_CONTEXT: &str = "TLS 1.3, client CertificateVerify";

const HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_VERIFY: u8 = 15;
const FINISHED: u8 = 20;

/// A hello that offers what every server here knows, and has not been sent yet.
#[derive(Debug)]
pub struct HandmadeHello {
    message: Vec<u8>,
    key: PrivateKey,
}

impl HandmadeHello {
    /// A new one, padded by `padding` bytes.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(padding: usize) -> io::Result<Self> {
        let key = PrivateKey::generate(&X25519).map_err(broken)?;
        let public = key.compute_public_key().map_err(broken)?;
        let share = [&[0, 0x1d][..], &sized(2, public.as_ref())].concat();
        let extensions = [
            extension(43, &[2, 3, 4]),          // TLS 1.3
            extension(10, &[0, 2, 0, 0x1d]),    // X25519
            extension(13, &[0, 4, 4, 3, 8, 4]), // ECDSA P-256, RSA-PSS
            extension(51, &sized(2, &share)),   // the key share
            extension(21, &vec![0; padding]),   // RFC 7685
        ]
        .concat();
        let fixed = [&[3, 3][..], &[0x5a; 32], &[0], &[0, 2, 0x13, 1], &[1, 0]].concat();
        let message = message(HELLO, &[fixed, sized(2, &extensions)].concat());
        Ok(Self { message, key })
    }

    /// The ClientHello.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The same cut into records of at most `length` bytes each.
    #[must_use]
    pub fn records(&self, length: usize) -> Vec<u8> {
        let parts = self.message.chunks(length.max(1));
        parts.flat_map(|part| record(HANDSHAKE, part)).collect()
    }

    /// Reads the answer to this hello, which has been sent through `stream` already.
    ///
    /// # Errors
    /// What the socket says, or that the server refuses.
    pub async fn answered(self, stream: TcpStream) -> io::Result<HandmadeClient> {
        HandmadeClient::after(self, stream).await
    }
}

/// A client that has read the server's part of the handshake and now sends what it likes.
#[derive(Debug)]
pub struct HandmadeClient {
    stream: TcpStream,
    transcript: Vec<u8>,
    finished_key: Secret,
    application: Secret,
    client: Direction,
    server: Direction,
}

impl HandmadeClient {
    /// Connects to `address`, says hello and reads up to the server's Finished.
    ///
    /// # Errors
    /// What the socket says, or that the server refuses.
    pub async fn greet(address: SocketAddr) -> io::Result<Self> {
        let hello = HandmadeHello::new(0)?;
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&hello.records(usize::MAX)).await?;
        hello.answered(stream).await
    }

    async fn after(hello: HandmadeHello, mut stream: TcpStream) -> io::Result<Self> {
        let mut transcript = hello.message;
        let (kind, answer) = read_record(&mut stream).await?;
        if kind != HANDSHAKE || answer.first() != Some(&SERVER_HELLO) {
            return Err(refused(kind, &answer));
        }
        transcript.extend_from_slice(&answer);
        let peer = key_share(&answer).ok_or_else(|| io::Error::other("no key share"))?;
        let peer = UnparsedPublicKey::new(&X25519, peer);
        let shared = agreement::agree(&hello.key, peer, io::Error::other("no agreement"), |it| {
            Ok(it.to_vec())
        })?;
        let nothing = hash(&[]);
        let early = authenticate(&[0; 32], &[0; 32]);
        let handshake = authenticate(&expand(&early, "derived", &nothing), &shared);
        let greeted = hash(&transcript);
        let client = expand(&handshake, "c hs traffic", &greeted);
        let mut server = Direction::new(&expand(&handshake, "s hs traffic", &greeted))?;
        transcript.extend(flight(&mut stream, &mut server).await?);
        let main = authenticate(&expand(&handshake, "derived", &nothing), &[0; 32]);
        let greeted = hash(&transcript);
        Ok(Self {
            stream,
            transcript,
            finished_key: expand(&client, "finished", &[]),
            application: expand(&main, "c ap traffic", &greeted),
            client: Direction::new(&client)?,
            server: Direction::new(&expand(&main, "s ap traffic", &greeted))?,
        })
    }

    /// A CertificateVerify over the handshake so far, signed with a P-256 key (PKCS #8) for
    /// `context`, which honest clients take to be [`CLIENT_CONTEXT`].
    ///
    /// # Errors
    /// When the key is no such key.
    pub fn proof(&self, key_pkcs8: &[u8], context: &str) -> io::Result<Vec<u8>> {
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, key_pkcs8).map_err(io::Error::other)?;
        let said = hash(&self.transcript);
        let signed = [&[0x20; 64][..], context.as_bytes(), &[0], &said].concat();
        let signature = key.sign(&SystemRandom::new(), &signed).map_err(broken)?;
        Ok(proof_of(signature.as_ref()))
    }

    /// A Finished that is right for the handshake so far.
    #[must_use]
    pub fn finished(&self) -> Vec<u8> {
        let sum = authenticate(&self.finished_key, &hash(&self.transcript));
        message(FINISHED, &sum)
    }

    /// Sends a handshake message, in as many records as it needs.
    ///
    /// # Errors
    /// What the socket says.
    pub async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.transcript.extend_from_slice(message);
        self.seal(HANDSHAKE, message).await
    }

    /// Sends bytes as if the connection were established.
    ///
    /// # Errors
    /// What the socket says.
    pub async fn send_data(&mut self, data: &[u8]) -> io::Result<()> {
        self.seal(APPLICATION_DATA, data).await
    }

    /// From now on seals with the keys that follow the handshake.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn complete(&mut self) -> io::Result<()> {
        self.client = Direction::new(&self.application)?;
        Ok(())
    }

    /// The next bytes of the application.
    ///
    /// # Errors
    /// What the socket says, or the alert that came instead.
    pub async fn read_data(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let (outer, body) = read_record(&mut self.stream).await?;
            let (kind, content) = match outer {
                APPLICATION_DATA => self.server.open(body)?,
                other => (other, body),
            };
            match kind {
                APPLICATION_DATA => return Ok(content),
                HANDSHAKE => {}
                other => return Err(refused(other, &content)),
            }
        }
    }

    /// The connection itself, to go on without any protocol.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    async fn seal(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let mut sealed = Vec::new();
        for part in content.chunks(0x4000) {
            sealed.extend(self.client.seal(kind, part)?);
        }
        self.stream.write_all(&sealed).await
    }
}

/// A Certificate message with this chain, whatever its entries are.
#[must_use]
pub fn certificate(chain: &[Vec<u8>]) -> Vec<u8> {
    let entry = |der: &Vec<u8>| [sized(3, der), vec![0, 0]].concat();
    let entries: Vec<u8> = chain.iter().flat_map(entry).collect();
    message(CERTIFICATE, &[vec![0], sized(3, &entries)].concat())
}

/// The head of a Certificate message that promises `length` bytes.
#[must_use]
pub fn certificate_head(length: u32) -> Vec<u8> {
    let [_, high, middle, low] = length.to_be_bytes();
    vec![CERTIFICATE, high, middle, low]
}

/// A CertificateVerify (ECDSA with P-256) with any bytes for a signature.
#[must_use]
pub fn proof_of(signature: &[u8]) -> Vec<u8> {
    message(
        CERTIFICATE_VERIFY,
        &[&[4, 3][..], &sized(2, signature)].concat(),
    )
}

/// Reads the server's messages up to its Finished.
async fn flight(stream: &mut TcpStream, server: &mut Direction) -> io::Result<Vec<u8>> {
    let mut messages = Vec::new();
    loop {
        match read_record(stream).await? {
            // The change of ciphers that TLS 1.3 only feigns.
            (20, _) => continue,
            (APPLICATION_DATA, body) => {
                let (kind, content) = server.open(body)?;
                if kind != HANDSHAKE {
                    return Err(refused(kind, &content));
                }
                messages.extend(content);
            }
            (kind, body) => return Err(refused(kind, &body)),
        }
        if ends_with_finished(&messages) {
            return Ok(messages);
        }
    }
}

fn ends_with_finished(messages: &[u8]) -> bool {
    let mut rest = messages;
    while let [kind, high, middle, low, after @ ..] = rest {
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        if after.len() < length {
            return false;
        }
        rest = &after[length..];
        if *kind == FINISHED {
            return true;
        }
    }
    false
}

/// The server's public key: in the extension 51 of a ServerHello (RFC 8446 §4.2.8).
fn key_share(hello: &[u8]) -> Option<Vec<u8>> {
    // Header 4, version 2, random 32, then the session id echoed, suite 2, compression 1.
    let session = usize::from(*hello.get(38)?);
    let mut rest = hello.get(39 + session + 3 + 2..)?;
    while let [k0, k1, l0, l1, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let content = after.get(..length)?;
        if [*k0, *k1] == [0, 51] {
            return content.get(4..).map(<[u8]>::to_vec);
        }
        rest = after.get(length..)?;
    }
    None
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [vec![kind], sized(3, body)].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized(2, body)].concat()
}

/// `body` behind its length in `digits` bytes.
fn sized(digits: usize, body: &[u8]) -> Vec<u8> {
    let length = body.len().to_be_bytes();
    [&length[length.len() - digits..], body].concat()
}

fn refused(kind: u8, content: &[u8]) -> io::Error {
    let text = match (kind, content) {
        (ALERT, [_, description]) => format!("alert {description}"),
        _ => format!("an unexpected record of type {kind}"),
    };
    io::Error::new(io::ErrorKind::ConnectionAborted, text)
}

fn broken(_: aws_lc_rs::error::Unspecified) -> io::Error {
    io::Error::other("the cryptography fails")
}
