//! What leads from the root that signs to the older ones.

use super::*;

#[test]
fn links_add_up_until_a_path_would_be_too_long() {
    let mut stand = Stand::serving();
    for number in 2..=6 {
        stand.now += HOUR;
        stand.move_to(&format!("r{number}"));
    }
    assert_eq!(
        stand.links(),
        ["r6 x r5", "r5 x r4", "r4 x r3", "r3 x r2", "r2 x r1"]
    );
    stand.now += HOUR;
    let refused = stand.rotate(RotationCause::NewKey, false);
    let until = at(HOUR + B).wall;
    assert_eq!(
        refused,
        Err(AuthorityError::PathTooLong { length: 7, until })
    );
    // Six it is once the oldest link is forgotten.
    stand.now = HOUR + B;
    stand.extend();
    stand.forget(0);
    assert_eq!(stand.links().len(), 4);
    stand.move_to("r7");
    assert_eq!(stand.links().len(), 5);
}

#[test]
fn a_change_that_turns_out_too_long_is_given_up_with_the_date() {
    let mut stand = Stand::serving();
    for number in 2..=5 {
        stand.now += HOUR;
        stand.move_to(&format!("r{number}"));
    }
    stand.rotate(RotationCause::NewKey, false).unwrap();
    stand
        .prepare_issuer(with_intermediate("r6", "i6", 100 * DAY))
        .unwrap();
    let due = stand.due();
    let Some(Effect::Abandon { reason, .. }) = due.first() else {
        panic!("{due:?}");
    };
    assert!(
        reason.contains("a path of 7 certificates, at most 6 are accepted"),
        "{reason}"
    );
    assert!(reason.contains(&at(HOUR + B).wall.to_string()), "{reason}");
}

#[test]
fn an_intermediate_under_the_same_root_counts_too() {
    let mut stand = Stand::serving();
    for number in 2..=6 {
        stand.now += HOUR;
        stand.move_to(&format!("r{number}"));
    }
    for force in [false, true] {
        stand.rotate(RotationCause::Renewal, force).unwrap();
        stand
            .prepare_issuer(with_intermediate("r6", "i6", 100 * DAY))
            .unwrap();
        let epoch = stand.rotation().epoch;
        if !force {
            assert!(stand.keys().contains(&"abandon"));
            stand.submit(AuthorityCommand::Abandon { epoch }).unwrap();
        }
    }
    let due = stand.due();
    let tried = due.iter().find_map(|effect| match effect {
        Effect::TryIssuer { anchors, links, .. } => Some((anchors, links.len())),
        _ => None,
    });
    let (anchors, links) = tried.unwrap();
    assert_eq!(links, 4);
    // The one that is left behind is not tried.
    assert!(!anchors.contains(&Der::new(b"r1")));
    assert!(anchors.contains(&Der::new(b"r2")));
}

#[test]
fn by_force_the_oldest_bundles_are_left_behind_and_no_later_trial_asks_for_them() {
    let mut stand = Stand::serving();
    for number in 2..=6 {
        stand.now += HOUR;
        stand.move_to(&format!("r{number}"));
    }
    stand.now += HOUR;
    stand.rotate(RotationCause::NewKey, true).unwrap();
    stand.prepare("r7").unwrap();
    stand.link().unwrap();
    stand.try_it().unwrap();
    assert_eq!(
        stand.links(),
        ["r7 x r6", "r6 x r5", "r5 x r4", "r4 x r3", "r3 x r2"]
    );
    let anchors: Vec<_> = stand
        .authority()
        .anchors(stand.wall())
        .into_iter()
        .map(|root| root.id.as_str())
        .collect();
    assert_eq!(anchors, ["r2", "r3", "r4", "r5", "r6", "r7"]);
    assert_eq!(
        stand.authority().record().unwrap().broken_at,
        Some(stand.wall())
    );
    // Leafs of it may be alive: it stays.
    stand.forget(0);
    assert!(stand.has_root("r1"));
}

#[test]
fn without_cross_signing_only_force_goes_on() {
    for force in [false, true] {
        let mut stand = Stand::serving();
        stand.rotate(RotationCause::NewKey, force).unwrap();
        stand.prepare("r2").unwrap();
        let epoch = stand.rotation().epoch;
        stand
            .submit(AuthorityCommand::CannotCrossSign { epoch })
            .unwrap();
        assert_eq!(stand.is_idle(), !force);
        if force {
            let [Effect::TryIssuer { anchors, links, .. }] = &stand.due()[..] else {
                panic!("{:?}", stand.due());
            };
            assert_eq!((&anchors[..], links.len()), (&[Der::new(b"r2")][..], 0));
            stand.try_it().unwrap();
            assert_eq!(stand.links(), [""; 0]);
            let anchors = stand.authority().anchors(stand.wall());
            assert_eq!(anchors.len(), 1);
        }
    }
}

#[test]
fn a_link_that_ends_too_soon_or_is_anothers_is_refused() {
    let mut stand = Stand::serving();
    stand.now = 100;
    stand.rotate(RotationCause::NewKey, false).unwrap();
    stand.prepare("r2").unwrap();
    let epoch = stand.rotation().epoch;
    let least = at(100 + B + 72 * HOUR).wall;
    let good = Link {
        not_after: least,
        ..stand.wanted_link()
    };
    let before = stand.state.clone();
    let second = Duration::from_secs(1);
    let short = Link {
        not_after: least.saturating_sub(second),
        ..good.clone()
    };
    assert_eq!(
        stand.submit(AuthorityCommand::CrossSigned { epoch, link: short }),
        Err(AuthorityError::LinkEnds {
            found: least.saturating_sub(second),
            least
        })
    );
    let other = Link {
        signer: "r0".to_owned(),
        ..good.clone()
    };
    assert!(matches!(
        stand.submit(AuthorityCommand::CrossSigned { epoch, link: other }),
        Err(AuthorityError::WrongLink { .. })
    ));
    assert_eq!(stand.state.digest(), before.digest());
    stand
        .submit(AuthorityCommand::CrossSigned { epoch, link: good })
        .unwrap();
    assert_eq!(stand.rotation().step.name(), "trying");
}

#[test]
fn a_link_that_would_end_before_it_is_needed_no_more_is_made_again() {
    let mut stand = Stand::serving();
    stand.rotate(RotationCause::NewKey, false).unwrap();
    stand.prepare("r2").unwrap();
    stand.link().unwrap();
    // The wall clock was set forward by more than a leaf's life and the hour for a step.
    stand.now = 73 * HOUR + 1;
    stand.try_it().unwrap();
    assert_eq!(stand.rotation().step.name(), "linking");
    stand.link().unwrap();
    stand.try_it().unwrap();
    assert_eq!(stand.links(), ["r2 x r1"]);
}

#[test]
fn links_are_kept_whatever_the_wall_clock_says() {
    let mut stand = Stand::serving();
    stand.now = HOUR;
    stand.move_to("r2");
    // Set ahead, a rotation goes through: nothing is proven.
    stand.now = HOUR + 2 * B;
    stand.move_to("r3");
    assert_eq!(stand.links(), ["r3 x r2", "r2 x r1"]);
}

#[test]
fn bundles_of_a_longer_bound_are_led_to_the_new_root_too() {
    let mut stand = Stand::serving();
    stand.now = 100;
    let mut shorter = stand.authority().configuration().unwrap().clone();
    shorter.lifetimes.bundle = Duration::from_secs(24 * 3600);
    stand
        .change(shorter, RotationCause::Configured, false)
        .unwrap();
    stand.prepare("r1").unwrap();
    stand.try_it().unwrap();
    stand.now = 200;
    stand.move_to("r2");
    // One that was taken a moment before second 100 is used for seven days.
    assert_eq!(stand.active().links[0].needed_until, at(100 + B).wall);
    stand.now = 100 + B;
    stand.move_to("r3");
    assert_eq!(stand.active().links[0].needed_until, at(100 + B + DAY).wall);
}

#[test]
fn a_root_that_comes_back_is_linked_and_needs_no_link_to_itself() {
    let mut stand = Stand::serving();
    let added = stand.active().added_at;
    stand.now = HOUR;
    stand.move_to("r2");
    stand.now = 2 * HOUR;
    stand.rotate(RotationCause::NewKey, false).unwrap();
    stand.prepare("r1").unwrap();
    stand.link().unwrap();
    stand.try_it().unwrap();
    assert_eq!(stand.links(), ["r1 x r2"]);
    let back = stand.active();
    assert_eq!(
        (back.added_at, back.rotated_out_at, back.bundles_until),
        (added, None, None)
    );
    stand.now = 3 * HOUR;
    stand.move_to("r3");
    assert_eq!(stand.links(), ["r3 x r1", "r1 x r2"]);
    // A renewal under a root that came back makes no old link new.
    let until = stand.active().links[1].needed_until;
    stand.now = 4 * HOUR;
    stand.rotate(RotationCause::Renewal, false).unwrap();
    stand.prepare("r3").unwrap();
    stand.try_it().unwrap();
    assert_eq!(stand.active().links[1].needed_until, until);
}

#[test]
fn links_to_a_root_that_comes_back_make_no_path_too_long() {
    let mut stand = Stand::serving();
    for number in 2..=6 {
        stand.now += HOUR;
        stand.move_to(&format!("r{number}"));
    }
    let mut configuration = stand.authority().configuration().unwrap().clone();
    configuration.provider = "another".to_owned();
    // With an intermediate it is one too many, and the oldest link that counts is the second.
    for (back, until) in [
        (with_intermediate("r1", "i1", 100 * DAY), Some(2 * HOUR + B)),
        (issuer("r1"), None),
    ] {
        let cause = RotationCause::Configured;
        stand.change(configuration.clone(), cause, false).unwrap();
        stand.prepare_issuer(back).unwrap();
        let Some(until) = until else { break };
        let due = stand.due();
        let Some(Effect::Abandon { epoch, reason }) = due.first() else {
            panic!("{due:?}");
        };
        assert!(reason.contains("a path of 7 certificates"), "{reason}");
        assert!(reason.contains(&at(until).wall.to_string()), "{reason}");
        let epoch = *epoch;
        stand.submit(AuthorityCommand::Abandon { epoch }).unwrap();
    }
    stand.link().unwrap();
    stand.try_it().unwrap();
    assert_eq!(
        stand.links(),
        ["r1 x r6", "r6 x r5", "r5 x r4", "r4 x r3", "r3 x r2"]
    );
}

#[test]
fn a_root_that_has_expired_can_be_left_by_force() {
    let mut stand = Stand::serving();
    stand.now = 10 * 365 * DAY + 1;
    stand.rotate(RotationCause::NewKey, true).unwrap();
    let fresh = NewIssuer {
        not_after: at(20 * 365 * DAY).wall,
        ..issuer("r2")
    };
    stand.prepare_issuer(fresh).unwrap();
    let tried = stand
        .due()
        .into_iter()
        .find(|effect| effect.key().0 == "try issuer");
    let Some(Effect::TryIssuer { anchors, .. }) = tried else {
        panic!("nothing is tried");
    };
    assert_eq!(anchors, [Der::new(b"r2")]);
    stand.try_it().unwrap();
    assert_eq!(stand.active().id, "r2");
}
