//! A rotation goes on in another process from the rows alone.

use super::*;
use crate::state::{Row, RowKind};

fn restored(state: &State) -> State {
    State::restore(HashSeed([1, 2]), state.revision(), state.rows()).unwrap()
}

fn assert_same(stand: &Stand) {
    let other = restored(&stand.state);
    assert_eq!(other.digest(), stand.state.digest());
    for later in [0, 10, HOUR, B, 100 * DAY] {
        let now = at(stand.now + later);
        assert_eq!(
            other.authority().agenda(now),
            stand.authority().agenda(now),
            "{later} s later"
        );
    }
}

#[test]
fn another_process_finds_the_same_agenda_at_every_step() {
    let mut stand = Stand::serving();
    assert_same(&stand);
    for (number, force) in [(2, false), (3, true)] {
        stand.now += HOUR;
        stand.rotate(RotationCause::NewKey, force).unwrap();
        assert_same(&stand);
        let (epoch, operation) = stand.order();
        let before = stand.state.clone();
        stand
            .submit(AuthorityCommand::SignatureWanted {
                epoch,
                operation,
                root: issuer("offline"),
                csr: Der::new(b"csr"),
                state: Sealed::from_bytes(vec![7]),
            })
            .unwrap();
        assert_same(&stand);
        stand
            .submit(AuthorityCommand::SignatureGiven {
                chain: vec![Der::new(b"signed")],
            })
            .unwrap();
        assert_same(&stand);
        stand.state = before;
        let root = format!("r{number}");
        stand
            .prepare_issuer(with_intermediate(&root, "i", 100 * DAY))
            .unwrap();
        assert_same(&stand);
        stand.link().unwrap();
        assert_same(&stand);
        stand.try_it().unwrap();
        assert_same(&stand);
    }
    stand.now += B + HOUR;
    stand.extend();
    stand.forget(0);
    assert_same(&stand);
    stand.rotate(RotationCause::NewKey, false).unwrap();
    let epoch = stand.rotation().epoch;
    stand.submit(AuthorityCommand::Abandon { epoch }).unwrap();
    assert_same(&stand);
}

#[test]
fn rows_of_the_first_format_say_when_a_root_is_over() {
    let mut stand = Stand::serving();
    stand.now = 100;
    stand.move_to("r2");
    let without = |row: Row| -> Row {
        if row.kind != RowKind::CaRoot {
            return row;
        }
        let mut value: serde_json::Value = serde_json::from_slice(&row.value).unwrap();
        let fields = value.as_object_mut().unwrap();
        fields.remove("bundles_until");
        fields.remove("leafs_until");
        Row {
            value: serde_json::to_vec(&value).unwrap().into(),
            ..row
        }
    };
    let rows: Vec<_> = stand.state.rows().into_iter().map(without).collect();
    let old = State::restore(HashSeed([1, 2]), stand.state.revision(), rows).unwrap();
    let over = |state: &State| {
        let authority = state.authority();
        authority.root_over_at(authority.root("r1").unwrap())
    };
    assert_eq!(over(&old), Some(at(100 + B).wall));
    assert_eq!(over(&stand.state), over(&old));
}
