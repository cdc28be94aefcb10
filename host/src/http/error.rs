//! Errors, and the one table from their meaning to status and text.

use chancery_core::{
    AuthorityError, IntentionError, IntentionIdError, LocalError, ProposeError, RegistrationError,
};
use http::StatusCode;

use super::decode::DecodeError;
use crate::agent::AuthorizeError;
use crate::agent::leafs::LeafError;
use crate::server::{ChangeError, SubmitError};

/// An answer that is not what was asked for: a status, and a text without newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    /// Whether Consul sends its index headers even so, with `1`, `false` and `0`.
    pub(crate) has_meta: bool,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            has_meta: false,
        }
    }

    /// 400 with the bare text.
    pub(crate) fn plain_bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// 400 with the words that Consul puts before most of these.
    pub(crate) fn bad_request(reason: impl std::fmt::Display) -> Self {
        Self::plain_bad_request(format!("Bad request: {reason}"))
    }

    /// 404.
    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// 500, which Consul answers to whatever its handlers do not map.
    pub(crate) fn internal(text: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// 500 for a datacenter that nobody knows.
    pub(crate) fn no_path_to_datacenter() -> Self {
        Self::internal("No path to datacenter")
    }

    /// 500 while Connect is off.
    pub(crate) fn connect_disabled() -> Self {
        Self::internal("Connect must be enabled in order to use this endpoint")
    }

    /// With the index headers that Consul sets before it knows that there is no answer.
    pub(crate) fn with_meta(mut self) -> Self {
        self.has_meta = true;
        self
    }

    /// A body that cannot be read, where Consul answers 400 and names itself.
    pub(crate) fn undecodable(error: &DecodeError) -> Self {
        Self::bad_request(format_args!("Request decode failed: {error}"))
    }

    /// A body that cannot be read, by the agent's handlers.
    pub(crate) fn undecodable_for_agent(error: &impl std::fmt::Display) -> Self {
        Self::plain_bad_request(format!("Request decode failed: {error}"))
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refused) => refused.into(),
            SubmitError::ShuttingDown | SubmitError::Storage(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
        }
    }
}

impl From<ProposeError> for ApiError {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::Intention(error) => error.into(),
            ProposeError::Authority(
                AuthorityError::NoRotation | AuthorityError::NoSignatureWanted,
            ) => Self::new(StatusCode::CONFLICT, error.to_string()),
            _ => Self::internal(error.to_string()),
        }
    }
}

impl From<IntentionError> for ApiError {
    /// Consul answers 500 to all but missing rights: clients compare the text
    /// `Unexpected response code: 500 (…)`.
    fn from(error: IntentionError) -> Self {
        let status = match error {
            IntentionError::PermissionDenied => StatusCode::FORBIDDEN,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<IntentionIdError> for ApiError {
    /// On reading; on writing it comes inside of an [`IntentionError`] and is 500.
    fn from(error: IntentionIdError) -> Self {
        Self::bad_request(format_args!(
            "failed intention lookup: index error: {error}"
        ))
    }
}

impl From<RegistrationError> for ApiError {
    fn from(error: RegistrationError) -> Self {
        let status = if error.is_request_error() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        Self::new(status, error.to_string())
    }
}

impl From<LocalError> for ApiError {
    fn from(error: LocalError) -> Self {
        match error {
            LocalError::InvalidStatus { .. } => Self::plain_bad_request(error.to_string()),
            _ => Self::internal(error.to_string()),
        }
    }
}

impl From<AuthorizeError> for ApiError {
    fn from(error: AuthorizeError) -> Self {
        Self::bad_request(error)
    }
}

impl From<LeafError> for ApiError {
    fn from(error: LeafError) -> Self {
        let status = match error {
            LeafError::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<ChangeError> for ApiError {
    /// What a provider or the authority says against a change is 500, as in Consul.
    fn from(error: ChangeError) -> Self {
        let status = match error {
            ChangeError::Submit(error) => return error.into(),
            ChangeError::Modified { .. } => StatusCode::CONFLICT,
            ChangeError::SecretBound { .. } => return Self::bad_request(error),
            ChangeError::Slow { .. } => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_meaning_has_consuls_status_and_text() {
        for (error, status, text) in [
            (
                ApiError::from(IntentionError::IdGiven),
                500,
                "ID must be empty when creating a new intention",
            ),
            (
                IntentionError::PermissionDenied.into(),
                403,
                "Permission denied",
            ),
            (
                IntentionIdError::Length.into(),
                400,
                "Bad request: failed intention lookup: index error: UUID must be 36 characters",
            ),
            (
                LeafError::RateLimited.into(),
                429,
                "Rate limit reached, try again later",
            ),
            (
                LeafError::NoAuthority.into(),
                500,
                "cluster has no CA bootstrapped yet",
            ),
            (
                LocalError::MissingServiceId.into(),
                500,
                "ServiceID missing",
            ),
            (
                RegistrationError::MissingName.into(),
                400,
                "Missing service name",
            ),
            (
                AuthorizeError::NoTarget.into(),
                400,
                "Bad request: Target service must be specified",
            ),
            (
                ApiError::undecodable(&DecodeError::Empty),
                400,
                "Bad request: Request decode failed: EOF",
            ),
        ] {
            assert_eq!((error.status.as_u16(), error.text.as_str()), (status, text));
        }
    }
}
