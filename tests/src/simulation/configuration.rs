//! An operator's wish as the configuration that core keeps, and back.

use std::time::Duration;

use chancery_core::{CaConfiguration, Lifetimes};
use chancery_providers::{Capabilities, Limits};

use super::schedule::{DAY, ProviderKind, Wish};

/// Roots live for ten years: no schedule sees one end.
const ROOT_LIFE: i64 = 3650 * DAY;

pub(super) fn configuration(wish: Wish) -> CaConfiguration {
    let mut options = serde_json::Map::new();
    options.insert("variant".to_owned(), wish.variant.into());
    let span = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
    CaConfiguration::new(
        wish.kind.name(),
        options,
        Lifetimes {
            leaf: span(wish.leaf),
            intermediate: span(wish.intermediate),
            root: span(ROOT_LIFE),
            bundle: span(wish.bundle),
        },
    )
}

pub(super) fn wish(configuration: &CaConfiguration) -> Wish {
    let variant = configuration.options.get("variant");
    let span = |span: Duration| span.as_secs().cast_signed();
    Wish {
        kind: kind(&configuration.provider),
        variant: u8::from(variant.is_some_and(|number| *number == 1)),
        leaf: span(configuration.lifetimes.leaf),
        intermediate: span(configuration.lifetimes.intermediate),
        bundle: span(configuration.lifetimes.bundle),
    }
}

pub(super) fn kind(name: &str) -> ProviderKind {
    let kinds = ProviderKind::ALL;
    let known = kinds.into_iter().find(|kind| kind.name() == name);
    known.unwrap_or(ProviderKind::Local)
}

impl Wish {
    pub(super) fn capabilities(self) -> Capabilities {
        let kind = self.kind;
        let mut able = Capabilities::default();
        able.cross_sign = !matches!(kind, ProviderKind::Plain | ProviderKind::Offline);
        able.external_intermediate = kind == ProviderKind::Offline;
        able.own_intermediate = match kind {
            ProviderKind::Local => self.variant == 1,
            ProviderKind::Given => false,
            ProviderKind::Remote | ProviderKind::Plain | ProviderKind::Offline => true,
        };
        able.import_root = kind == ProviderKind::Given;
        able.chooses_serials = kind == ProviderKind::Local;
        able
    }

    /// What its operator allows: mostly Consul's default, here and there much less.
    pub(super) fn limits(self) -> Limits {
        match (self.kind, self.variant) {
            (ProviderKind::Plain, 1) => Limits {
                per_second: 0.1,
                concurrent: 0,
            },
            (ProviderKind::Remote, 1) => Limits {
                per_second: 0.0,
                concurrent: 1,
            },
            _ => Limits {
                per_second: 50.0,
                concurrent: 0,
            },
        }
    }
}
