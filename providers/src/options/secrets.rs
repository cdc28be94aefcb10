//! Options that are secret are taken out before anybody can show or store them.

use std::collections::BTreeMap;

use chancery_core::Secret;
use serde_json::Value;

use super::OptionMap;
use super::decode::same_name;

/// Secret options by Consul's name (`PrivateKey`, `Token`), and `AuthMethod.Params` as JSON: half
/// of what it may hold is secret. Their values do not print.
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

    fn take_params(&mut self, method: &mut OptionMap) {
        let mut open = OptionMap::new();
        for (key, value) in std::mem::take(method) {
            if !same_name("Params", &key) {
                open.insert(key, value);
            } else if !value.is_null() {
                let json = value.to_string().into_bytes();
                self.0.insert(PARAMS, Secret::new(json));
            }
        }
        *method = open;
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
/// secret, and must not be shown in case it is one all the same. Of `AuthMethod` only `Params`
/// is taken, whatever it is.
#[must_use]
pub fn split_secrets(options: OptionMap) -> (OptionMap, SecretOptions) {
    let mut secrets = SecretOptions::default();
    let mut plain = OptionMap::new();
    for (key, mut value) in options {
        if let Value::Object(method) = &mut value
            && same_name("AuthMethod", &key)
        {
            secrets.take_params(method);
        }
        match SECRET_NAMES.iter().find(|name| same_name(name, &key)) {
            None => {
                plain.insert(key, value);
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

/// The parameters of a method to log in by.
pub(crate) const PARAMS: &str = "AuthMethod.Params";
const SECRET_NAMES: [&str; 3] = [PARAMS, "PrivateKey", "Token"];

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
    fn names_that_only_begin_alike_are_no_secrets() {
        let Value::Object(options) = json!({ "PrivateKeyType": "ec", "token_ttl": 3 }) else {
            panic!("an object");
        };
        let (plain, secrets) = split_secrets(options.clone());
        assert_eq!(plain, options);
        assert!(secrets.is_empty());
    }

    #[test]
    fn the_parameters_of_a_login_leave_the_method_in_both_spellings() {
        for (block, params) in [("AuthMethod", "Params"), ("auth_method", "params")] {
            let Value::Object(options) =
                json!({ block: { "Type": "userpass", params: { "password": "canary" } } })
            else {
                panic!("an object");
            };
            let (plain, secrets) = split_secrets(options);
            assert_eq!(
                Value::Object(plain),
                json!({ block: { "Type": "userpass" } })
            );
            let sealed = secrets.find("AuthMethod.Params").unwrap();
            assert_eq!(sealed.expose(), br#"{"password":"canary"}"#);
        }
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
