//! Why a decision came out as it did, and what would turn it.

use std::fmt;

use super::decision::{Decision, DefaultPolicy};
use super::draft::is_exact_name;
use super::model::{Action, Intention};
use super::names::{NameRef, STAR};

/// A decision with everything that led to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation<'a> {
    /// The source that was asked about.
    pub source: &'a str,
    /// The destination that was asked about.
    pub destination: &'a str,
    /// The verdict.
    pub allowed: bool,
    /// The rule that decided.
    pub winner: Option<&'a Intention>,
    /// The rules that fit, too, but come later, in the order in which they would be tried.
    pub shadowed: Vec<&'a Intention>,
    /// What decides when no rule fits.
    pub default: DefaultPolicy,
    /// The smallest change that gives the other answer.
    pub flip: Option<Flip<'a>>,
}

/// The smallest change that turns a decision.
///
/// *Small* is measured by the other answers that change with it. Let K be every name that is
/// spelled in a rule, the two names asked about, and one name more that stands for all the
/// services no rule mentions. The candidates are: add a rule for exactly this pair (both names
/// given, none there yet in any case), delete the winner, turn the winner's action round. Of
/// those that turn this pair's answer, the one is chosen that changes the answers of the
/// fewest other pairs of K (sources by spelling, destinations in any case); among equals the
/// first in the order add, delete, turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flip<'a> {
    /// Add a rule for exactly this pair.
    AddExact {
        /// The new rule's source.
        source: &'a str,
        /// The new rule's destination.
        destination: &'a str,
        /// The new rule's action.
        action: Action,
    },
    /// Delete this rule, the winner.
    DeleteWinner(&'a Intention),
    /// Give this rule, the winner, its opposite action.
    FlipWinner(&'a Intention),
}

impl<'a> Explanation<'a> {
    pub(super) fn new(decision: Decision<'a>) -> Self {
        let Decision {
            set,
            source,
            destination,
            default,
            ..
        } = decision;
        let allowed = decision.allowed();
        let mut fitting = Vec::new();
        set.visit(source, destination, |ruling| {
            fitting.extend(ruling.row().and_then(|row| set.row(row)));
            true
        });
        let mut fitting = fitting.into_iter();
        let winner = fitting.next();
        let shadowed: Vec<_> = fitting.collect();
        let without_winner = match shadowed.first() {
            Some(next) => next.action() == Action::Allow,
            None => default.allows(),
        };
        let flip = if can_add(&decision) {
            // Changes no pair but this one, and nothing else can change fewer.
            Some(Flip::AddExact {
                source: source.text,
                destination: destination.text,
                action: if allowed { Action::Deny } else { Action::Allow },
            })
        } else {
            // Deleting changes the answer only where the next rule disagrees, turning
            // everywhere the winner decides: where both turn this pair, deleting is smaller.
            winner.map(|winner| {
                if without_winner == allowed {
                    Flip::FlipWinner(winner)
                } else {
                    Flip::DeleteWinner(winner)
                }
            })
        };
        Self {
            source: source.text,
            destination: destination.text,
            allowed,
            winner,
            shadowed,
            default,
            flip,
        }
    }
}

fn can_add(decision: &Decision<'_>) -> bool {
    let concrete =
        |name: NameRef<'_>| name.in_default && name.folded != STAR && is_exact_name(name.text);
    concrete(decision.source)
        && concrete(decision.destination)
        && !decision
            .set
            .has_pair(decision.source.folded, decision.destination.folded)
}

/// For people: several lines, without a line break at the end.
impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.allowed { "allowed" } else { "denied" };
        write!(
            f,
            "{} -> {}: {verdict}",
            Shown(self.source),
            Shown(self.destination)
        )?;
        match self.winner {
            Some(winner) => write!(f, "\n  decided by  {}", Line(winner))?,
            None => write!(
                f,
                "\n  decided by  the default, no intention fits ({})",
                default_words(self.default)
            )?,
        }
        for row in &self.shadowed {
            write!(f, "\n  overrules   {}", Line(row))?;
        }
        match self.flip {
            Some(Flip::AddExact {
                source,
                destination,
                action,
            }) => write!(
                f,
                "\n  to turn it  add {} {} => {}",
                action.as_str(),
                Shown(source),
                Shown(destination)
            ),
            Some(Flip::DeleteWinner(winner)) => {
                write!(f, "\n  to turn it  delete {}", Line(winner))
            }
            Some(Flip::FlipWinner(winner)) => write!(
                f,
                "\n  to turn it  set {} to {}",
                Line(winner),
                winner.action().opposite().as_str()
            ),
            None => f.write_str("\n  to turn it  no single intention can"),
        }
    }
}

const fn default_words(default: DefaultPolicy) -> &'static str {
    match default {
        DefaultPolicy::AclsDisabled => "allow, ACLs are disabled",
        DefaultPolicy::Allow => "allow, the ACLs' default policy",
        DefaultPolicy::Deny => "deny, the ACLs' default policy",
    }
}

/// One rule in one line, the identifier at the end.
struct Line<'a>(&'a Intention);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.0;
        write!(f, "{} ", row.action().as_str())?;
        for (namespace, name, gap) in [
            (row.source_namespace(), row.source_name(), " => "),
            (row.destination_namespace(), row.destination_name(), ""),
        ] {
            if namespace.as_str() != "default" {
                write!(f, "{}/", namespace.as_str())?;
            }
            write!(f, "{}{gap}", Shown(name))?;
        }
        write!(f, " (precedence {}", row.precedence())?;
        if let Some(id) = row.id() {
            write!(f, ", {id}")?;
        }
        f.write_str(")")
    }
}

/// A name, quoted and escaped if it holds anything but plain characters: names come from
/// strangers, and the text goes to terminals.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic());
        if plain {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}
