//! Keeps a token alive: renews it at two thirds of its life, and gets another when that ends.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RenewTokenSelfRequest};

use super::auth::{self, Method};
use super::failure::Failure;
use super::token::Token;
use super::transport::Transport;
use crate::{ErrorKind, ProviderError};

/// Holds the token in use. Dropping it stops the renewing.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    transport: Arc<Transport>,
    namespace: String,
    method: Method,
    lease: RwLock<Lease>,
    /// Held while a token is got, so that many refused calls make one login.
    getting: Mutex<()>,
}

/// A token and how long it lives.
#[derive(Clone)]
struct Lease {
    token: Token,
    got: Instant,
    /// `None` for one that does not end.
    life: Option<Duration>,
    renewable: bool,
}

/// What login and renewal answer.
#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

/// What a token knows of itself.
#[derive(Default, Deserialize)]
struct Lookup {
    #[serde(default)]
    ttl: u64,
    #[serde(default)]
    renewable: Option<bool>,
}

impl Keeper {
    /// Gets the first token and begins to keep it.
    pub(super) async fn start(
        transport: Arc<Transport>,
        namespace: String,
        method: Method,
    ) -> Result<Self, ProviderError> {
        let lease = obtain(&transport, &namespace, &method).await?;
        let shared = Arc::new(Shared {
            transport,
            namespace,
            method,
            lease: RwLock::new(lease),
            getting: Mutex::new(()),
        });
        let task = tokio::spawn(keep(Arc::clone(&shared)));
        Ok(Self { shared, task })
    }

    /// The token to use now.
    pub(super) fn token(&self) -> Token {
        self.shared.lease().token
    }

    /// Whether the token in use is refused even to look at itself: it has ended or was revoked.
    pub(super) async fn is_over(&self) -> bool {
        let looked = self.look().await;
        looked.is_err_and(|failure| failure.is_forbidden())
    }

    /// Has the token look at itself.
    pub(super) async fn look(&self) -> Result<(), Failure> {
        let lookup = LookupTokenSelfRequest::default();
        let (transport, namespace) = (&self.shared.transport, &self.shared.namespace);
        let token = self.token();
        let answer = transport.data::<Lookup>(&lookup, namespace, Some(&token));
        answer.await.map(drop)
    }

    /// How long the token lives on, if it ends and nothing will renew or replace it.
    pub(super) fn ends_in(&self) -> Option<Duration> {
        let lease = self.shared.lease();
        let life = lease.life?;
        // Renewal is due at two thirds: what is older than three quarters fails to be renewed.
        let late = lease.got.elapsed() > life / 4 * 3;
        let kept = lease.renewable || self.shared.method.is_renewable();
        (late || !kept).then(|| lease.left())
    }

    /// Another token than `refused`, if one can be had: a login, or what the file holds now.
    pub(super) async fn instead_of(&self, refused: &Token) -> Option<Token> {
        self.shared.replace(refused).await
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lease(&self) -> Lease {
        self.lease
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, lease: Lease) {
        *self.lease.write().unwrap_or_else(PoisonError::into_inner) = lease;
    }

    async fn replace(&self, refused: &Token) -> Option<Token> {
        if !self.method.is_renewable() {
            return None;
        }
        let _getting = self.getting.lock().await;
        let now = self.lease();
        if !now.token.is(refused) {
            return Some(now.token);
        }
        // A token that is new and refused lacks a right; another one would lack it too.
        let read_anew = matches!(self.method, Method::TokenFile { .. });
        if !read_anew && now.got.elapsed() < BETWEEN_LOGINS {
            return None;
        }
        let lease = obtain(&self.transport, &self.namespace, &self.method).await;
        let lease = lease.ok().filter(|lease| !lease.token.is(refused))?;
        self.set(lease.clone());
        Some(lease.token)
    }

    /// Renews the token, or gets another one.
    async fn refresh(&self) -> Result<(), ProviderError> {
        let _getting = self.getting.lock().await;
        let lease = self.lease();
        if let Method::TokenFile { path } = &self.method {
            let written = auth::token_in(path)?;
            if !written.is(&lease.token) {
                let lease = looked_up(&self.transport, &self.namespace, written).await?;
                self.set(lease);
                return Ok(());
            }
        }
        if !lease.is_due() {
            return Ok(());
        }
        let renewed = match lease.renewable {
            true => Some(self.renew(&lease).await),
            false => None,
        };
        match renewed {
            // Renewal that no longer adds anything has come to the token's end.
            Some(Ok(renewed)) if renewed.life.is_none_or(|life| life > lease.left()) => {
                self.set(renewed);
                return Ok(());
            }
            Some(Err(failure)) if !failure.is_forbidden() && lease.left() > LAST_MOMENT => {
                return Err(failure.into());
            }
            _ => {}
        }
        if self.method.is_renewable() && !matches!(self.method, Method::TokenFile { .. }) {
            let lease = obtain(&self.transport, &self.namespace, &self.method).await?;
            self.set(lease);
            return Ok(());
        }
        let left = lease.left().as_secs();
        Err(ProviderError::new(
            ErrorKind::Unauthorised,
            format!("the Vault token ends in {left} s and cannot be renewed"),
        ))
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, Failure> {
        let renewal = RenewTokenSelfRequest::default();
        let token = Some(&lease.token);
        let auth: Auth = self
            .transport
            .auth(&renewal, &self.namespace, token)
            .await?;
        Ok(Lease {
            token: lease.token.clone(),
            ..Lease::of(lease.token.clone(), &auth)
        })
    }
}

impl Lease {
    fn of(token: Token, auth: &Auth) -> Self {
        Self {
            token,
            got: Instant::now(),
            life: (auth.lease_duration > 0).then(|| Duration::from_secs(auth.lease_duration)),
            renewable: auth.renewable,
        }
    }

    fn left(&self) -> Duration {
        self.life.map_or(Duration::MAX, |life| {
            life.saturating_sub(self.got.elapsed())
        })
    }

    /// Whether two thirds of its life are over.
    fn is_due(&self) -> bool {
        self.life
            .is_some_and(|life| self.got.elapsed() >= life / 3 * 2)
    }

    /// How long to leave it alone.
    fn rest(&self) -> Duration {
        self.life.map_or(Duration::MAX, |life| {
            (life / 3 * 2).saturating_sub(self.got.elapsed())
        })
    }
}

/// A token, by whatever the method is.
async fn obtain(
    transport: &Transport,
    namespace: &str,
    method: &Method,
) -> Result<Lease, ProviderError> {
    match method {
        Method::Token(token) => looked_up(transport, namespace, token.clone()).await,
        Method::TokenFile { path } => looked_up(transport, namespace, auth::token_in(path)?).await,
        Method::Login { mount, login } => {
            let call = auth::login_call(mount, login)?;
            let auth: Auth = transport
                .auth(&call, namespace, None)
                .await
                .map_err(login_failed)?;
            Ok(Lease::of(Token::new(&auth.client_token)?, &auth))
        }
    }
}

/// A login that is refused says so with 400 or 403; both mean that the credential is wrong.
fn login_failed(failure: Failure) -> ProviderError {
    let wrong = matches!(failure.code(), Some(400 | 401 | 403));
    let error = ProviderError::from(failure);
    let kind = if wrong {
        ErrorKind::Unauthorised
    } else {
        error.kind()
    };
    ProviderError::new(kind, format!("error logging in to Vault: {error}"))
}

async fn looked_up(
    transport: &Transport,
    namespace: &str,
    token: Token,
) -> Result<Lease, ProviderError> {
    let lookup = LookupTokenSelfRequest::default();
    let found: Lookup = transport.data(&lookup, namespace, Some(&token)).await?;
    Ok(Lease {
        token,
        got: Instant::now(),
        life: (found.ttl > 0).then(|| Duration::from_secs(found.ttl)),
        renewable: found.renewable.unwrap_or(false),
    })
}

/// The task of a keeper: sleeps until something is due, backs off when it fails, and says in
/// the log when trouble begins and when it ends.
async fn keep(shared: Arc<Shared>) {
    let mut wait = Duration::ZERO;
    let mut troubled = false;
    loop {
        let rest = shared.lease().rest().max(wait);
        let rest = match shared.method {
            Method::TokenFile { .. } => rest.min(BETWEEN_READINGS),
            _ => rest.min(LONGEST_SLEEP),
        };
        tokio::time::sleep(rest.max(SHORTEST_SLEEP)).await;
        match shared.refresh().await {
            Ok(()) => {
                if troubled {
                    tracing::info!(
                        method = shared.method.name(),
                        "the Vault token is good again"
                    );
                }
                (troubled, wait) = (false, Duration::ZERO);
            }
            Err(error) => {
                if !troubled {
                    tracing::warn!(
                        method = shared.method.name(),
                        %error,
                        "the Vault token cannot be renewed; trying on"
                    );
                }
                troubled = true;
                wait = (wait * 2).clamp(FIRST_BACK_OFF, LONGEST_BACK_OFF);
            }
        }
    }
}

/// A token younger than this is not replaced because a call was refused.
const BETWEEN_LOGINS: Duration = Duration::from_secs(10);
const BETWEEN_READINGS: Duration = Duration::from_secs(10);
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);
const SHORTEST_SLEEP: Duration = Duration::from_millis(200);
/// When so little is left, a login is better than another try to renew.
const LAST_MOMENT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
