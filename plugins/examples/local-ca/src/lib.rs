//! A CA whose root signs leafs directly, with a key that the host holds.
//!
//! The template of a plugin: it can do all that a CA on one machine is asked for, and needs
//! nothing from outside. The root may be the operator's own (`RootCert` and `PrivateKey`).

#![forbid(unsafe_code)]

use chancery_plugin::{
    Ca, Capabilities, Certificate, Config, ConfigureError, CrossSignRequest, Description, Error,
    Issuer, KeyType, LeafRequest, RootRequest, SignIntermediateRequest, certificate, clock, keys,
    state,
};

/// Under this name the key is kept, and the root in the state.
const ROOT: &str = "root";
/// Under this name is kept which wish the root was made for.
const OPERATION: &str = "operation";
/// Under this name the host keeps the operator's key.
const OWN_KEY: &str = "PrivateKey";

/// The CA: with the operator's root, or with one of its own, which is in the state.
#[derive(Debug)]
pub struct LocalCa {
    own_root: Option<Certificate>,
}

impl Ca for LocalCa {
    fn describe() -> Description {
        let about = "signs with a root whose key the agent holds";
        Description::new("local-ca", env!("CARGO_PKG_VERSION"), about)
            .can(Capabilities::CROSS_SIGN | Capabilities::SIGN_INTERMEDIATE)
            .can(Capabilities::IMPORT_ROOT | Capabilities::CHOOSES_SERIALS)
            .keys(KeyType::ALL)
    }

    fn configure(config: Config) -> Result<Self, ConfigureError> {
        let ca = Self {
            own_root: config.root_cert,
        };
        match (&ca.own_root, keys::open(OWN_KEY)) {
            (None, None) => {}
            (Some(_), Some(_)) => {
                let issuer = ca.issuer().map_err(|error| wrong(error.message()))?;
                if !issuer.is_valid_at(clock::now()) {
                    return Err(wrong("the certificate is not valid now"));
                }
            }
            _ => return Err(wrong("give both RootCert and PrivateKey, or neither")),
        }
        Ok(ca)
    }

    fn root(&mut self, request: RootRequest) -> Result<Certificate, Error> {
        if let Some(root) = &self.own_root {
            if request.renew {
                let message = "the root is the one in RootCert: change it there";
                return Err(Error::refused(message));
            }
            return Ok(root.clone());
        }
        // The same wish comes again after a crash: it must not make a second root.
        let asked_before = state::text(OPERATION).as_deref() == Some(&request.operation);
        if let Some(root) = state::value(ROOT)
            && (asked_before || !request.renew)
        {
            return Ok(Certificate::from_der(root));
        }
        keys::remove(ROOT)?;
        let key = keys::generate(ROOT, request.template.key)?;
        let root = certificate::root(&key, &request.template)?;
        state::set(ROOT, &root)?;
        state::set(OPERATION, &request.operation)?;
        Ok(root)
    }

    fn sign_leaf(&mut self, request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        self.issuer()?.leaf(&request)
    }

    fn sign_intermediate(
        &mut self,
        request: SignIntermediateRequest,
    ) -> Result<Certificate, Error> {
        self.issuer()?
            .intermediate(&request.public_key, &request.template)
    }

    fn cross_sign(&mut self, request: CrossSignRequest) -> Result<Certificate, Error> {
        self.issuer()?.cross_sign(&request)
    }
}

impl LocalCa {
    /// The root with its key. Both are read anew each time: another instance may have made
    /// another root since, and it costs a microsecond.
    fn issuer(&self) -> Result<Issuer, Error> {
        let (root, key) = match &self.own_root {
            Some(root) => (Some(root.clone()), keys::open(OWN_KEY)),
            None => (
                state::value(ROOT).map(Certificate::from_der),
                keys::open(ROOT),
            ),
        };
        match (root, key) {
            (Some(root), Some(key)) => Issuer::new(root, key),
            _ => Err(Error::refused("there is no root yet")),
        }
    }
}

fn wrong(problem: &str) -> ConfigureError {
    ConfigureError::option("RootCert", problem)
}

chancery_plugin::export!(LocalCa);

#[cfg(test)]
mod tests;
