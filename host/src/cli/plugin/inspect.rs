//! `chancery plugin inspect`.

use std::path::PathBuf;

use chancery_core::Printable;
use chancery_providers::{Capabilities, PluginFile};
use clap::Args;
use serde_json::json;

use super::load;
use crate::cli::context::{Context, Failure};

/// Show what a plugin is, what it can do, which options it takes and what it would be granted
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The component
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to print it
    #[arg(long, value_parser = ["pretty", "json"], default_value = "pretty")]
    format: String,
}

impl Inspect {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let file = Context::wait_for(load(&self.file))??;
        if self.format == "json" {
            context.print_json(&as_json(&file));
        } else {
            pretty(&file, context);
        }
        Ok(0)
    }
}

fn pretty(file: &PluginFile, context: &mut Context<'_>) {
    let about = Printable::new(file.about());
    context.print(format_args!(
        "Name:          {} {}",
        file.name(),
        file.version()
    ));
    context.print(format_args!("About:         {about}"));
    let interface = file.interface_version();
    context.print(format_args!("Interface:     chancery:ca@{interface}"));
    context.print(format_args!("Size:          {} bytes", file.size()));
    context.print(format_args!("SHA-256:       {}", file.sha256()));
    let can = capabilities(file.capabilities());
    let can = if can.is_empty() {
        "a root and leafs only".to_owned()
    } else {
        can.join(", ")
    };
    context.print(format_args!("Capabilities:  {can}"));
    context.print(format_args!("Keys:          {}", keys(file).join(", ")));
    context.print("\nOptions:");
    let mut any = false;
    for option in file.options() {
        any = true;
        let default = option.default.as_deref().map_or_else(
            || {
                if option.required {
                    "required"
                } else {
                    "optional"
                }
                .to_owned()
            },
            |default| format!("default {:?}", Printable::new(default).to_string()),
        );
        let (name, kind) = (&option.name, option.kind);
        let about = Printable::new(&option.about);
        context.print(format_args!("  {name:20} {kind:12} {default}: {about}"));
    }
    if !any {
        context.print("  none");
    }
    context.print("\nWould have to be granted:");
    context.print(if file.wants_http() {
        "  allow_http: the hosts that it shall reach; without, it reaches nobody"
    } else {
        "  nothing"
    });
    for (title, names) in [("Imports", file.imports()), ("Exports", file.exports())] {
        context.print(format_args!("\n{title}:"));
        for name in names {
            context.print(format_args!("  {}", Printable::new(name)));
        }
    }
}

fn as_json(file: &PluginFile) -> serde_json::Value {
    let options: Vec<_> = file
        .options()
        .map(|option| {
            json!({
                "name": option.name, "kind": option.kind, "required": option.required,
                "default": option.default, "about": option.about,
            })
        })
        .collect();
    let grants: &[&str] = if file.wants_http() {
        &["allow_http"]
    } else {
        &[]
    };
    json!({
        "name": file.name(),
        "version": file.version(),
        "about": file.about(),
        "interface": file.interface_version(),
        "size": file.size(),
        "sha256": file.sha256(),
        "capabilities": capabilities(file.capabilities()),
        "keys": keys(file),
        "options": options,
        "grants": grants,
        "imports": file.imports(),
        "exports": file.exports(),
    })
}

/// By the interface's names.
fn capabilities(can: &Capabilities) -> Vec<&'static str> {
    let all = [
        (can.cross_sign, "cross-sign"),
        (can.sign_intermediate, "sign-intermediate"),
        (can.own_intermediate, "own-intermediate"),
        (can.external_intermediate, "external-intermediate"),
        (can.import_root, "import-root"),
        (can.chooses_serials, "chooses-serials"),
    ];
    let claimed = all.into_iter().filter(|(claimed, _)| *claimed);
    claimed.map(|(_, name)| name).collect()
}

fn keys(file: &PluginFile) -> Vec<String> {
    let keys = file.capabilities().keys.iter();
    keys.map(ToString::to_string).collect()
}
