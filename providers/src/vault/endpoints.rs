//! The calls that vaultrs lacks, or whose fields it lacks.

use rustify_derive::Endpoint;

/// `POST <mount>/root/generate/internal`, with the names that make it idempotent.
#[derive(Debug, Endpoint)]
#[endpoint(path = "{self.mount}/root/generate/internal", method = "POST")]
pub(super) struct GenerateRoot {
    #[endpoint(skip)]
    pub(super) mount: String,
    pub(super) common_name: String,
    pub(super) exclude_cn_from_sans: bool,
    pub(super) issuer_name: String,
    pub(super) key_bits: u32,
    pub(super) key_name: String,
    pub(super) key_type: String,
    pub(super) not_after: String,
    pub(super) not_before_duration: String,
    pub(super) uri_sans: Vec<String>,
}

/// `LIST <mount>/keys`
#[derive(Debug, Endpoint)]
#[endpoint(path = "{self.mount}/keys", method = "LIST")]
pub(super) struct ListKeys {
    #[endpoint(skip)]
    pub(super) mount: String,
}

/// `GET <mount>/config/issuers`
#[derive(Debug, Endpoint)]
#[endpoint(path = "{self.mount}/config/issuers")]
pub(super) struct ReadDefaultIssuer {
    #[endpoint(skip)]
    pub(super) mount: String,
}

/// `GET <mount>/roles/<role>`, of which every field is read as it stands there.
#[derive(Debug, Endpoint)]
#[endpoint(path = "{self.mount}/roles/{self.role}")]
pub(super) struct ReadRole {
    #[endpoint(skip)]
    pub(super) mount: String,
    #[endpoint(skip)]
    pub(super) role: String,
}

/// `POST <mount>/roles/<role>`
#[derive(Debug, Endpoint)]
#[endpoint(path = "{self.mount}/roles/{self.role}", method = "POST")]
pub(super) struct WriteRole {
    #[endpoint(skip)]
    pub(super) mount: String,
    #[endpoint(skip)]
    pub(super) role: String,
    #[endpoint(raw)]
    pub(super) settings: Vec<u8>,
}

/// `POST <mount>/issuer/<id>/sign/<role>`
#[derive(Debug, Endpoint)]
#[endpoint(
    path = "{self.mount}/issuer/{self.issuer}/sign/{self.role}",
    method = "POST"
)]
pub(super) struct SignLeaf {
    #[endpoint(skip)]
    pub(super) mount: String,
    #[endpoint(skip)]
    pub(super) issuer: String,
    #[endpoint(skip)]
    pub(super) role: String,
    pub(super) common_name: Option<String>,
    pub(super) csr: String,
    pub(super) exclude_cn_from_sans: bool,
    pub(super) not_after: String,
    pub(super) uri_sans: Vec<String>,
}

/// `POST <mount>/issuer/<id>/sign-intermediate`
#[derive(Debug, Endpoint)]
#[endpoint(
    path = "{self.mount}/issuer/{self.issuer}/sign-intermediate",
    method = "POST"
)]
pub(super) struct SignIntermediate {
    #[endpoint(skip)]
    pub(super) mount: String,
    #[endpoint(skip)]
    pub(super) issuer: String,
    pub(super) common_name: String,
    pub(super) csr: String,
    pub(super) exclude_cn_from_sans: bool,
    pub(super) max_path_length: i32,
    pub(super) not_after: String,
    pub(super) not_before_duration: String,
    pub(super) uri_sans: Vec<String>,
}

/// `POST <mount>/issuer/<id>/sign-intermediate` for a CSR that says everything itself.
#[derive(Debug, Endpoint)]
#[endpoint(
    path = "{self.mount}/issuer/{self.issuer}/sign-intermediate",
    method = "POST"
)]
pub(super) struct SignRequest {
    #[endpoint(skip)]
    pub(super) mount: String,
    #[endpoint(skip)]
    pub(super) issuer: String,
    pub(super) csr: String,
    /// -1 for none: it is the one thing that is not taken from the CSR.
    pub(super) max_path_length: i32,
    pub(super) not_after: String,
    pub(super) not_before_duration: String,
    /// The subject key identifier, if the CSR names none.
    pub(super) skid: String,
    pub(super) use_csr_values: bool,
}

/// `POST <mount>/intermediate/cross-sign`: a CSR for a key that is there.
#[derive(Debug, Endpoint)]
#[endpoint(path = "{self.mount}/intermediate/cross-sign", method = "POST")]
pub(super) struct RequestForKey {
    #[endpoint(skip)]
    pub(super) mount: String,
    pub(super) common_name: String,
    pub(super) exclude_cn_from_sans: bool,
    pub(super) key_ref: String,
    pub(super) uri_sans: Vec<String>,
}

/// `POST <mount>/issuer/<id>/sign-self-issued`
#[derive(Debug, Endpoint)]
#[endpoint(
    path = "{self.mount}/issuer/{self.issuer}/sign-self-issued",
    method = "POST"
)]
pub(super) struct SignSelfIssued {
    #[endpoint(skip)]
    pub(super) mount: String,
    #[endpoint(skip)]
    pub(super) issuer: String,
    pub(super) certificate: String,
}

/// `POST sys/mounts/<mount>/tune`
#[derive(Debug, Endpoint)]
#[endpoint(path = "sys/mounts/{self.mount}/tune", method = "POST")]
pub(super) struct TuneMount {
    #[endpoint(skip)]
    pub(super) mount: String,
    pub(super) max_lease_ttl: String,
}

/// `POST sys/capabilities-self`
#[derive(Debug, Endpoint)]
#[endpoint(path = "sys/capabilities-self", method = "POST")]
pub(super) struct CapabilitiesOfSelf {
    pub(super) paths: Vec<String>,
}

/// `POST auth/<mount>/login[/<name>]` with whatever parameters the method wants.
#[derive(Debug, Endpoint)]
#[endpoint(path = "auth/{self.path}", method = "POST")]
pub(super) struct Login {
    #[endpoint(skip)]
    pub(super) path: String,
    #[endpoint(raw)]
    pub(super) parameters: Vec<u8>,
}
