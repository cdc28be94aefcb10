//! What a caller asks for, and the rules it must keep.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::model::{Action, IntentionNamespace, Remarks};

const DESCRIPTION_BYTES: usize = 512;
const META_PAIRS: usize = 64;
const META_KEY_BYTES: usize = 128;
const META_VALUE_BYTES: usize = 512;
/// Consul has no bound; a certificate's name for a service is far shorter than this.
const NAME_BYTES: usize = 2048;

/// An intention as a caller describes it: texts, nothing checked yet.
///
/// An empty namespace means `default`, an empty source type `consul`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a request's fields, filled in by whoever read the request"
)]
pub struct IntentionDraft {
    /// Must be empty when creating; ignored otherwise.
    pub id: String,
    /// At most 512 bytes.
    pub description: String,
    /// `default` in any case, `*`, or empty.
    pub source_ns: String,
    /// A name, or `*`.
    pub source_name: String,
    /// `default` in any case, `*`, or empty.
    pub destination_ns: String,
    /// A name, or `*`.
    pub destination_name: String,
    /// `consul` or empty.
    pub source_type: String,
    /// `allow` or `deny`.
    pub action: String,
    /// Stored and never used.
    pub default_addr: String,
    /// Stored and never used.
    pub default_port: i64,
    /// At most 64 pairs; keys up to 128 bytes, values up to 512.
    pub meta: BTreeMap<String, String>,
}

/// A draft that keeps all rules.
#[derive(Clone, Debug)]
pub(super) struct CheckedDraft {
    pub(super) source_namespace: IntentionNamespace,
    pub(super) source_name: Arc<str>,
    pub(super) destination_namespace: IntentionNamespace,
    pub(super) destination_name: Arc<str>,
    pub(super) action: Action,
    pub(super) remarks: Remarks,
}

impl IntentionDraft {
    /// Checks everything and reports every mistake, in Consul's order.
    pub(super) fn check(&self) -> Result<CheckedDraft, IntentionErrors> {
        let mut errors = Vec::new();
        for (field, value) in [
            ("SourceName", &self.source_name),
            ("DestinationName", &self.destination_name),
        ] {
            if value.is_empty() {
                errors.push(format!("{field} must be set"));
            }
        }
        let source_namespace =
            check_side("Source", &self.source_ns, &self.source_name, &mut errors);
        let destination_namespace = check_side(
            "Destination",
            &self.destination_ns,
            &self.destination_name,
            &mut errors,
        );
        self.check_remarks(&mut errors);
        let action = match self.action.as_str() {
            "allow" => Some(Action::Allow),
            "deny" => Some(Action::Deny),
            _ => None,
        };
        if action.is_none() {
            errors.push("Action must be set to 'allow' or 'deny'".into());
        }
        if !matches!(self.source_type.as_str(), "" | "consul") {
            errors.push("SourceType must be set to 'consul'".into());
        }
        match (source_namespace, destination_namespace, action) {
            (Some(source_namespace), Some(destination_namespace), Some(action))
                if errors.is_empty() =>
            {
                Ok(CheckedDraft {
                    source_namespace,
                    source_name: self.source_name.as_str().into(),
                    destination_namespace,
                    destination_name: self.destination_name.as_str().into(),
                    action,
                    remarks: Remarks {
                        description: self.description.clone(),
                        default_addr: self.default_addr.clone(),
                        default_port: self.default_port,
                        meta: self.meta.clone(),
                    },
                })
            }
            _ => Err(IntentionErrors(errors)),
        }
    }

    fn check_remarks(&self, errors: &mut Vec<String>) {
        if self.description.len() > DESCRIPTION_BYTES {
            errors.push(format!(
                "Description exceeds maximum length {DESCRIPTION_BYTES}"
            ));
        }
        if self.meta.len() > META_PAIRS {
            errors.push(format!("Meta exceeds maximum element count {META_PAIRS}"));
        }
        for (key, value) in &self.meta {
            if key.len() > META_KEY_BYTES {
                errors.push(format!(
                    "Meta key {key:?} exceeds maximum length {META_KEY_BYTES}"
                ));
            }
            if value.len() > META_VALUE_BYTES {
                errors.push(format!(
                    "Meta value for key {key:?} exceeds maximum length {META_VALUE_BYTES}"
                ));
            }
        }
    }
}

/// Whether `name` could be the exact name of a rule's side.
pub(super) fn is_exact_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('*') && name.len() <= NAME_BYTES
}

fn check_side(
    side: &str,
    namespace: &str,
    name: &str,
    errors: &mut Vec<String>,
) -> Option<IntentionNamespace> {
    let parsed = match namespace {
        "" => Some(IntentionNamespace::Default),
        "*" => Some(IntentionNamespace::All),
        // Consul's index folds the case too, so `Default` collides with `default` there.
        text if text.eq_ignore_ascii_case("default") => Some(IntentionNamespace::Default),
        text if text.contains('*') => {
            errors.push(partial_wildcard(side, "NS"));
            None
        }
        text => {
            let shown: String = text.chars().take(64).collect();
            errors.push(format!(
                "{side}NS: namespace {shown:?} is not supported, must be 'default' or '*'"
            ));
            None
        }
    };
    if name != "*" {
        if name.contains('*') {
            errors.push(partial_wildcard(side, "Name"));
        }
        if parsed == Some(IntentionNamespace::All) {
            errors.push(format!(
                "{side}Name: exact value cannot follow wildcard namespace"
            ));
        }
    }
    if name.len() > NAME_BYTES {
        errors.push(format!("{side}Name exceeds maximum length {NAME_BYTES}"));
    }
    parsed
}

fn partial_wildcard(side: &str, part: &str) -> String {
    format!("{side}{part}: wildcard character '*' cannot be used with partial values")
}

/// Everything that is wrong with a draft, in Consul's order and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentionErrors(Vec<String>);

impl IntentionErrors {
    /// One sentence a mistake; never empty.
    #[must_use]
    pub fn sentences(&self) -> &[String] {
        &self.0
    }
}

/// Consul's list: a headline, one starred line a mistake, and an empty line.
impl fmt::Display for IntentionErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 error occurred:\n")?,
            count => writeln!(f, "{count} errors occurred:")?,
        }
        for sentence in &self.0 {
            writeln!(f, "\t* {sentence}")?;
        }
        f.write_str("\n")
    }
}

impl std::error::Error for IntentionErrors {}
