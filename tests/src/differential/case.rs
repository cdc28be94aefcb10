//! Cases as text: what is asked, in what order, and what is compared of the answers.
//!
//! A file is one area. Its two agents are fresh, and its cases are played in their order.
//!
//! ```text
//! # A comment.
//! == name                       a case; `== name (bad)` if it is bad input
//! PUT /path?query {"a": 1}      a request, with its body, whose answers are compared
//!   Header: value               a header of the request above
//!   only /a/0/b /c              only these places of its JSON are compared
//!   mask Port Address           the values of these fields are not compared
//!   sorted                      a list whose order says nothing
//!   says text                   Consul's text is its decoder or parser speaking; ours is
//!                               another, and has these words in it
//!   waits 500                   Consul takes at least so many milliseconds
//!   keep name /ID               $name is that text of the answer, for each agent its own
//!   keep name X-Consul-Index    $name is that header of the answer
//! & PUT /path                   sent together with the request above, and not compared
//! + PUT /path                   a request that brings about a state, and must succeed
//! ? text GET /path              asked again until the answer has `text` in it
//! ```
//!
//! `<513*ab>` stands for `ab` written 513 times.

use std::collections::BTreeMap;

use crate::exchange::WireRequest;

/// The cases of one area.
#[derive(Clone, Debug)]
pub struct Cases {
    /// In their order.
    pub cases: Vec<Case>,
}

/// A few requests that belong together.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is called, in reports and in the ledger.
    pub name: String,
    /// Whether what is asked is wrong.
    pub bad: bool,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// Why a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(super) enum Purpose {
    /// Its answers are compared.
    Compared,
    /// It changes something while the one before it waits.
    Meanwhile,
    /// It brings about a state.
    Setup,
    /// It is asked until the answer has something in it.
    Until,
}

/// One request of a case.
#[derive(Clone, Debug)]
pub struct Step {
    pub(super) purpose: Purpose,
    pub(super) request: WireRequest,
    pub(super) only: Vec<String>,
    pub(super) mask: Vec<String>,
    pub(super) sorted: bool,
    pub(super) says: Option<String>,
    pub(super) waits: Option<u64>,
    pub(super) keep: Vec<(String, String)>,
    pub(super) until: String,
}

impl Cases {
    /// Reads a file of cases.
    ///
    /// # Panics
    /// When a line is none of those described, or a name stands twice.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut cases: Vec<Case> = Vec::new();
        for line in text.lines() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(heading) = line.strip_prefix("== ") {
                let case = Case::named(heading.trim());
                let twice = cases.iter().any(|other| other.name == case.name);
                assert!(!twice, "{line} stands twice");
                cases.push(case);
                continue;
            }
            let Some(case) = cases.last_mut() else {
                panic!("a line before the first case: {line}");
            };
            match line.strip_prefix("  ") {
                Some(more) => case.more(more),
                None => case.steps.push(Step::parse(line)),
            }
        }
        for case in &cases {
            let compared = case.steps.iter().any(Step::is_compared);
            assert!(compared, "{} compares nothing", case.name);
        }
        Self { cases }
    }

    /// How many answers are compared, of all cases or of those with bad input.
    #[must_use]
    pub fn compared(&self, only_bad: bool) -> usize {
        let cases = self.cases.iter().filter(|case| case.bad || !only_bad);
        cases
            .flat_map(|case| &case.steps)
            .filter(|step| step.is_compared())
            .count()
    }
}

impl Case {
    fn named(heading: &str) -> Self {
        let (name, bad) = match heading.strip_suffix(" (bad)") {
            Some(name) => (name, true),
            None => (heading, false),
        };
        Self {
            name: name.to_owned(),
            bad,
            steps: Vec::new(),
        }
    }

    /// A line about the request above it.
    fn more(&mut self, line: &str) {
        let Some(step) = self.steps.last_mut() else {
            panic!("{}: a line before its first request: {line}", self.name);
        };
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = || rest.split(' ').map(str::to_owned);
        match word {
            "only" => step.only.extend(words()),
            "mask" => step.mask.extend(words()),
            "sorted" => step.sorted = true,
            "says" => step.says = Some(rest.to_owned()),
            "waits" => step.waits = rest.parse().ok(),
            "keep" => {
                let (name, place) = rest.split_once(' ').unwrap_or_default();
                step.keep.push((format!("${name}"), place.to_owned()));
            }
            _ => {
                let Some((name, value)) = line.split_once(": ") else {
                    panic!("{}: neither a header nor a word: {line}", self.name);
                };
                let value = unfolded(value);
                step.request.headers.insert(name.to_owned(), value);
            }
        }
    }
}

impl Step {
    fn parse(line: &str) -> Self {
        let (purpose, rest) = match line.split_once(' ') {
            Some(("+", rest)) => (Purpose::Setup, rest),
            Some(("&", rest)) => (Purpose::Meanwhile, rest),
            Some(("?", rest)) => (Purpose::Until, rest),
            _ => (Purpose::Compared, line),
        };
        let (until, rest) = match purpose {
            Purpose::Until => rest.split_once(' ').unwrap_or_default(),
            _ => ("", rest),
        };
        let mut words = rest.splitn(3, ' ');
        let mut word = || words.next().map(unfolded).unwrap_or_default();
        let (method, path, body) = (word(), word(), word());
        assert!(path.starts_with('/'), "no request: {line}");
        Self {
            purpose,
            request: WireRequest {
                method,
                path,
                headers: BTreeMap::new(),
                body,
            },
            only: Vec::new(),
            mask: Vec::new(),
            sorted: false,
            says: None,
            waits: None,
            keep: Vec::new(),
            until: until.to_owned(),
        }
    }

    pub(super) fn is_compared(&self) -> bool {
        self.purpose == Purpose::Compared
    }
}

/// The text with `ab` three times for `<3*ab>`.
fn unfolded(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        whole += before;
        let folded = after.split_once('>').and_then(|(inside, after)| {
            let (count, what) = inside.split_once('*')?;
            Some((what.repeat(count.parse().ok()?), after))
        });
        match folded {
            Some((what, after)) => {
                whole += &what;
                rest = after;
            }
            None => {
                whole.push('<');
                rest = after;
            }
        }
    }
    whole + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_read_as_it_is_written() {
        let text = "# x\n== a (bad)\n+ PUT /v1/x {\"a b\": 1}\n  X-A: b: c\nGET /v1/y\n  only /a /b\n\
                    == b\n? \"web\" GET /z\nGET /z\n  says what\n  keep id /ID\n";
        let cases = Cases::parse(text);
        assert_eq!((cases.compared(false), cases.compared(true)), (2, 1));
        let [a, b] = cases.cases.as_slice() else {
            panic!("{cases:?}");
        };
        assert!(a.bad && a.steps[0].purpose == Purpose::Setup);
        assert_eq!(a.steps[0].request.body, "{\"a b\": 1}");
        assert_eq!(a.steps[0].request.headers["X-A"], "b: c");
        assert_eq!(a.steps[1].only, ["/a", "/b"]);
        assert_eq!(b.steps[0].until, "\"web\"");
        assert_eq!(b.steps[1].keep, [("$id".to_owned(), "/ID".to_owned())]);
    }

    #[test]
    fn what_is_long_is_written_short() {
        assert_eq!(unfolded("a<3*b>c<2*[{>"), "abbbc[{[{");
        assert_eq!(unfolded("a < b <&> c<x*y><"), "a < b <&> c<x*y><");
    }
}
