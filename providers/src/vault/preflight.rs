//! What a token must be allowed to do: one table, asked of the server before anything changes,
//! and printed as the policy document.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::endpoints::CapabilitiesOfSelf;
use super::options::Place;
use super::session::Session;
use crate::{ErrorKind, ProviderError};

/// A path that is called, now or at a rotation, and what that takes.
struct Access {
    mount: Which,
    /// Below `sys/mounts/` instead of below the mount itself.
    system: bool,
    /// What follows the mount's path; `+` is one segment, such as an issuer's id.
    path: &'static str,
    capabilities: &'static [&'static str],
    when: When,
}

#[derive(Clone, Copy, PartialEq)]
enum Which {
    Intermediate,
    Root,
}

#[derive(Clone, Copy, PartialEq)]
enum When {
    Always,
    /// To sign the root of a CA that makes no request for it. Done without, if it must be.
    AnyRoot,
    /// If Chancery makes the mount.
    MakingMounts,
    /// If Chancery makes the root.
    MakingRoots,
    /// To make a request for the root. Done without if an administrator has made that.
    RequestingRoots,
}

use When::{Always, AnyRoot, MakingMounts, MakingRoots, RequestingRoots};
use Which::{Intermediate, Root};

const MOUNT: &[&str] = &["create", "delete", "read", "update"];
const UPDATE: &[&str] = &["update"];

const TABLE: [Access; 21] = [
    access(Root, true, "", MOUNT, MakingMounts),
    access(Root, true, "/tune", UPDATE, MakingMounts),
    access(Root, false, "/config/issuers", &["read"], Always),
    access(
        Root,
        false,
        "/intermediate/cross-sign",
        UPDATE,
        RequestingRoots,
    ),
    access(Root, false, "/issuer/+", &["delete"], MakingRoots),
    access(Root, false, "/issuer/+/sign-intermediate", UPDATE, Always),
    access(
        Root,
        false,
        "/issuer/+/sign-self-issued",
        &["sudo", "update"],
        AnyRoot,
    ),
    access(Root, false, "/issuers", &["list"], Always),
    access(Root, false, "/key/+", &["delete"], MakingRoots),
    access(Root, false, "/keys", &["list"], Always),
    access(Root, false, "/root/generate/internal", UPDATE, MakingRoots),
    access(Intermediate, true, "", MOUNT, MakingMounts),
    access(Intermediate, true, "/tune", UPDATE, MakingMounts),
    access(
        Intermediate,
        false,
        "/intermediate/set-signed",
        UPDATE,
        Always,
    ),
    access(Intermediate, false, "/issuer/+", &["delete"], Always),
    access(
        Intermediate,
        false,
        "/issuer/+/sign/leaf-cert",
        UPDATE,
        Always,
    ),
    access(Intermediate, false, "/issuers", &["list"], Always),
    access(
        Intermediate,
        false,
        "/issuers/generate/intermediate/+",
        UPDATE,
        Always,
    ),
    access(Intermediate, false, "/key/+", &["delete"], Always),
    access(Intermediate, false, "/keys", &["list"], Always),
    access(
        Intermediate,
        false,
        "/roles/leaf-cert",
        &["create", "read", "update"],
        Always,
    ),
];

const fn access(
    mount: Which,
    system: bool,
    path: &'static str,
    capabilities: &'static [&'static str],
    when: When,
) -> Access {
    Access {
        mount,
        system,
        path,
        capabilities,
        when,
    }
}

/// What Chancery shall do in Vault, as far as that decides which rights it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever writes a policy decides each of these"
)]
pub struct VaultRights {
    /// It makes and removes the two mounts; else an administrator owns them.
    pub mounts: bool,
    /// It makes roots in the root mount; else it uses the one that is there.
    pub roots: bool,
    /// It signs also the root of a CA that makes no request for it, as of an offline root or of a
    /// plugin, so that leaving Vault for that breaks no connection. Takes `sudo` on one path.
    pub any_root: bool,
}

/// What a token may do beyond what it must.
#[derive(Clone, Copy)]
pub(super) struct Abilities {
    /// Sign another CA's root that comes without a request.
    pub(super) any_root: bool,
    /// Make a request for the root.
    pub(super) root_csr: bool,
}

impl Abilities {
    pub(super) const ALL: Self = Self {
        any_root: true,
        root_csr: true,
    };

    /// What is not there for want of a right; `None` if nothing can be done without that.
    const fn of(&mut self, when: When) -> Option<&mut bool> {
        match when {
            AnyRoot => Some(&mut self.any_root),
            RequestingRoots => Some(&mut self.root_csr),
            Always | MakingMounts | MakingRoots => None,
        }
    }
}

impl VaultRights {
    const fn need(self, when: When) -> bool {
        match when {
            Always => true,
            AnyRoot => self.any_root,
            MakingMounts => self.mounts,
            MakingRoots | RequestingRoots => self.roots,
        }
    }
}

/// The policy document with exactly what a token needs for two mounts in one namespace.
///
/// Tokens are looked up and renewed by rights of Vault's policy `default`.
#[must_use]
pub fn vault_policy(root_mount: &str, intermediate_mount: &str, rights: VaultRights) -> String {
    let needed = TABLE.iter().filter(|access| rights.need(access.when));
    let lines = needed.map(|access| {
        let mount = match access.mount {
            Intermediate => intermediate_mount,
            Root => root_mount,
        };
        (access.path_in(mount), access.capabilities)
    });
    document(lines.collect())
}

impl Access {
    fn path_in(&self, mount: &str) -> String {
        let system = if self.system { "sys/mounts/" } else { "" };
        format!("{system}{}{}", mount.trim_matches('/'), self.path)
    }
}

/// Asks whether the token has the rights for both mounts; gives what it has besides.
///
/// # Errors
/// `Unauthorised` with the lines that its policy lacks.
pub(super) async fn check(
    session: &Session,
    root: VaultRights,
    intermediate: VaultRights,
) -> Result<Abilities, ProviderError> {
    let mut missing: Vec<(String, Vec<&'static str>)> = Vec::new();
    let mut abilities = Abilities::ALL;
    let places = [
        (Root, &session.root, root),
        (Intermediate, &session.intermediate, intermediate),
    ];
    for (mount, place, rights) in places {
        let asked: Vec<&Access> = TABLE
            .iter()
            .filter(|access| access.mount == mount)
            .filter(|access| rights.need(access.when) || abilities.of(access.when).is_some())
            .collect();
        let paths = asked.iter().map(|access| example(access, place)).collect();
        let found: BTreeMap<String, Value> =
            match session.call(place, CapabilitiesOfSelf { paths }).await {
                Ok(found) => found,
                Err(failure) => return Err(session.explain(failure).await),
            };
        for access in asked {
            let lacks = lacking(access.capabilities, found.get(&example(access, place)));
            if lacks.is_empty() {
                continue;
            }
            let needed = rights.need(access.when);
            if let Some(ability) = abilities.of(access.when).filter(|_| !needed) {
                *ability = false;
            } else {
                missing.push((access.path_in(&place.mount), lacks));
            }
        }
    }
    if missing.is_empty() {
        return Ok(abilities);
    }
    let lines = missing
        .iter()
        .map(|(path, lacks)| (path.clone(), lacks.as_slice()));
    Err(ProviderError::new(
        ErrorKind::Unauthorised,
        format!(
            "the Vault token lacks rights, add to its policy:\n\n{}",
            document(lines.collect())
        ),
    ))
}

/// A real path, as the server wants one to say what is allowed on it.
fn example(access: &Access, place: &Place) -> String {
    let path = access.path_in(&place.mount);
    if access.path.ends_with("intermediate/+") {
        return path.replace('+', "internal");
    }
    path.replace('+', "00000000-0000-0000-0000-000000000000")
}

fn lacking(needed: &[&'static str], found: Option<&Value>) -> Vec<&'static str> {
    let found: Vec<&str> = found
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if found.contains(&"root") {
        return Vec::new();
    }
    let lacks = needed.iter().filter(|need| !found.contains(need));
    lacks.copied().collect()
}

fn document(lines: BTreeMap<String, &[&'static str]>) -> String {
    let mut text = String::new();
    for (path, capabilities) in lines {
        let list: Vec<String> = capabilities
            .iter()
            .map(|name| format!("{name:?}"))
            .collect();
        let list = list.join(", ");
        // Writing to a text does not fail.
        let _ = writeln!(text, "path {path:?} {{ capabilities = [{list}] }}");
    }
    text
}
