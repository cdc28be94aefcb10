//! What is over is forgotten by proof, and cleaned up after.

use super::*;

#[test]
fn a_root_stays_until_no_leaf_of_it_can_be_alive_and_no_bundle_needs_it() {
    let mut stand = Stand::serving();
    // Its lease reaches two leaf lives on, which is less than a bundle's age.
    stand.now = 100;
    stand.move_to("r2");
    stand.now = 100 + B - 1;
    stand.extend();
    assert!(!stand.keys().contains(&"forget") || stand.authority().lease("key of r1").is_some());
    stand.forget(0);
    assert!(stand.has_root("r1"));
    assert_eq!(stand.links(), ["r2 x r1"]);
    stand.now += 1;
    stand.forget(0);
    assert!(!stand.has_root("r1"));
    assert_eq!(stand.links(), [""; 0]);
}

#[test]
fn a_longer_lease_keeps_a_root_and_its_own_end_lets_it_go() {
    let mut stand = Stand::serving();
    let epoch = Epoch::FIRST;
    let until = at(2 * B).wall;
    stand
        .submit(AuthorityCommand::ExtendLease {
            epoch,
            issuer: "key of r1".to_owned(),
            until,
        })
        .unwrap();
    stand.now = 100;
    stand.move_to("r2");
    assert_eq!(
        stand.authority().root("r1").unwrap().leafs_until,
        Some(until)
    );
    stand.now = 2 * B - 1;
    stand.extend();
    stand.forget(0);
    assert!(stand.has_root("r1"));
    assert!(stand.authority().lease("key of r1").is_some());
    stand.now = 2 * B;
    stand.forget(0);
    assert!(!stand.has_root("r1"));
    assert!(stand.authority().lease("key of r1").is_none());
}

#[test]
fn leafs_of_a_key_that_signs_under_another_root_too_keep_the_first_root() {
    let mut stand = Stand::serving();
    let configuration = stand.authority().configuration().unwrap().clone();
    let mut longer = configuration;
    longer.lifetimes.leaf = Duration::from_secs(20 * 24 * 3600);
    stand
        .change(longer, RotationCause::Configured, false)
        .unwrap();
    stand
        .prepare_issuer(with_intermediate("r1", "shared", 1000 * DAY))
        .unwrap();
    stand.try_it().unwrap();
    let until = stand.authority().lease("key of shared").unwrap().until;
    stand.now = 100;
    stand.rotate(RotationCause::NewKey, false).unwrap();
    stand
        .prepare_issuer(with_intermediate("r2", "shared", 1000 * DAY))
        .unwrap();
    stand.link().unwrap();
    stand.try_it().unwrap();
    assert_eq!(stand.authority().lease("key of shared").unwrap().root, "r2");
    let old = stand.authority().root("r1").unwrap();
    assert_eq!(stand.authority().root_over_at(old), Some(until));
    // Nor is it forgotten when the root comes back for a while with another key.
    for (root, intermediate) in [("r1", "i1"), ("r3", "i3")] {
        stand.rotate(RotationCause::NewKey, false).unwrap();
        stand
            .prepare_issuer(with_intermediate(root, intermediate, 2 * DAY))
            .unwrap();
        stand.link().unwrap();
        stand.try_it().unwrap();
    }
    let old = stand.authority().root("r1").unwrap();
    assert_eq!(stand.authority().root_over_at(old), Some(until));
}

#[test]
fn a_lease_whose_root_nobody_knows_keeps_every_root() {
    let mut stand = Stand::serving();
    stand.now = 100;
    stand.move_to("r2");
    let mut authority = stand.authority().clone();
    let until = at(3 * B).wall;
    authority.apply(&AuthorityChange::PutLease(Lease {
        issuer: "key of nobody".to_owned(),
        root: String::new(),
        until,
        create_index: 2,
        modify_index: 2,
    }));
    let old = authority.root("r1").unwrap();
    assert_eq!(authority.root_over_at(old), Some(until));
}

#[test]
fn a_clock_that_was_set_proves_nothing_for_an_hour() {
    let mut stand = Stand::serving();
    stand.now = 100;
    stand.move_to("r2");
    // Set forward to ten minutes before the end, and past it.
    for set_at in [100 + B - 600, 100 + B + 600] {
        stand.now = set_at + HOUR - 1;
        stand.extend();
        let effect = stand
            .due()
            .into_iter()
            .find(|effect| effect.key().0 == "forget");
        let Some(Effect::Forget { since }) = effect else {
            panic!("nothing is due");
        };
        assert!(since < at(set_at).wall);
        stand.forget(set_at);
        assert!(stand.has_root("r1"));
        assert_eq!(stand.links(), ["r2 x r1"]);
    }
    // Not a second is waited by who has watched since the switch.
    let mut watched = stand.state.clone();
    let forget = AuthorityCommand::Forget {
        steady_since: at(100).wall,
    };
    submit(&mut watched, forget, at(100 + B)).unwrap();
    assert!(watched.authority().root("r1").is_none());
    stand.now += 1;
    stand.forget(100 + B + 600);
    assert!(!stand.has_root("r1"));
    // Nor does a switch by a clock that is ahead of all leafs' ends prove them over.
    let mut ahead = Stand::serving();
    ahead.now = 10 * B;
    ahead.rotate(RotationCause::NewKey, true).unwrap();
    ahead.prepare("r2").unwrap();
    let epoch = ahead.rotation().epoch;
    ahead
        .submit(AuthorityCommand::CannotCrossSign { epoch })
        .unwrap();
    ahead.try_it().unwrap();
    ahead.forget(10 * B);
    assert!(ahead.has_root("r1"));
    // A steady time that begins in the future is none.
    let mut odd = Stand::serving();
    odd.now = 100;
    odd.move_to("r2");
    odd.now = 100 + B;
    odd.forget(100 + B + 1);
    assert!(odd.has_root("r1"));
}

#[test]
fn an_emergency_drops_the_root_and_its_lease_in_time_and_keeps_the_links() {
    let mut stand = Stand::serving();
    let cause = RotationCause::Emergency {
        retire_after: Duration::from_secs(600),
    };
    stand.rotate(cause, false).unwrap();
    stand.prepare("r2").unwrap();
    stand.link().unwrap();
    stand.try_it().unwrap();
    stand.now = 599;
    stand.forget(0);
    assert!(stand.has_root("r1"));
    stand.now = 600;
    assert!(stand.keys().contains(&"forget"));
    stand.forget(0);
    assert!(!stand.has_root("r1"));
    assert!(stand.authority().lease("key of r1").is_none());
    // Peers with old bundles go on to reach what signs now.
    assert_eq!(stand.links(), ["r2 x r1"]);
    stand.now = B;
    stand.extend();
    stand.forget(0);
    assert_eq!(stand.links(), [""; 0]);
}

#[test]
fn a_root_to_which_a_rotation_leads_is_not_pruned() {
    let mut stand = Stand::serving();
    stand.now = 100;
    stand.move_to("r2");
    stand.now = 100 + B;
    stand.rotate(RotationCause::NewKey, false).unwrap();
    stand.prepare("r1").unwrap();
    stand.forget(0);
    assert!(stand.has_root("r1"));
    assert!(!stand.keys().contains(&"forget"));
}

fn clean_up(stand: &Stand) -> Option<(Epoch, bool, Vec<Der>)> {
    stand.due().into_iter().find_map(|effect| match effect {
        Effect::CleanUp {
            epoch,
            everything,
            keep,
            ..
        } => Some((epoch, everything, keep)),
        _ => None,
    })
}

#[test]
fn cleaning_up_spares_what_is_trusted_or_signs() {
    let mut stand = Stand::serving();
    stand.now = 100;
    stand.move_to("r2");
    stand.now = 109;
    assert_eq!(clean_up(&stand), None);
    stand.now = 110;
    let keep = vec![Der::new(b"r1"), Der::new(b"r2")];
    assert_eq!(clean_up(&stand), Some((Epoch::FIRST, false, keep)));
    let cleaned = |everything| AuthorityCommand::CleanedUp {
        epoch: Epoch::FIRST,
        everything,
    };
    stand.submit(cleaned(false)).unwrap();
    assert_eq!(clean_up(&stand), None);
    // Whoever says that all is gone while the root is trusted is not believed.
    stand.submit(cleaned(true)).unwrap();
    assert!(stand.authority().provider_state(Epoch::FIRST).is_some());
    stand.now = 100 + B;
    stand.extend();
    stand.forget(0);
    let keep = vec![Der::new(b"r2")];
    assert_eq!(clean_up(&stand), Some((Epoch::FIRST, true, keep)));
    stand.submit(cleaned(true)).unwrap();
    assert!(stand.authority().provider_state(Epoch::FIRST).is_none());
    assert_eq!(
        stand.submit(cleaned(true)),
        Err(AuthorityError::NotRetired {
            epoch: Epoch::FIRST
        })
    );
    assert_eq!(
        stand.submit(AuthorityCommand::CleanedUp {
            epoch: Epoch::FIRST.next(),
            everything: true
        }),
        Err(AuthorityError::NotRetired {
            epoch: Epoch::FIRST.next()
        })
    );
}

#[test]
fn nothing_is_cleaned_up_while_a_rotation_may_go_on_with_it() {
    let mut stand = Stand::serving();
    stand.now = 100;
    stand.move_to("r2");
    stand.now = 200;
    stand.rotate(RotationCause::NewKey, false).unwrap();
    assert_eq!(clean_up(&stand), None);
    let epoch = stand.rotation().epoch;
    stand.submit(AuthorityCommand::Abandon { epoch }).unwrap();
    assert!(clean_up(&stand).is_some());
    let prepare = ("prepare issuer", Some(epoch));
    let cleaning = stand
        .due()
        .into_iter()
        .find(|effect| effect.key().0 == "clean up")
        .unwrap();
    assert!(cleaning.must_wait_for(prepare));
    assert!(!cleaning.must_wait_for(cleaning.key()));
}

#[test]
fn a_provider_that_cannot_be_reached_any_more_is_forgotten_after_a_week() {
    let mut stand = Stand::serving();
    stand.now = 100;
    stand.move_to("r2");
    stand.now = 100 + B;
    stand.extend();
    stand.forget(0);
    let over = stand.now;
    stand.now = over + B - 1;
    stand.forget(0);
    assert!(stand.authority().provider_state(Epoch::FIRST).is_some());
    stand.now = over + B;
    stand.forget(0);
    assert!(stand.authority().provider_state(Epoch::FIRST).is_none());
}
