//! Consul's JSON, kind by kind: its fields, their order, and which are left out when empty.

pub(crate) mod check;
pub(crate) mod intention;
pub(crate) mod leaf;
pub(crate) mod node;
pub(crate) mod root;
pub(crate) mod service;
pub(crate) mod shape;

use std::collections::BTreeMap;

/// A map that Go would hold as nil when it is empty: `null`, not `{}`.
pub(crate) fn or_null<V>(map: &BTreeMap<String, V>) -> Option<&BTreeMap<String, V>> {
    (!map.is_empty()).then_some(map)
}

/// For ports that are left out when 0.
pub(crate) const fn is_no_port(port: &u16) -> bool {
    *port == 0
}

/// For flags that are left out when false.
pub(crate) const fn is_false(flag: &bool) -> bool {
    !*flag
}
