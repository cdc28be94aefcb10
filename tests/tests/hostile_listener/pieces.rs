//! Handshakes that are put together wrongly.

use std::io;

use chancery_tests::hostile::{self, CLIENT_CONTEXT, HandmadeClient, HostileCase};
use tokio::time::timeout;

use crate::stage::{SOON, Stage};

/// A piece of what a client sends after the server's Finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Certificate,
    Data,
    EmptyCertificate,
    EmptyProof,
    FalseFinished,
    Finished,
    Proof,
    /// A good signature over another handshake.
    ProofElsewhere,
    /// A good signature, as a server would make it.
    ProofOfServer,
    /// A good signature by another key.
    ProofOfStranger,
    /// The signature whose numbers are zero.
    ProofOfZeros,
}

pub(crate) const HONEST: &[Piece] = &[Piece::Certificate, Piece::Proof, Piece::Finished];

pub(crate) const DISHONEST: &[&[Piece]] = {
    use Piece::*;
    &[
        &[Finished],
        &[Proof, Finished],
        &[EmptyCertificate, Finished],
        &[EmptyCertificate, Proof, Finished],
        &[Certificate, Finished],
        &[Certificate, EmptyProof, Finished],
        &[Certificate, ProofElsewhere, Finished],
        &[Certificate, ProofOfServer, Finished],
        &[Certificate, ProofOfStranger, Finished],
        &[Certificate, ProofOfZeros, Finished],
        &[Certificate, Certificate, Proof, Finished],
        &[Certificate, Proof, Proof, Finished],
        &[Certificate, Proof, FalseFinished],
        &[Certificate, Proof, Data, Finished],
        &[Proof, Certificate, Finished],
        &[Data, Certificate, Proof, Finished],
        &[Certificate, Data, Proof, Finished],
    ]
};

/// Sends the pieces and, as if all were well, `ping`; the answer is what comes back.
pub(crate) async fn send_pieces(
    stage: &Stage,
    client: &mut HandmadeClient,
    pieces: &[Piece],
    case: &HostileCase,
) -> io::Result<Vec<u8>> {
    for piece in pieces {
        match message(stage, client, *piece, case).await? {
            Some(message) => client.send(&message).await?,
            None => client.send_data(b"ping").await?,
        }
    }
    client.complete()?;
    client.send_data(b"ping").await?;
    timeout(SOON, client.read_data()).await?
}

/// The message of a piece, if it is one.
async fn message(
    stage: &Stage,
    client: &HandmadeClient,
    piece: Piece,
    case: &HostileCase,
) -> io::Result<Option<Vec<u8>>> {
    let key = &case.key_pkcs8;
    let message = match piece {
        Piece::Certificate => hostile::certificate(&case.chain),
        Piece::Data => return Ok(None),
        Piece::EmptyCertificate => hostile::certificate(&[]),
        Piece::EmptyProof => hostile::proof_of(&[]),
        Piece::FalseFinished => {
            let mut message = client.finished();
            message[4] ^= 1;
            message
        }
        Piece::Finished => client.finished(),
        Piece::Proof => client.proof(key, CLIENT_CONTEXT)?,
        Piece::ProofElsewhere => {
            let elsewhere = HandmadeClient::greet(stage.db.public()).await?;
            elsewhere.proof(key, CLIENT_CONTEXT)?
        }
        Piece::ProofOfServer => client.proof(key, SERVER_CONTEXT)?,
        Piece::ProofOfStranger => {
            let stranger = hostile::stolen(&stage.ca).map_err(io::Error::other)?;
            client.proof(&stranger.key_pkcs8, CLIENT_CONTEXT)?
        }
        Piece::ProofOfZeros => hostile::proof_of(&[0x30, 6, 2, 1, 0, 2, 1, 0]),
    };
    Ok(Some(message))
}

/// What a server signs (RFC 8446 §4.4.3).
const SERVER_CONTEXT: &str = "TLS 1.3, server CertificateVerify";
