//! Giving an expression its meaning for entries of one shape.

use super::error::FilterError;
use super::expression::{Expression, Node, Operator, Test};
use super::judge::{Filter, Pattern, Question, Rule, Step};
use super::literal;
use super::shape::Shape;

impl Expression {
    /// The filter that this expression is for entries of `shape`.
    ///
    /// # Errors
    /// [`FilterError`] for a selector, operator or value that such entries do not have.
    pub fn bind(&self, shape: &Shape) -> Result<Filter, FilterError> {
        rule(&self.root, *shape).map(Filter::new)
    }
}

fn rule(node: &Node, shape: Shape) -> Result<Rule, FilterError> {
    let all = |nodes: &[Node]| {
        nodes
            .iter()
            .map(|node| rule(node, shape))
            .collect::<Result<_, _>>()
    };
    Ok(match node {
        Node::All(nodes) => Rule::All(all(nodes)?),
        Node::Any(nodes) => Rule::Any(all(nodes)?),
        Node::Not(node) => Rule::Not(Box::new(rule(node, shape)?)),
        Node::Test(test) => bound(test, shape)?,
    })
}

fn bound(test: &Test, shape: Shape) -> Result<Rule, FilterError> {
    let (path, selected) = steps(&test.selector, shape)?;
    if !selected.allows(test.operator) {
        return Err(FilterError::Operator {
            operator: test.operator_name(),
            selector: test.selector.join("."),
        });
    }
    Ok(Rule::Test {
        path,
        question: question(test, selected)?,
        negated: test.negated,
    })
}

/// The way along a selector, and the shape of what is at its end.
fn steps(selector: &[String], shape: Shape) -> Result<(Vec<Step>, Shape), FilterError> {
    let mut path = Vec::new();
    let mut at = shape;
    for (place, name) in selector.iter().enumerate() {
        if let Shape::List(element) = at {
            path.push(Step::Each);
            at = *element;
        }
        let found = match at {
            Shape::Fields(fields) => fields.iter().find(|(known, _)| known == name),
            Shape::Map(value) => {
                path.push(Step::Key(name.clone()));
                at = *value;
                continue;
            }
            _ => None,
        };
        let Some((known, inner)) = found else {
            let known = selector.get(..=place).unwrap_or_default();
            return Err(FilterError::Selector {
                selector: known.join("."),
            });
        };
        path.push(Step::Field(known));
        at = *inner;
    }
    Ok((path, at))
}

fn question(test: &Test, selected: Shape) -> Result<Question, FilterError> {
    let wrong = |reason| FilterError::Value {
        value: test.value.clone(),
        selector: test.selector.join("."),
        reason,
    };
    let value = || test.value.clone();
    Ok(match (test.operator, selected) {
        (Operator::Empty, _) => Question::Empty,
        (Operator::Matches, _) => Question::Matches(pattern(&test.value)?),
        (Operator::Equal, Shape::Boolean) => {
            Question::Boolean(literal::boolean(&test.value).map_err(wrong)?)
        }
        (Operator::Equal, Shape::Integer) => {
            Question::Integer(literal::integer(&test.value).map_err(wrong)?)
        }
        (Operator::Equal, _) => Question::Text(value()),
        (Operator::In, Shape::Map(_)) => Question::HasKey(value()),
        (Operator::In, Shape::Text) => Question::HasPart(value()),
        (Operator::In, _) => Question::HasElement(value()),
    })
}

fn pattern(text: &str) -> Result<Pattern, FilterError> {
    Pattern::new(text).map_err(|error| FilterError::Pattern {
        pattern: text.to_owned(),
        reason: error.to_string(),
    })
}
