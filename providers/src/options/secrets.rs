//! Options that are secret are taken out before anybody can show or store them.

use std::collections::BTreeMap;

use chancery_core::Secret;
use serde_json::Value;

use super::OptionMap;
use super::decode::{Decoder, same_name};
use crate::ProviderError;

/// Secret options by Consul's name (`PrivateKey`, `Token`), and `AuthMethod.Params` and a plugin's
/// own `Config` as the text of a JSON object. Their values do not print.
#[derive(Clone, Debug, Default)]
pub struct SecretOptions(BTreeMap<&'static str, Secret>);

impl SecretOptions {
    /// The secret of that name, if it was given.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// The names that were given.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    /// Whether none was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Secrets that were told apart already, by either spelling of their names. Names that no
/// provider has are passed over.
impl<N: AsRef<str>> FromIterator<(N, Secret)> for SecretOptions {
    fn from_iter<T: IntoIterator<Item = (N, Secret)>>(secrets: T) -> Self {
        let known = |name: &str| SECRET_NAMES.into_iter().find(|own| same_name(own, name));
        Self(
            secrets
                .into_iter()
                .filter_map(|(name, secret)| Some((known(name.as_ref())?, secret)))
                .collect(),
        )
    }
}

/// Takes the secret options out of `options`, in whichever spelling they stand there.
///
/// An empty text counts as not given. A value that is no text is dropped: it cannot be a
/// secret, and must not be shown in case it is one all the same. Of `AuthMethod` only the
/// parameters are secret.
#[must_use]
pub fn split_secrets(options: OptionMap) -> (OptionMap, SecretOptions) {
    let mut secrets = SecretOptions::default();
    let mut plain = OptionMap::new();
    for (key, value) in options {
        match SECRET_NAMES.iter().find(|name| same_name(name, &key)) {
            None if same_name("AuthMethod", &key) => {
                if let Value::Object(method) = value {
                    let method = split_method(method, &mut secrets);
                    plain.insert(key, Value::Object(method));
                }
            }
            None => {
                plain.insert(key, value);
            }
            Some(&CONFIG) if !value.is_string() => {
                // Whatever it is: the provider says what is wrong with it, and nobody shows it.
                if !value.is_null() && value != Value::Object(OptionMap::new()) {
                    let text = value.to_string().into_bytes();
                    secrets.0.insert(CONFIG, Secret::new(text));
                }
            }
            Some(name) => {
                if let Value::String(text) = value
                    && !text.is_empty()
                {
                    secrets.0.insert(name, Secret::new(text.into_bytes()));
                }
            }
        }
    }
    (plain, secrets)
}

/// Refuses secrets that are no texts: [`split_secrets`] would drop them, and then they would read
/// as not given.
///
/// # Errors
/// `Misconfigured`, in Consul's words, which never hold the value.
pub fn check_secrets(options: &OptionMap) -> Result<(), ProviderError> {
    let mut decoder = Decoder::new(options);
    decoder.only_text("PrivateKey");
    decoder.only_text("Token");
    decoder.finish()
}

/// Takes the parameters out of an `AuthMethod`.
fn split_method(method: OptionMap, secrets: &mut SecretOptions) -> OptionMap {
    let mut open = OptionMap::new();
    for (key, value) in method {
        if !same_name("Params", &key) {
            open.insert(key, value);
        } else if !value.is_null() && value != Value::Object(OptionMap::new()) {
            // Whatever it is: the provider says what is wrong with it, and nobody shows it.
            let text = value.to_string().into_bytes();
            secrets.0.insert(PARAMS, Secret::new(text));
        }
    }
    open
}

/// The parameters of `AuthMethod`, as a secret: passwords and tokens are among them.
pub(crate) const PARAMS: &str = "AuthMethod.Params";

/// The options of a plugin itself, as a secret: which of them are is known to the plugin alone.
pub(crate) const CONFIG: &str = "Config";

const SECRET_NAMES: [&str; 4] = [PARAMS, CONFIG, "PrivateKey", "Token"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_leave_the_options_in_both_spellings() {
        for key in ["PrivateKey", "private_key", "privatekey"] {
            let Value::Object(options) = json!({ key: "canary", "LeafCertTTL": "1h" }) else {
                panic!("an object");
            };
            let (plain, secrets) = split_secrets(options);
            assert_eq!(Value::Object(plain), json!({ "LeafCertTTL": "1h" }));
            assert_eq!(secrets.names().collect::<Vec<_>>(), ["PrivateKey"]);
            let secret = secrets.find("PrivateKey").unwrap();
            assert_eq!(secret.expose(), b"canary");
            assert!(!format!("{secrets:?}").contains("canary"));
        }
    }

    #[test]
    fn a_secret_that_is_no_text_is_refused_without_being_quoted() {
        for value in [json!(["canary"]), json!({ "a": "canary" }), json!(4_242)] {
            let Value::Object(options) = json!({ "private_key": value }) else {
                panic!("an object");
            };
            let says = check_secrets(&options).unwrap_err().to_string();
            assert!(
                says.contains("'PrivateKey' expected type 'string'"),
                "{says}"
            );
            assert!(!says.contains("canary") && !says.contains("4242"), "{says}");
        }
        let Value::Object(good) = json!({ "Token": "", "PrivateKey": null }) else {
            panic!("an object");
        };
        check_secrets(&good).unwrap();
    }

    #[test]
    fn names_that_only_begin_alike_are_no_secrets() {
        let Value::Object(options) = json!({ "PrivateKeyType": "ec", "token_ttl": 3 }) else {
            panic!("an object");
        };
        let (plain, secrets) = split_secrets(options.clone());
        assert_eq!(plain, options);
        assert!(secrets.is_empty());
    }

    #[test]
    fn the_parameters_of_an_authentication_method_are_a_secret() {
        let Value::Object(options) = json!({ "auth_method": {
            "Type": "approle", "params": { "secret_id": "canary" },
        }}) else {
            panic!("an object");
        };
        let (plain, secrets) = split_secrets(options);
        assert_eq!(
            Value::Object(plain),
            json!({ "auth_method": { "Type": "approle" } })
        );
        let params = secrets.find("AuthMethod.Params").unwrap();
        assert_eq!(params.expose(), br#"{"secret_id":"canary"}"#);
        let again: SecretOptions = [("AuthMethod.Params", params.clone())]
            .into_iter()
            .collect();
        assert_eq!(again.names().collect::<Vec<_>>(), ["AuthMethod.Params"]);
        let Value::Object(odd) = json!({ "AuthMethod": ["canary"] }) else {
            panic!("an object");
        };
        assert!(split_secrets(odd).0.is_empty());
    }

    #[test]
    fn the_options_of_a_plugin_are_a_secret() {
        let Value::Object(options) = json!({ "plugin": "my-ca", "config": { "token": "canary" } })
        else {
            panic!("an object");
        };
        let (plain, secrets) = split_secrets(options);
        assert_eq!(Value::Object(plain), json!({ "plugin": "my-ca" }));
        let config = secrets.find("Config").unwrap();
        assert_eq!(config.expose(), br#"{"token":"canary"}"#);
        // As it is opened again: a text that stands for itself.
        let Value::Object(again) = json!({ "Config": r#"{"token":"canary"}"# }) else {
            panic!("an object");
        };
        let (_, again) = split_secrets(again);
        assert_eq!(again.find("Config").unwrap().expose(), config.expose());
    }

    #[test]
    fn empty_and_odd_secrets_are_dropped() {
        let Value::Object(options) = json!({ "Token": "", "PrivateKey": ["x"] }) else {
            panic!("an object");
        };
        let (plain, secrets) = split_secrets(options);
        assert!(plain.is_empty());
        assert!(secrets.is_empty());
    }
}
