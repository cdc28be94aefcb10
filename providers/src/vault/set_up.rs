//! From options and state to a provider that can work, with preflight before the first change.

use super::held::Held;
use super::issuers::{self, Listed};
use super::mounts;
use super::options::Place;
use super::preflight::{self, Abilities, VaultRights};
use super::session::Session;
use super::state;
use crate::{ConfigureRequest, ProviderError};

/// What `configure` gives.
pub(super) struct Ready {
    pub(super) session: Session,
    pub(super) held: Held,
    /// What the token may do beyond what it must.
    pub(super) abilities: Abilities,
}

/// What is in Vault before anything is done.
struct Seen {
    root: Option<Vec<Listed>>,
    intermediate: Option<Vec<Listed>>,
}

/// Checks the options, connects, asks for rights, then makes what is missing.
pub(super) async fn set_up(request: &ConfigureRequest) -> Result<Ready, ProviderError> {
    let (address, mut held) = match &request.state {
        Some(state) => {
            let (address, held) = state::read(state)?;
            (Some(address), held)
        }
        None => (None, Held::default()),
    };
    let session = Session::open(request).await?;
    let same_server = address.as_ref() == Some(&session.address);
    forget_moved(&session, &mut held);
    let seen = Seen {
        root: look(&session, &session.root).await?,
        intermediate: look(&session, &session.intermediate).await?,
    };
    if seen.root.is_none() && held.root.is_some() && same_server {
        return Err(ProviderError::misconfigured(format!(
            "the mount {}/ that held the root is gone from Vault: restore it, or configure \
             another path for a new root",
            session.root.mount
        )));
    }
    let abilities = preflight(&session, &held, &seen).await?;
    make_mounts(&session, &mut held, &seen).await?;
    mounts::keep_role(&session).await?;
    verify(&session, &mut held, same_server).await?;
    Ok(Ready {
        session,
        held,
        abilities,
    })
}

/// What lies in other mounts than are configured now belongs to an earlier incarnation.
fn forget_moved(session: &Session, held: &mut Held) {
    let root_stays = held
        .root
        .as_ref()
        .is_some_and(|root| root.signer.place == session.root);
    if !root_stays {
        held.root = None;
    }
    let stays = held
        .intermediate
        .as_ref()
        .is_some_and(|it| root_stays && it.authority.place == session.intermediate);
    if !stays {
        held.intermediate = None;
    }
    held.made
        .retain(|place| *place == session.root || *place == session.intermediate);
}

async fn look(session: &Session, place: &Place) -> Result<Option<Vec<Listed>>, ProviderError> {
    match issuers::list(session, place).await {
        Ok(listed) => Ok(listed),
        // Preflight says which right that is, with all others that are missing.
        Err(failure) if failure.is_forbidden() => Ok(Some(Vec::new())),
        Err(failure) => Err(session.explain(failure).await),
    }
}

async fn preflight(
    session: &Session,
    held: &Held,
    seen: &Seen,
) -> Result<Abilities, ProviderError> {
    let makes =
        |place: &Place, there: &Option<Vec<Listed>>| there.is_none() || held.made.contains(place);
    let administered = match &held.root {
        Some(root) => root.signer.operation.is_none(),
        None => holds_foreign_key(session, seen).await,
    };
    let rights = |mounts| VaultRights {
        mounts,
        roots: !administered,
        any_root: false,
    };
    preflight::check(
        session,
        rights(makes(&session.root, &seen.root)),
        rights(makes(&session.intermediate, &seen.intermediate)),
    )
    .await
}

/// Whether somebody else has put a root into the mount.
async fn holds_foreign_key(session: &Session, seen: &Seen) -> bool {
    let mut key_ids: Vec<String> = Vec::new();
    for issuer in seen.root.iter().flatten() {
        key_ids.push(issuer.key_id.clone());
    }
    key_ids.retain(|id| !id.is_empty());
    if key_ids.is_empty() {
        return false;
    }
    let names = issuers::keys(session, &session.root).await;
    let names = names.unwrap_or_default();
    key_ids.iter().any(|wanted| {
        let ours =
            |(id, name): &(String, String)| id == wanted && issuers::operation_of(name).is_some();
        !names.iter().any(ours)
    })
}

async fn make_mounts(session: &Session, held: &mut Held, seen: &Seen) -> Result<(), ProviderError> {
    let options = &session.shared;
    let wanted = [
        (
            &session.root,
            mounts::ROOT_PURPOSE,
            options.root_cert_ttl,
            seen.root.is_some(),
        ),
        (
            &session.intermediate,
            mounts::INTERMEDIATE_PURPOSE,
            options.intermediate_cert_ttl,
            seen.intermediate.is_some(),
        ),
    ];
    for (place, purpose, max_ttl, there) in wanted {
        if !there {
            mounts::create(session, place, purpose, max_ttl).await?;
        }
        let ours = !there || mounts::adopt(session, place, purpose, max_ttl).await?;
        if ours && !held.made.contains(place) {
            held.made.push(place.clone());
        }
    }
    Ok(())
}

/// That what the state names is still there, and still the same.
async fn verify(
    session: &Session,
    held: &mut Held,
    same_server: bool,
) -> Result<(), ProviderError> {
    if let Some(root) = held.root.clone() {
        let id = &root.signer.issuer_id;
        let found = issuers::read(session, &session.root, id).await?;
        let found = found.as_ref().and_then(|chain| chain.first());
        if found != Some(&root.signer.certificate) {
            if same_server {
                return Err(ProviderError::misconfigured(format!(
                    "the issuer {id} that holds the root is gone from {}/ in Vault: restore it, \
                     or configure another path for a new root",
                    session.root.mount
                )));
            }
            // Another server under the same paths.
            held.root = None;
            held.intermediate = None;
        }
    }
    if let Some(intermediate) = held.intermediate.clone() {
        let authority = &intermediate.authority;
        let found = issuers::read(session, &authority.place, &authority.issuer_id).await?;
        let found = found.as_ref().and_then(|chain| chain.first());
        if found != Some(&authority.certificate) {
            tracing::warn!(
                issuer = authority.issuer_id,
                mount = authority.place.mount,
                "the intermediate is gone from Vault; another one is made"
            );
            held.intermediate = None;
        }
    }
    Ok(())
}
