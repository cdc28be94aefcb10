//! The honest CA that every hostile guest stands on: one root, which signs.

use crate::bindings::chancery::ca::keys::{self, Key};
use crate::bindings::chancery::ca::state;
use crate::bindings::chancery::ca::types::{KeyType, Validity};
use crate::bindings::exports::chancery::ca::provider::{
    Capabilities, Description, LeafRequest, OptionKind, OptionSpec, RootRequest,
};
use crate::der::{bits, extension, first, integer, name, octets, sequence, time, tlv};

/// The name of the root's key, and of the root in the state.
pub const ROOT: &str = "root";

/// When the root begins, in the state.
const BEGIN: &str = "begin";

/// What the honest CA says of itself.
#[must_use]
pub fn description() -> Description {
    Description {
        name: "hostile".to_owned(),
        version: "1.0.0".to_owned(),
        about: "a CA for tests of the sandbox".to_owned(),
        capabilities: Capabilities::CHOOSES_SERIALS,
        keys: vec![KeyType::EcP256],
        options: vec![OptionSpec {
            name: "targets".to_owned(),
            kind: OptionKind::Texts,
            required: false,
            default: None,
            about: "the URLs that are asked, the one that is allowed first".to_owned(),
        }],
    }
}

/// The root, made if there is none or a new one is wanted.
#[must_use]
pub fn root(request: &RootRequest) -> Vec<u8> {
    match state::get(ROOT) {
        Some(root) if !request.renew => root,
        _ => {
            keys::remove(ROOT).expect("the call may write");
            let key = keys::generate(ROOT, request.template.key).expect("there is room");
            let root = self_signed(request, &key);
            state::set(ROOT, &root).expect("there is room");
            let begin = request.template.validity.not_before.to_be_bytes();
            state::set(BEGIN, &begin).expect("there is room");
            root
        }
    }
}

/// A root as the template wants it, under `key`.
#[must_use]
pub fn self_signed(request: &RootRequest, key: &Key) -> Vec<u8> {
    let template = &request.template;
    let subject = name(&template.common_name);
    let public_key = key.public_key();
    let extensions = [
        extension(19, true, &sequence(&[&[0x01, 0x01, 0xff]])),
        extension(15, true, &[0x03, 0x02, 0x01, 0x06]),
        extension(14, false, &octets(&key_id(&public_key))),
        authority_key_id(&public_key),
        extension(
            17,
            false,
            &sequence(&[&tlv(0x86, &[template.uri.as_bytes()])]),
        ),
    ];
    certificate(
        &template.serial,
        &subject,
        template.validity,
        &subject,
        &public_key,
        &extensions.concat(),
        key,
    )
}

/// A leaf, before it is signed: what was wanted, until a guest changes it.
#[derive(Debug)]
pub struct Leaf {
    /// Whether it says that it is a CA.
    pub ca: bool,
    /// The common name.
    pub common_name: String,
    /// The content of the subject alternative names.
    pub names: Vec<u8>,
    /// Its key, a SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// Its serial number.
    pub serial: Vec<u8>,
    /// When it lives.
    pub validity: Validity,
    /// Further extensions.
    pub more: Vec<u8>,
}

impl Leaf {
    /// What the host asks for.
    #[must_use]
    pub fn wanted(request: &LeafRequest) -> Self {
        let template = &request.template;
        let begin = state::get(BEGIN).and_then(|bytes| bytes.try_into().ok());
        let begin = begin.map_or(i64::MIN, i64::from_be_bytes);
        let validity = Validity {
            not_before: template.validity.not_before.max(begin),
            not_after: template.validity.not_after,
        };
        Self {
            ca: false,
            common_name: template.common_name.clone(),
            names: uri(&template.uri),
            public_key: request.public_key.clone(),
            serial: template.serial.clone(),
            validity,
            more: Vec::new(),
        }
    }

    /// Signs it with the root's key.
    #[must_use]
    pub fn sign(&self) -> Vec<u8> {
        self.sign_with(&keys::open(ROOT).expect("there is a root"))
    }

    /// Signs it with `key`, and says that it was the root's.
    #[must_use]
    pub fn sign_with(&self, key: &Key) -> Vec<u8> {
        let root = state::get(ROOT).expect("there is a root");
        let root_key = keys::open(ROOT).expect("there is a root").public_key();
        let constraints: &[u8] = if self.ca { &[0x01, 0x01, 0xff] } else { &[] };
        let extensions = [
            extension(19, true, &sequence(&[constraints])),
            extension(15, true, &[0x03, 0x02, 0x07, 0x80]),
            extension(37, false, &both_purposes()),
            extension(14, false, &octets(&key_id(&self.public_key))),
            authority_key_id(&root_key),
            extension(17, false, &sequence(&[&self.names])),
            self.more.clone(),
        ];
        certificate(
            &self.serial,
            subject(&root),
            self.validity,
            &name(&self.common_name),
            &self.public_key,
            &extensions.concat(),
            key,
        )
    }
}

/// A subject alternative name that is a URI.
#[must_use]
pub fn uri(uri: &str) -> Vec<u8> {
    tlv(0x86, &[uri.as_bytes()])
}

fn both_purposes() -> Vec<u8> {
    let purpose = |last| [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, last];
    sequence(&[&purpose(2), &purpose(1)])
}

/// The last bytes of the key: as good a name for it as a hash.
fn key_id(public_key: &[u8]) -> Vec<u8> {
    let from = public_key.len().saturating_sub(20);
    public_key.get(from..).unwrap_or_default().to_vec()
}

fn authority_key_id(public_key: &[u8]) -> Vec<u8> {
    let id = tlv(0x80, &[&key_id(public_key)]);
    extension(35, false, &sequence(&[&id]))
}

/// The subject of a certificate that this CA made.
fn subject(certificate: &[u8]) -> &[u8] {
    let fields = first(certificate)
        .and_then(|(whole, _)| first(whole))
        .map(|(fields, _)| fields);
    // Version, serial, algorithm, issuer, validity.
    let rest = (0..5).try_fold(fields.unwrap_or_default(), |rest, _| {
        first(rest).map(|(_, rest)| rest)
    });
    let rest = rest.expect("it is a certificate");
    let (_, behind) = first(rest).expect("it is a certificate");
    rest.get(..rest.len() - behind.len()).unwrap_or_default()
}

fn certificate(
    serial: &[u8],
    issuer: &[u8],
    validity: Validity,
    subject: &[u8],
    public_key: &[u8],
    extensions: &[u8],
    key: &Key,
) -> Vec<u8> {
    let algorithm = key.signature_algorithm();
    let to_sign = sequence(&[
        &tlv(0xa0, &[&integer(&[2])]),
        &integer(serial),
        &algorithm,
        issuer,
        &sequence(&[&time(validity.not_before), &time(validity.not_after)]),
        subject,
        public_key,
        &tlv(0xa3, &[&sequence(&[extensions])]),
    ]);
    let signature = key.sign(&to_sign);
    sequence(&[&to_sign, &algorithm, &bits(&signature)])
}
