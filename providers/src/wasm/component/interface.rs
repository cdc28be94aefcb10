//! What a component needs and gives, by name, against what there is here.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::Component;

/// The names of a component's imports and exports, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Why a component cannot be a plugin here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    /// It gives no `provider`.
    #[error("it is no CA plugin: it exports {found}, a plugin exports chancery:ca/provider")]
    NoPlugin { found: String },
    /// It was built for an interface that is not there yet, or no longer.
    #[error(
        "it is built for chancery:ca {found}, this program has {}: build it for that, or use a \
         program that has {found}",
        Interface::VERSION
    )]
    OtherVersion { found: String },
    /// It wants what no plugin gets.
    #[error(
        "it imports {found}, which no plugin gets: there are chancery:ca/log, clock, state and \
         keys {}, and WASI 0.2",
        Interface::VERSION
    )]
    UnknownImport { found: String },
}

impl Interface {
    /// The version of `chancery:ca` that this program has.
    pub(crate) const VERSION: Version = Version(1, 1, 0);

    pub(super) fn of(component: &Component, engine: &Engine) -> Self {
        let kind = component.component_type();
        let sorted = |names: &mut dyn Iterator<Item = String>| {
            let mut names: Vec<String> = names.collect();
            names.sort_unstable();
            names
        };
        Self {
            imports: sorted(&mut kind.imports(engine).map(|(name, _)| name.to_owned())),
            exports: sorted(&mut kind.exports(engine).map(|(name, _)| name.to_owned())),
        }
    }

    /// Refuses what would not fit, by name.
    pub(super) fn check(&self) -> Result<(), Mismatch> {
        for name in self.imports.iter().chain(&self.exports) {
            if let Some((_, version)) = ours(name)
                && !Self::VERSION.has(version)
            {
                let found = version.to_string();
                return Err(Mismatch::OtherVersion { found });
            }
        }
        for name in &self.imports {
            match ours(name) {
                Some((interface, _)) if OURS.contains(&interface) => {}
                None if is_wasi(name) => {}
                _ => {
                    let found = printable(name);
                    return Err(Mismatch::UnknownImport { found });
                }
            }
        }
        let is_provider = |name: &String| ours(name).is_some_and(|(it, _)| it == "provider");
        if self.exports.iter().any(is_provider) {
            return Ok(());
        }
        let found = match self.exports.first() {
            None => "nothing".to_owned(),
            Some(first) => printable(first),
        };
        Err(Mismatch::NoPlugin { found })
    }

    /// The newest version of `chancery:ca` among the names.
    pub(crate) fn version(&self) -> Option<Version> {
        let names = self.imports.iter().chain(&self.exports);
        names.filter_map(|name| Some(ours(name)?.1)).max()
    }

    /// Whether it can make HTTP requests if it is granted any.
    pub(crate) fn wants_http(&self) -> bool {
        let mut names = self.imports.iter();
        names.any(|name| name.starts_with("wasi:http/outgoing-handler@"))
    }
}

/// Of an interface: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32, u32);

impl Version {
    /// Whether what is built for `other` finds all of it here.
    const fn has(self, other: Self) -> bool {
        self.0 == other.0 && self.1 >= other.1
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        match (parts.next()??, parts.next()??, parts.next()??, parts.next()) {
            (major, minor, patch, None) => Some(Self(major, minor, patch)),
            _ => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Interface and version of a name in our package.
fn ours(name: &str) -> Option<(&str, Version)> {
    let (interface, version) = name.strip_prefix("chancery:ca/")?.split_once('@')?;
    Some((interface, Version::parse(version)?))
}

fn is_wasi(name: &str) -> bool {
    let Some((interface, version)) = name.split_once('@') else {
        return false;
    };
    let known = WASI.iter().any(|known| match known.strip_suffix('*') {
        Some(package) => interface.starts_with(package),
        None => interface == *known,
    });
    known && Version::parse(version).is_some_and(|it| (it.0, it.1) == (0, 2))
}

fn printable(name: &str) -> String {
    name.escape_default().take(128).collect()
}

const OURS: [&str; 5] = ["clock", "keys", "log", "state", "types"];

const WASI: [&str; 8] = [
    "wasi:cli/*",
    "wasi:clocks/*",
    "wasi:filesystem/*",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/*",
    "wasi:random/*",
    "wasi:sockets/*",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(imports: &[&str], exports: &[&str]) -> Result<(), String> {
        let owned = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect();
        let interface = Interface {
            imports: owned(imports),
            exports: owned(exports),
        };
        interface.check().map_err(|mismatch| mismatch.to_string())
    }

    const PROVIDER: &str = "chancery:ca/provider@1.0.0";

    #[test]
    fn a_plugin_imports_ours_and_wasi_and_exports_a_provider() {
        let imports = [
            "chancery:ca/keys@1.0.0",
            "chancery:ca/types@1.0.0",
            "wasi:cli/environment@0.2.9",
            "wasi:http/outgoing-handler@0.2.4",
        ];
        assert_eq!(check(&imports, &[PROVIDER]), Ok(()));
        assert_eq!(check(&[], &[PROVIDER]), Ok(()));
    }

    #[test]
    fn an_earlier_minor_version_and_any_patch_of_this_one_are_taken() {
        for version in ["1.0.0", "1.0.9", "1.1.0", "1.1.1"] {
            let keys = format!("chancery:ca/keys@{version}");
            let provider = format!("chancery:ca/provider@{version}");
            assert_eq!(check(&[&keys], &[&provider]), Ok(()), "{version}");
        }
    }

    #[test]
    fn what_it_exports_besides_is_its_own_affair() {
        let exports = [
            "acme:ca/extras@3.0.0",
            "chancery:ca/findings@1.1.0",
            PROVIDER,
        ];
        assert_eq!(check(&[], &exports), Ok(()));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for import in [
            "acme:secrets/vault@1.0.0",
            "chancery:ca/files@1.0.0",
            "wasi:http/incoming-handler@0.2.4",
            "wasi:cli/environment@0.3.0",
            "wasi:nn/graph@0.2.0",
            "wasi:cli/environment",
            "env",
        ] {
            let refused = check(&[import], &[PROVIDER]).unwrap_err();
            assert!(
                refused.starts_with(&format!("it imports {import}, ")),
                "{refused}"
            );
        }
    }

    #[test]
    fn another_version_of_the_interface_is_named() {
        for (imports, exports, found) in [
            (&["chancery:ca/keys@2.0.0"][..], &[PROVIDER][..], "2.0.0"),
            (&[], &["chancery:ca/provider@2.1.0"], "2.1.0"),
            (&[], &["chancery:ca/provider@0.9.0"], "0.9.0"),
            (&["chancery:ca/keys@1.2.0"], &[PROVIDER], "1.2.0"),
            (&[], &["chancery:ca/provider@1.2.0"], "1.2.0"),
            (&["chancery:ca/tpm@1.3.0"], &[PROVIDER], "1.3.0"),
            (&[], &["chancery:ca/renewal@1.2.0", PROVIDER], "1.2.0"),
        ] {
            assert_eq!(
                check(imports, exports),
                Err(format!(
                    "it is built for chancery:ca {found}, this program has 1.1.0: build it for \
                     that, or use a program that has {found}"
                ))
            );
        }
    }

    #[test]
    fn a_component_without_a_provider_is_no_plugin() {
        assert_eq!(
            check(&[], &["wasi:cli/run@0.2.0"]),
            Err(
                "it is no CA plugin: it exports wasi:cli/run@0.2.0, a plugin exports \
                 chancery:ca/provider"
                    .to_owned()
            )
        );
    }
}
