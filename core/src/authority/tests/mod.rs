mod forgetting;
mod links;
mod rotation;
mod serving;
mod stored;

use std::time::Duration;

use serde_json::Map;

use super::*;
use crate::state::{Caller, Command, ProposeError, Revision, State, Topic};
use crate::{Der, HashSeed, Instant, Now};

const START: i64 = 1_795_500_000;

fn at(seconds: i64) -> Now {
    Now {
        wall: Timestamp::from_unix(START + seconds),
        mono: Instant::new(Duration::from_secs(seconds.unsigned_abs())),
    }
}

/// Commits what `command` changes; answers with the topics that it touched.
fn submit(
    state: &mut State,
    command: AuthorityCommand,
    now: Now,
) -> Result<Vec<Topic>, AuthorityError> {
    match state.propose(Command::Authority(command), &Caller::unrestricted(), now) {
        Ok(changes) if changes.is_empty() => Ok(Vec::new()),
        Ok(changes) => Ok(state.apply(&changes).unwrap().topics),
        Err(ProposeError::Authority(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

fn operation(byte: u8) -> OperationId {
    OperationId::from_bytes([byte; 16])
}

fn bootstrap() -> AuthorityCommand {
    AuthorityCommand::Bootstrap {
        cluster_id: [0x5a; 16],
        configuration: CaConfiguration::new("consul", Map::new(), Lifetimes::default()),
        operation: operation(1),
    }
}

fn generated(epoch: Epoch, operation: OperationId) -> AuthorityCommand {
    AuthorityCommand::IssuerPrepared {
        epoch,
        operation,
        issuer: NewIssuer {
            id: "aa:bb".to_owned(),
            name: "Consul CA Root Cert".to_owned(),
            serial_number: 7,
            signing_key_id: "cc:dd".to_owned(),
            not_before: Timestamp::from_unix(START),
            not_after: Timestamp::from_unix(START + 10 * 365 * 86_400),
            certificate: Der::new(b"root"),
            intermediates: Vec::new(),
            intermediate_life: None,
            signed_outside: false,
            private_key_type: "ec".to_owned(),
            private_key_bits: 256,
        },
        state: Sealed::from_bytes(b"sealed".to_vec()),
    }
}

fn serving() -> State {
    let mut state = State::new(HashSeed([1, 2]));
    submit(&mut state, bootstrap(), at(0)).unwrap();
    submit(&mut state, generated(Epoch::FIRST, operation(1)), at(1)).unwrap();
    state
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// The bound on the age of bundles, by default.
const B: i64 = 7 * DAY;

/// A state in which one thing happens after another.
struct Stand {
    state: State,
    now: i64,
    orders: u8,
}

impl Stand {
    /// The root `r1` of the provider `consul` signs.
    fn serving() -> Self {
        let mut stand = Self {
            state: State::new(HashSeed([1, 2])),
            now: 0,
            orders: 1,
        };
        stand.submit(bootstrap()).unwrap();
        stand.prepare("r1").unwrap();
        stand
    }

    fn authority(&self) -> &Authority {
        self.state.authority()
    }

    fn submit(&mut self, command: AuthorityCommand) -> Result<(), AuthorityError> {
        submit(&mut self.state, command, at(self.now)).map(drop)
    }

    fn wall(&self) -> Timestamp {
        at(self.now).wall
    }

    fn due(&self) -> Vec<Effect> {
        self.authority().agenda(at(self.now)).due
    }

    /// Names of what is due.
    fn keys(&self) -> Vec<&'static str> {
        self.due().iter().map(|effect| effect.key().0).collect()
    }

    fn rotation(&self) -> &Rotation {
        let record = self.authority().record().unwrap();
        record.rotation.as_deref().unwrap()
    }

    fn is_idle(&self) -> bool {
        self.authority().record().unwrap().rotation.is_none()
    }

    fn active(&self) -> &CaRoot {
        self.authority().active_root().unwrap()
    }

    /// The links of the active root, as `subject x signer`.
    fn links(&self) -> Vec<String> {
        let links = self.active().links.iter();
        links
            .map(|link| format!("{} x {}", link.subject, link.signer))
            .collect()
    }

    fn rotate(&mut self, cause: RotationCause, force: bool) -> Result<(), AuthorityError> {
        let configuration = self.authority().configuration().unwrap().clone();
        self.change(configuration, cause, force)
    }

    fn change(
        &mut self,
        configuration: CaConfiguration,
        cause: RotationCause,
        force: bool,
    ) -> Result<(), AuthorityError> {
        self.orders += 1;
        self.submit(AuthorityCommand::Rotate {
            configuration,
            cause,
            force,
            operation: operation(self.orders),
        })
    }

    /// Epoch and order of what the provider is asked for.
    fn order(&self) -> (Epoch, OperationId) {
        let record = self.authority().record().unwrap();
        match (&record.rotation, record.stage) {
            (Some(rotation), _) => (rotation.epoch, rotation.operation),
            (None, Stage::Bootstrapping { epoch, operation }) => (epoch, operation),
            (None, Stage::Serving { .. }) => panic!("nothing is ordered"),
        }
    }

    fn prepare(&mut self, root: &str) -> Result<(), AuthorityError> {
        self.prepare_issuer(issuer(root))
    }

    fn prepare_issuer(&mut self, issuer: NewIssuer) -> Result<(), AuthorityError> {
        let (epoch, operation) = self.order();
        self.submit(AuthorityCommand::IssuerPrepared {
            epoch,
            operation,
            issuer,
            state: Sealed::from_bytes(vec![self.orders]),
        })
    }

    /// The link that the authority asks for.
    fn wanted_link(&self) -> Link {
        let due = self.due();
        let wanted = due.iter().find_map(|effect| match effect {
            Effect::CrossSign {
                subject,
                signer,
                not_after,
                ..
            } => Some((subject, signer, *not_after)),
            _ => None,
        });
        let (subject, signer, not_after) = wanted.unwrap();
        Link {
            subject: subject.clone(),
            signer: signer.clone(),
            certificate: Der::new(format!("{subject} x {signer}").as_bytes()),
            not_after,
            needed_until: Timestamp::ZERO,
        }
    }

    fn link(&mut self) -> Result<(), AuthorityError> {
        let link = self.wanted_link();
        let epoch = self.rotation().epoch;
        self.submit(AuthorityCommand::CrossSigned { epoch, link })
    }

    fn try_it(&mut self) -> Result<(), AuthorityError> {
        let epoch = self.rotation().epoch;
        self.submit(AuthorityCommand::IssuerTried { epoch })
    }

    /// A whole rotation to a new root, at once.
    fn move_to(&mut self, root: &str) {
        self.rotate(RotationCause::NewKey, false).unwrap();
        self.prepare(root).unwrap();
        self.link().unwrap();
        self.try_it().unwrap();
        assert_eq!(self.active().id, root);
    }

    /// Extends the lease if that is due, as a host would.
    fn extend(&mut self) {
        for effect in self.due() {
            if let Effect::ExtendLease {
                epoch,
                issuer,
                until,
            } = effect
            {
                let extend = AuthorityCommand::ExtendLease {
                    epoch,
                    issuer,
                    until,
                };
                self.submit(extend).unwrap();
            }
        }
    }

    /// Forgets, when the wall clock has been steady since the second `since`.
    fn forget(&mut self, since: i64) {
        let steady_since = at(since).wall;
        self.submit(AuthorityCommand::Forget { steady_since })
            .unwrap();
    }

    fn has_root(&self, id: &str) -> bool {
        self.authority().root(id).is_some()
    }
}

/// A root that signs leafs itself, with a key of its own.
fn issuer(root: &str) -> NewIssuer {
    let AuthorityCommand::IssuerPrepared { issuer, .. } = generated(Epoch::FIRST, operation(1))
    else {
        panic!("not an issuer");
    };
    NewIssuer {
        id: root.to_owned(),
        signing_key_id: format!("key of {root}"),
        certificate: Der::new(root.as_bytes()),
        ..issuer
    }
}

/// The same with an intermediate that ends at the second `until`.
fn with_intermediate(root: &str, intermediate: &str, until: i64) -> NewIssuer {
    NewIssuer {
        signing_key_id: format!("key of {intermediate}"),
        intermediates: vec![Der::new(intermediate.as_bytes())],
        intermediate_life: Some(Life {
            not_before: at(0).wall,
            not_after: at(until).wall,
        }),
        ..issuer(root)
    }
}
