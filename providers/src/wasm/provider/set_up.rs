//! Configuring a plugin.

use std::sync::Arc;

use super::now;
use super::running::Running;
use crate::wasm::counters::{self, Counters, Listed};
use crate::wasm::egress::{Egress, EgressLimits};
use crate::wasm::file::PluginFile;
use crate::wasm::import::{self, Given};
use crate::wasm::lane::{Begins, Lane};
use crate::wasm::log_tap::LogTap;
use crate::wasm::options::WasmOptions;
use crate::wasm::sandbox::{Sandbox, SandboxLimits, Work};
use crate::wasm::schema;
use crate::wasm::table::{Table, TableLimits};
use crate::wasm::v1::{self, Configuration};
use crate::{Capabilities, ConfigureRequest, ProviderError};

/// Configures a plugin and lets it prove that it can work.
pub(super) async fn set_up(
    file: &PluginFile,
    options: &WasmOptions,
    request: &ConfigureRequest,
) -> Result<Running, ProviderError> {
    let about = &file.0.about;
    let given = Given::read(&request.options, &request.secrets, now())?;
    if !given.is_empty() && !about.capabilities.import_root {
        return Err(ProviderError::misconfigured(format!(
            "the plugin {} makes its own root: it takes no RootCert and no PrivateKey",
            about.name
        )));
    }
    let checked = schema::check(&about.options, &options.config).map_err(|problems| {
        let problems: Vec<String> = problems
            .iter()
            .map(|problem| format!("config.{}: {}", problem.option, problem.text))
            .collect();
        ProviderError::misconfigured(problems.join("; "))
    })?;
    let limits = TableLimits {
        bytes: options.max_state,
    };
    let mut table = match &request.state {
        Some(state) => Table::unseal(state, limits)?,
        None => Table::new(limits),
    };
    table.lend(checked.keys);
    table.lend(given.key.map(|key| (import::PRIVATE_KEY.to_owned(), key)));
    let configuration = Arc::new(Configuration::new(
        request.trust_domain.as_str(),
        request.datacenter.as_str(),
        given.root.as_deref(),
        checked.values,
    ));
    let (sandbox, listed) = sandbox(file, options)?;
    let work = || Work {
        begins: Begins::Apart,
        table: table.clone(),
        generation: 0,
        writable: false,
    };
    let call = v1::configure(Arc::clone(&configuration));
    let (claimed, _) = sandbox.call(work(), call).await?;
    let capabilities = agreed(&about.capabilities, claimed)?;
    sandbox.configure(configuration);
    sandbox.call(work(), v1::check()).await?;
    Ok(Running::new(sandbox, capabilities, table, listed))
}

fn sandbox(
    file: &PluginFile,
    options: &WasmOptions,
) -> Result<(Sandbox, Arc<Listed>), ProviderError> {
    let described = &file.0;
    let log = Arc::new(LogTap::new(&*described.about.name));
    let egress = Arc::new(Egress::new(
        options.allow_http.clone(),
        options.http_ca_file.as_deref(),
        EgressLimits::default(),
        Arc::clone(&log),
    )?);
    let counters = Arc::new(Counters::default());
    let listed = counters::list(Listed {
        name: described.about.name.clone(),
        version: described.about.version.clone(),
        path: described.path.clone(),
        sha256: described.loaded.sha256.to_string(),
        counters: Arc::clone(&counters),
        egress: Arc::clone(&egress),
    });
    let limits = SandboxLimits {
        memory: options.max_memory,
        timeout: options.timeout,
    };
    let loaded = Arc::clone(&described.loaded);
    let lane = Lane::start()?;
    let sandbox = Sandbox::new(loaded, lane, limits, log, egress, counters);
    Ok((sandbox, listed))
}

/// What a plugin says it can do as configured, of what it can do at most.
fn agreed(most: &Capabilities, claimed: Capabilities) -> Result<Capabilities, ProviderError> {
    let pairs = [
        ("cross-sign", most.cross_sign, claimed.cross_sign),
        (
            "sign-intermediate",
            most.sign_intermediate,
            claimed.sign_intermediate,
        ),
        (
            "external-intermediate",
            most.external_intermediate,
            claimed.external_intermediate,
        ),
        (
            "own-intermediate",
            most.own_intermediate,
            claimed.own_intermediate,
        ),
        ("import-root", most.import_root, claimed.import_root),
        (
            "chooses-serials",
            most.chooses_serials,
            claimed.chooses_serials,
        ),
    ];
    if let Some((name, ..)) = pairs.iter().find(|(_, most, claimed)| *claimed && !most) {
        return Err(ProviderError::broken(format!(
            "the plugin claims the capability {name}, which its description does not have"
        )));
    }
    Ok(Capabilities {
        keys: most.keys.clone(),
        ..claimed
    })
}
