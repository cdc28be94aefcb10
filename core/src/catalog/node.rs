//! A node: the machine (or agent) on which instances of services run.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::serde_as_text::serde_as_text;
use crate::uuid::Uuid;

/// The identifier of a node: sixteen bytes, shown as a lower-case UUID.
///
/// Made from the caller's randomness. All zero means that a node was registered without one,
/// and prints as an empty string, as Consul shows such nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeId([u8; 16]);

impl NodeId {
    /// No identifier.
    pub const NIL: Self = Self([0; 16]);

    /// The identifier with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether the node has no identifier.
    #[must_use]
    pub fn is_nil(self) -> bool {
        self == Self::NIL
    }

    /// Reads a UUID (`8-4-4-4-12` hexadecimal digits in either case), or nothing for [`NIL`](Self::NIL).
    ///
    /// # Errors
    /// If the text is neither.
    pub fn parse(text: &str) -> Result<Self, NodeIdError> {
        if text.is_empty() {
            return Ok(Self::NIL);
        }
        let wrong = || NodeIdError(text.chars().take(64).collect());
        let dashes_fit = text.len() == 36
            && text
                .bytes()
                .enumerate()
                .all(|(place, byte)| (byte == b'-') == matches!(place, 8 | 13 | 18 | 23));
        if !dashes_fit {
            return Err(wrong());
        }
        let mut bytes = [0_u8; 16];
        let mut digits = text.chars().filter(|char| *char != '-');
        for byte in &mut bytes {
            let mut next = || digits.next().and_then(|char| char.to_digit(16));
            let (Some(high), Some(low)) = (next(), next()) else {
                return Err(wrong());
            };
            *byte = u8::try_from(high * 16 + low).unwrap_or_default();
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_nil() {
            return Ok(());
        }
        Uuid(self.0).fmt(f)
    }
}

serde_as_text!(NodeId);

/// A text that is no node identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node id {0:?} is not a UUID such as 9e451b2f-153e-0466-b8e8-2e5fe6e416bc")]
pub struct NodeIdError(String);

/// A node as the catalog stores it. Its datacenter is a property of the view, not of the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Node {
    /// Who it is, whatever it is called.
    pub id: NodeId,
    /// What it is called; unique in a datacenter, letter case aside.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// Further addresses by purpose (`lan`, `wan`, `lan_ipv4` …).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tagged_addresses: BTreeMap<String, String>,
    /// What the operator says about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// The revision that created the row.
    #[serde(default)]
    pub create_index: u64,
    /// The revision that last changed the row.
    #[serde(default)]
    pub modify_index: u64,
}

impl Node {
    /// A node with nothing but the required parts; the rest is set on its fields.
    #[must_use]
    pub fn new(id: NodeId, name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            address: address.into(),
            tagged_addresses: BTreeMap::new(),
            meta: BTreeMap::new(),
            create_index: 0,
            modify_index: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_round_trips_as_a_uuid() {
        let text = "9e451b2f-153e-0466-b8e8-2e5fe6e416bc";
        let id = NodeId::parse(text).unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(NodeId::parse(&text.to_uppercase()), Ok(id));
        assert_eq!(NodeId::parse("").unwrap().to_string(), "");
    }

    #[test]
    fn an_id_of_another_form_is_refused() {
        for text in [
            "9e451b2f",
            "9e451b2f-153e-0466-b8e8-2e5fe6e416bg",
            "9e451b2f153e-0466-b8e8-2e5fe6e416bcaa",
            "9e451b2f-153e-0466-b8e8-2e5fe6e416bc0",
            "éé451b2f-153e-0466-b8e8-2e5fe6e416b",
        ] {
            assert!(NodeId::parse(text).is_err(), "{text}");
        }
    }
}
