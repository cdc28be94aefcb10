//! The first root, its lease, and what leafs are signed by.

use std::time::Duration;

use super::*;

#[test]
fn founding_orders_exactly_one_root() {
    let mut state = State::new(HashSeed([1, 2]));
    assert_eq!(state.authority().agenda(at(0)), Agenda::default());
    submit(&mut state, bootstrap(), at(0)).unwrap();
    assert_eq!(
        state.authority().trust_domain().map(TrustDomain::as_str),
        Some("5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a.consul")
    );
    let agenda = state.authority().agenda(at(0));
    let [
        Effect::PrepareIssuer {
            epoch,
            operation: ordered,
            memory: None,
            ..
        },
    ] = agenda.due[..]
    else {
        panic!("no root was ordered");
    };
    assert_eq!((epoch, ordered), (Epoch::FIRST, operation(1)));
    assert!(state.authority().signing_view().is_none());
}

#[test]
fn a_second_ca_is_never_minted_implicitly() {
    let mut state = serving();
    assert_eq!(
        submit(&mut state, bootstrap(), at(2)),
        Err(AuthorityError::AlreadyBootstrapped {
            trust_domain: TrustDomain::for_cluster([0x5a; 16])
        })
    );
}

#[test]
fn a_root_comes_with_its_key_and_its_lease_in_one_commit() {
    let state = serving();
    let authority = state.authority();
    assert_eq!(authority.roots().count(), 1);
    assert!(authority.provider_state(Epoch::FIRST).is_some());
    let view = authority.signing_view().unwrap();
    assert_eq!(view.issuer_key_id, "cc:dd");
    assert_eq!(
        view.lease_until,
        Timestamp::from_unix(START + 1 + 2 * 72 * 3600)
    );
}

#[test]
fn results_of_another_epoch_or_operation_are_refused() {
    let mut state = State::new(HashSeed([1, 2]));
    assert_eq!(
        submit(&mut state, generated(Epoch::FIRST, operation(1)), at(0)),
        Err(AuthorityError::NotBootstrapped)
    );
    submit(&mut state, bootstrap(), at(0)).unwrap();
    assert_eq!(
        submit(
            &mut state,
            generated(Epoch::FIRST.next(), operation(1)),
            at(0)
        ),
        Err(AuthorityError::Stale {
            found: Epoch::FIRST.next(),
            expected: Epoch::FIRST
        })
    );
    assert_eq!(
        submit(&mut state, generated(Epoch::FIRST, operation(2)), at(0)),
        Err(AuthorityError::WrongOperation {
            found: operation(2),
            expected: Some(operation(1))
        })
    );
    submit(&mut state, generated(Epoch::FIRST, operation(1)), at(0)).unwrap();
    assert_eq!(
        submit(&mut state, generated(Epoch::FIRST, operation(1)), at(0)),
        Err(AuthorityError::WrongOperation {
            found: operation(1),
            expected: None
        })
    );
}

#[test]
fn the_lease_is_extended_before_a_leaf_would_be_cut_short() {
    let mut state = serving();
    let life = 72 * 3600;
    // Two lives were granted at second 1; the extension is due a life and a quarter before the end.
    let due = 1 + 2 * life - life - life / 4;
    let before = state.authority().agenda(at(due - 1));
    assert_eq!(before.due, []);
    assert_eq!(before.wake_at, Some(Timestamp::from_unix(START + due)));
    let agenda = state.authority().agenda(at(due));
    let [
        Effect::ExtendLease {
            epoch,
            ref issuer,
            until,
        },
    ] = agenda.due[..]
    else {
        panic!("no extension was asked for");
    };
    let view = state.authority().signing_view().unwrap();
    let (_, not_after) = view.leaf_validity(at(due).wall).unwrap();
    assert_eq!(not_after, Timestamp::from_unix(START + due + life));
    let extend = AuthorityCommand::ExtendLease {
        epoch,
        issuer: issuer.clone(),
        until,
    };
    submit(&mut state, extend, at(due)).unwrap();
    assert_eq!(state.authority().lease("cc:dd").unwrap().until, until);
    let after = state.authority().agenda(at(due));
    assert!(after.due.is_empty() && after.wake_at.is_some());
}

#[test]
fn a_lease_is_never_shortened_and_only_for_the_issuer_that_signs() {
    let mut state = serving();
    let before = state.authority().lease("cc:dd").unwrap().clone();
    let extend = |issuer: &str, until| AuthorityCommand::ExtendLease {
        epoch: Epoch::FIRST,
        issuer: issuer.to_owned(),
        until,
    };
    submit(&mut state, extend("cc:dd", before.until), at(5)).unwrap();
    assert_eq!(state.authority().lease("cc:dd"), Some(&before));
    assert_eq!(
        submit(&mut state, extend("ee", before.until), at(5)),
        Err(AuthorityError::WrongIssuer {
            found: "ee".to_owned(),
            expected: "cc:dd".to_owned()
        })
    );
}

#[test]
fn an_issuer_that_comes_back_keeps_the_longer_lease() {
    let mut state = State::new(HashSeed([1, 2]));
    submit(&mut state, bootstrap(), at(0)).unwrap();
    let mut authority = state.authority().clone();
    let life = 2 * 72 * 3600;
    for (old, new) in [(life - 1, life), (life, life), (life + 1, life + 1)] {
        let old = Lease {
            issuer: "cc:dd".to_owned(),
            root: String::new(),
            until: Timestamp::from_unix(START + old),
            create_index: 2,
            modify_index: 2,
        };
        authority.apply(&AuthorityChange::PutLease(old));
        let order = generated(Epoch::FIRST, operation(1));
        let changes = authority.propose(order, Revision::new(9), at(0)).unwrap();
        let lease = changes.iter().find_map(|change| match change {
            AuthorityChange::PutLease(lease) => Some(lease),
            _ => None,
        });
        assert_eq!(
            lease,
            Some(&Lease {
                issuer: "cc:dd".to_owned(),
                root: "aa:bb".to_owned(),
                until: Timestamp::from_unix(START + new),
                create_index: 2,
                modify_index: 9,
            })
        );
    }
}

#[test]
fn readers_of_roots_wake_for_roots_alone() {
    let mut state = State::new(HashSeed([1, 2]));
    let founded = submit(&mut state, bootstrap(), at(0)).unwrap();
    assert_eq!(founded, [Topic::Authority, Topic::CaConfiguration]);
    let serves = submit(&mut state, generated(Epoch::FIRST, operation(1)), at(1)).unwrap();
    assert_eq!(serves, [Topic::Authority, Topic::CaRoots]);
}

#[test]
fn a_leaf_outlives_neither_its_issuer_nor_the_lease() {
    let state = serving();
    let mut view = state.authority().signing_view().unwrap();
    let now = at(100).wall;
    view.lease_until = now.saturating_add(Duration::from_secs(50));
    let (not_before, not_after) = view.leaf_validity(now).unwrap();
    assert_eq!(not_before, at(40).wall);
    assert_eq!(not_after, view.lease_until);
    view.issuer_not_after = now.saturating_add(Duration::from_secs(1));
    assert_eq!(view.leaf_validity(now).unwrap().1, view.issuer_not_after);
    view.issuer_not_before = at(90).wall;
    assert_eq!(view.leaf_validity(now).unwrap().0, at(90).wall);
    view.issuer_not_after = now;
    assert_eq!(view.leaf_validity(now), None);
}
