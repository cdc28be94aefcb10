//! Options as they stand in a configuration, checked as the agent does it.

use std::time::Duration;

use super::held_key::HeldKey;
use super::table::Table;
use crate::{ConfigureError, OptionKind, OptionSpec, OptionValue, Options};

/// An option as a test gives it.
#[derive(Clone, Debug)]
pub(super) enum Given {
    Text(String),
    Texts(Vec<String>),
}

/// Reads what was given; keys go into `table`.
pub(super) fn read(
    specs: &[OptionSpec],
    given: &[(String, Given)],
    table: &mut Table,
) -> Result<Options, ConfigureError> {
    let mut problems = Vec::new();
    for (name, _) in given {
        if !specs.iter().any(|spec| spec.name == *name) {
            problems.push((name.clone(), "it is unknown".to_owned()));
        }
    }
    let mut values = Vec::new();
    for spec in specs {
        let found = given.iter().rfind(|(name, _)| *name == spec.name);
        let default = || spec.default.clone().map(Given::Text);
        match found.map(|(_, given)| given.clone()).or_else(default) {
            Some(given) => match value(spec, given, table) {
                Ok(value) => values.push((spec.name.clone(), value)),
                Err(problem) => problems.push((spec.name.clone(), problem.to_owned())),
            },
            None if spec.required => {
                problems.push((spec.name.clone(), "it is missing".to_owned()));
            }
            None => {}
        }
    }
    if problems.is_empty() {
        return Ok(values.into_iter().collect());
    }
    Err(ConfigureError::Options(problems))
}

fn value(spec: &OptionSpec, given: Given, table: &mut Table) -> Result<OptionValue, &'static str> {
    let text = match (spec.kind, given) {
        (OptionKind::Texts, Given::Texts(texts)) => return Ok(OptionValue::Texts(texts)),
        (OptionKind::Texts, Given::Text(text)) => return Ok(OptionValue::Texts(vec![text])),
        (_, Given::Texts(_)) => return Err("it is a list, must be one value"),
        (_, Given::Text(text)) => text,
    };
    match spec.kind {
        OptionKind::Text | OptionKind::Secret => Ok(OptionValue::Text(text)),
        OptionKind::Url => {
            let good = text.starts_with("http://") || text.starts_with("https://");
            good.then_some(OptionValue::Text(text))
                .ok_or("it must be an http or https URL")
        }
        OptionKind::Number => text
            .parse()
            .map(OptionValue::Number)
            .map_err(|_error| "it must be a whole number"),
        OptionKind::Truth => text
            .parse()
            .map(OptionValue::Truth)
            .map_err(|_error| "it must be true or false"),
        OptionKind::Duration => duration(&text)
            .map(OptionValue::Duration)
            .ok_or("it must be a duration such as 72h"),
        OptionKind::PrivateKey => {
            let key = HeldKey::import(&key_der(&text).ok_or("it must be a private key in PEM")?)
                .ok_or("it must be a private key of a known kind")?;
            table.insert_key(&spec.name, key);
            Ok(OptionValue::Key(spec.name.clone()))
        }
        OptionKind::Texts => Ok(OptionValue::Texts(vec![text])),
    }
}

/// Numbers with units, such as `1h30m`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut millis = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let end = after
            .find(|letter: char| letter.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let unit = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let part = number.parse::<u64>().ok()?.checked_mul(unit)?;
        millis = millis.checked_add(part)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

/// The bytes of the first private key in a PEM text.
pub(super) fn key_der(pem: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;

    let mut lines = pem.lines().map(str::trim);
    lines.find(|line| line.starts_with("-----BEGIN ") && line.ends_with("PRIVATE KEY-----"))?;
    let body: String = lines
        .take_while(|line| !line.starts_with("-----END "))
        .collect();
    base64::engine::general_purpose::STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_the_agent_reads_them() {
        for (text, millis) in [
            ("72h", 259_200_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("0s", 0),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in ["", "5", "h", "-1s", "1d", "1.5h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
