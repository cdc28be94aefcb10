//! Judging entries.

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

/// An expression that has a meaning for entries of one shape.
#[derive(Clone, Debug)]
pub struct Filter {
    pub(super) root: Rule,
    /// How much more its patterns may do.
    steps_left: u64,
}

/// The patterns of a filter have done as much work as they may for one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the patterns take too long for so many entries: make them shorter, or compare with ==")]
#[non_exhaustive]
pub struct FilterSpent;

impl Filter {
    /// About half a second of work at worst.
    const STEPS: u64 = 100_000_000;

    pub(super) const fn new(root: Rule) -> Self {
        Self {
            root,
            steps_left: Self::STEPS,
        }
    }

    /// Whether an entry, in its JSON form, is wanted. What it lacks counts as empty.
    ///
    /// # Errors
    /// When all entries so far were too much work. Only patterns count: a filter without them
    /// takes any number of entries.
    pub fn matches(&mut self, entry: &Value) -> Result<bool, FilterSpent> {
        let holds = self.root.holds(entry, &mut self.steps_left);
        if self.steps_left == 0 {
            return Err(FilterSpent);
        }
        Ok(holds)
    }
}

/// A bound part of an expression. Nested no deeper than the expression.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Test {
        path: Vec<Step>,
        question: Question,
        negated: bool,
    },
}

/// One step from an entry to what is looked at.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// To each element of a list; one for which the rest holds is enough.
    Each,
    /// To a part that every entry has.
    Field(&'static str),
    /// To a part that is there or not.
    Key(String),
}

/// What is asked about it.
#[derive(Clone, Debug)]
pub(super) enum Question {
    Boolean(bool),
    Empty,
    HasElement(String),
    HasKey(String),
    HasPart(String),
    Integer(i64),
    Matches(Pattern),
    Text(String),
}

impl Rule {
    fn holds(&self, entry: &Value, steps: &mut u64) -> bool {
        match self {
            Self::All(rules) => rules.iter().all(|rule| rule.holds(entry, steps)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(entry, steps)),
            Self::Not(rule) => !rule.holds(entry, steps),
            Self::Test {
                path,
                question,
                negated,
            } => holds_at(
                path,
                entry,
                &mut |part| question.is_answered_by(part, steps) != *negated,
                *negated,
            ),
        }
    }
}

fn holds_at(
    path: &[Step],
    part: &Value,
    judge: &mut impl FnMut(&Value) -> bool,
    if_absent: bool,
) -> bool {
    let Some((step, rest)) = path.split_first() else {
        return judge(part);
    };
    match step {
        Step::Each => {
            let elements = part.as_array().map_or(&[][..], Vec::as_slice);
            elements
                .iter()
                .any(|element| holds_at(rest, element, judge, if_absent))
        }
        Step::Field(name) => {
            let next = part.get(name).unwrap_or(&Value::Null);
            holds_at(rest, next, judge, if_absent)
        }
        Step::Key(key) => part
            .get(key)
            .map_or(if_absent, |next| holds_at(rest, next, judge, if_absent)),
    }
}

impl Question {
    fn is_answered_by(&self, part: &Value, steps: &mut u64) -> bool {
        let text = || part.as_str().unwrap_or_default();
        match self {
            Self::Boolean(wanted) => part.as_bool().unwrap_or_default() == *wanted,
            Self::Empty => match part {
                Value::Array(elements) => elements.is_empty(),
                Value::Object(pairs) => pairs.is_empty(),
                _ => true,
            },
            Self::HasElement(wanted) => part
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one.as_str() == Some(wanted))),
            Self::HasKey(wanted) => part.get(wanted).is_some(),
            Self::HasPart(wanted) => text().contains(wanted.as_str()),
            Self::Integer(wanted) => part.as_i64().unwrap_or_default() == *wanted,
            Self::Matches(pattern) => pattern.is_found_in(text(), steps),
            Self::Text(wanted) => text() == wanted,
        }
    }
}

/// A regular expression and what it costs.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    expression: Regex,
    /// Steps for each byte that it looks at, at most.
    cost: u64,
}

impl Pattern {
    /// Bytes that a pattern may take: the most, and smaller sizes to tell what it costs.
    const SIZES: [usize; 3] = [1 << 10, 4 << 10, 16 << 10];
    /// How deep its groups may be nested.
    const DEPTH: u32 = 32;
    /// A step of a pattern takes more bytes than this.
    const STEP_BYTES: usize = 16;

    pub(super) fn new(text: &str) -> Result<Self, regex_lite::Error> {
        let sized = |size: usize| {
            let mut builder = RegexBuilder::new(text);
            let expression = builder.size_limit(size).nest_limit(Self::DEPTH).build();
            let cost = u64::try_from(size / Self::STEP_BYTES).unwrap_or(u64::MAX);
            expression.map(|expression| Self { expression, cost })
        };
        let [small, middle, large] = Self::SIZES;
        sized(small)
            .or_else(|_larger| sized(middle))
            .or_else(|_larger| sized(large))
    }

    fn is_found_in(&self, text: &str, steps: &mut u64) -> bool {
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        *steps = steps.saturating_sub(self.cost.saturating_mul(bytes.saturating_add(1)));
        *steps > 0 && self.expression.is_match(text)
    }
}
