//! Options that make the program open a file, which no request may choose.

use serde_json::Value;

use super::{OptionMap, PARAMS, SecretOptions, same_name};

/// Which of `options` name a file or a folder of this machine, as the API spells them; those of
/// an authentication method have `AuthMethod.Params.` in front.
///
/// For options whose secrets have been taken out already, and for those where not. Such options
/// come from the configuration file only: whoever may change the CA over the network must not
/// thereby read files.
#[must_use]
pub fn file_options(options: &OptionMap, secrets: &SecretOptions) -> Vec<String> {
    let mut named: Vec<String> = FILES
        .into_iter()
        .filter(|name| is_given(options, name))
        .map(str::to_owned)
        .collect();
    let open = find(options, "AuthMethod")
        .and_then(Value::as_object)
        .and_then(|method| find(method, "Params"));
    let sealed = secrets
        .find(PARAMS)
        .and_then(|params| serde_json::from_slice::<Value>(params.expose()).ok());
    for params in open.into_iter().chain(sealed.as_ref()) {
        if let Value::Object(params) = params {
            let files = PARAM_FILES
                .into_iter()
                .filter(|name| is_given(params, name));
            named.extend(files.map(|name| format!("{PARAMS}.{name}")));
        }
    }
    named
}

fn is_given(options: &OptionMap, name: &str) -> bool {
    find(options, name).is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
}

fn find<'a>(options: &'a OptionMap, name: &str) -> Option<&'a Value> {
    options
        .iter()
        .find(|(key, _)| same_name(name, key))
        .map(|(_, value)| value)
}

const FILES: [&str; 6] = [
    "CAFile",
    "CAPath",
    "CertFile",
    "HTTPCAFile",
    "KeyFile",
    "Path",
];

const PARAM_FILES: [&str; 5] = [
    "path",
    "role_id_file_path",
    "secret_id_file_path",
    "token_file_path",
    "token_path",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::split_secrets;

    #[test]
    fn files_are_found_in_both_spellings_and_behind_the_seal() {
        let Value::Object(options) = json!({
            "ca_file": "/etc/ca.pem", "CertFile": "", "KeyFile": null, "RootCert": "/x",
            "AuthMethod": { "Type": "jwt", "params": { "path": "/run/token", "role_id_file_path": "/r" } },
        }) else {
            panic!("an object");
        };
        let all = [
            "CAFile",
            "AuthMethod.Params.path",
            "AuthMethod.Params.role_id_file_path",
        ];
        assert_eq!(file_options(&options, &SecretOptions::default()), all);
        let (plain, secrets) = split_secrets(options);
        assert_eq!(file_options(&plain, &secrets), all);
    }
}
