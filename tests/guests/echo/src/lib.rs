//! Answers a request for a leaf with the bytes of the request, so that a call into it is all
//! crossing and no work.
#![forbid(unsafe_code)]

use chancery_plugin::{
    Ca, Certificate, Config, ConfigureError, Description, Error, LeafRequest, RootRequest,
};

struct Echo;

impl Ca for Echo {
    fn describe() -> Description {
        Description::new("echo", env!("CARGO_PKG_VERSION"), "signs nothing")
    }

    fn configure(_config: Config) -> Result<Self, ConfigureError> {
        Ok(Self)
    }

    fn root(&mut self, _request: RootRequest) -> Result<Certificate, Error> {
        Err(Error::refused("it has none"))
    }

    fn sign_leaf(&mut self, request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        Ok(vec![Certificate::from_der(request.csr)])
    }
}

chancery_plugin::export!(Echo);
