//! What happens when: made from a seed, so that a number is all that a failure needs to be
//! reported with.

use std::fmt;

use super::random::Random;

pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 24 * HOUR;

/// The providers that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ProviderKind {
    /// Makes its keys here; remembers them in its state only.
    Local,
    /// Keeps them elsewhere, finds again what an operation made, has an intermediate.
    Remote,
    /// As `Remote`, but cannot sign other CAs' roots.
    Plain,
    /// Its root's key is nowhere near: somebody outside signs the intermediate.
    Offline,
    /// Root and key are given in the options. Two of them share a key.
    Given,
}

impl ProviderKind {
    pub(super) const ALL: [Self; 5] = [
        Self::Local,
        Self::Remote,
        Self::Plain,
        Self::Offline,
        Self::Given,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Plain => "plain",
            Self::Offline => "offline",
            Self::Given => "given",
        }
    }
}

/// A configuration as an operator would write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) kind: ProviderKind,
    /// Another root (another mount, another file, another key type).
    pub(super) variant: u8,
    pub(super) leaf: i64,
    pub(super) intermediate: i64,
    pub(super) bundle: i64,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A worker signs for some services, by the newest view or an older one.
    Sign {
        services: i64,
        stale: bool,
    },
    /// A worker reads the signing view and will use it later.
    ReadView,
    /// An operator changes the configuration.
    Configure {
        wish: Wish,
        force: bool,
    },
    /// An operator changes the options only.
    Adjust {
        leaf: i64,
        bundle: i64,
    },
    /// An operator goes back to the configuration before.
    GoBack {
        force: bool,
    },
    NewKey {
        force: bool,
    },
    Emergency {
        retire_after: i64,
        force: bool,
    },
    GiveUp,
    /// Somebody signs the intermediate that waits, or something else.
    GiveSignature {
        good: bool,
    },
    /// The process dies and is started again.
    Crash {
        down: i64,
    },
    /// The wall clock is set, and right again after a while.
    SetClock {
        by: i64,
        during: i64,
    },
    Snapshot,
    Restore,
    /// A provider does not answer for a while.
    Down {
        kind: ProviderKind,
        during: i64,
    },
    /// A provider answers with what it was not asked for, fails, or never answers, now and then.
    Misbehave {
        kind: ProviderKind,
        during: i64,
    },
    /// Results of effects are lost, come twice, or late.
    Trouble {
        lost: i64,
        twice: i64,
        slow: i64,
        during: i64,
    },
    Wait,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// Seconds since the one before.
    pub(super) after: i64,
    /// Decides all that is left to chance when it happens.
    pub(super) salt: u64,
    pub(super) action: Action,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {:>8} s: {:?}", self.after, self.action)
    }
}

/// A whole life of a trust domain.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) seed: u64,
    pub(super) first: Wish,
    pub(super) events: Vec<Event>,
}

impl Schedule {
    pub(super) fn generate(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let bundle = random.pick(&[DAY, 2 * DAY, 3 * DAY, 7 * DAY]);
        let first = wish(&mut random, bundle);
        let mood = Mood {
            faults: random.chance(60),
            clocks: random.chance(25),
            restores: random.chance(20),
            eager: random.chance(50),
        };
        let length = random.between(10, 45);
        let events = (0..length)
            .map(|_| Event {
                after: pause(&mut random, bundle, mood),
                salt: random.draw(),
                action: action(&mut random, bundle, mood),
            })
            .collect();
        Self {
            seed,
            first,
            events,
        }
    }
}

#[derive(Clone, Copy)]
struct Mood {
    faults: bool,
    clocks: bool,
    restores: bool,
    eager: bool,
}

fn wish(random: &mut Random, bundle: i64) -> Wish {
    Wish {
        kind: random.pick(&ProviderKind::ALL),
        variant: u8::from(random.chance(50)),
        leaf: leaf(random, bundle),
        intermediate: bundle * random.between(1, 12),
        bundle,
    }
}

fn leaf(random: &mut Random, bundle: i64) -> i64 {
    match random.between(0, 3) {
        0 => bundle / 8,
        1 => bundle / 3,
        2 => bundle,
        _ => bundle * 2,
    }
}

fn pause(random: &mut Random, bundle: i64, mood: Mood) -> i64 {
    match random.between(0, if mood.eager { 7 } else { 4 }) {
        0 => random.between(0, 20),
        1 => random.between(20, 10 * MINUTE),
        2 => random.between(MINUTE, 2 * HOUR),
        3 => random.between(HOUR, bundle),
        4 => random.between(bundle / 2, bundle * 2),
        _ => random.between(10 * MINUTE, bundle / 3),
    }
}

fn action(random: &mut Random, bundle: i64, mood: Mood) -> Action {
    let force = random.chance(30);
    match random.between(0, 99) {
        0..=21 => Action::Sign {
            services: random.between(1, 500),
            stale: random.chance(30),
        },
        22..=27 => Action::ReadView,
        28..=45 => {
            let bundle = match random.between(0, 7) {
                0 => bundle / 2,
                1 => bundle * 2,
                _ => bundle,
            };
            let wish = wish(random, bundle);
            Action::Configure { wish, force }
        }
        46..=50 => Action::Adjust {
            leaf: leaf(random, bundle),
            bundle: random.pick(&[bundle / 4, bundle, bundle, bundle * 2]),
        },
        51..=56 => Action::GoBack { force },
        57..=66 => Action::NewKey { force },
        67..=69 => Action::Emergency {
            retire_after: random.pick(&[0, 10 * MINUTE, HOUR, DAY]),
            force,
        },
        70..=72 => Action::GiveUp,
        73..=77 => Action::GiveSignature {
            good: random.chance(80),
        },
        78..=96 if mood.faults && random.chance(80) => fault(random),
        78..=85 if mood.clocks => Action::SetClock {
            by: random.pick(&[-1, 1]) * random.between(2 * MINUTE, 2 * bundle),
            during: random.between(1, 54 * MINUTE),
        },
        86..=90 if mood.restores => Action::Snapshot,
        91..=95 if mood.restores => Action::Restore,
        _ => Action::Wait,
    }
}

fn fault(random: &mut Random) -> Action {
    match random.between(0, 13) {
        0..=4 => Action::Crash {
            down: random.pick(&[0, 1, 30, HOUR]),
        },
        5..=6 => Action::Down {
            kind: random.pick(&ProviderKind::ALL),
            during: random.between(MINUTE, 3 * HOUR),
        },
        7..=10 => Action::Misbehave {
            kind: random.pick(&ProviderKind::ALL),
            during: random.between(HOUR, 2 * DAY),
        },
        _ => Action::Trouble {
            lost: random.pick(&[0, 30, 60]),
            twice: random.pick(&[0, 30, 60]),
            slow: random.pick(&[0, 50]),
            during: random.between(MINUTE, DAY),
        },
    }
}
