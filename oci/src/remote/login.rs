//! Asks a registry whether it accepts the client's credentials.

use cairn_spec::{RegistryHost, RepositoryName};
use http::Method;
use reqwest::Url;

use super::{
    Client,
    auth::Access,
    transport::{Call, check},
};
use crate::{Error, store::Origin};

/// Token services are asked for access to some repository. They grant none that the user does not
/// have, so any name will do.
const ANY_REPOSITORY: &str = "login";

impl Client {
    /// Fails with [`Error::Unauthenticated`] when the registry does not accept the client's
    /// credentials. A registry that asks nobody who they are accepts all.
    pub async fn check_credentials(&self, registry: &RegistryHost) -> Result<(), Error> {
        let repository: RepositoryName = ANY_REPOSITORY.parse()?;
        let origin = Origin {
            registry: registry.clone(),
            repository,
        };
        let call = Call {
            origin: &origin,
            access: Access::Pull,
            subject: "",
        };
        let text = format!("{}://{registry}/v2/", self.scheme(registry));
        let url = Url::parse(&text).map_err(|error| Error::Malformed {
            what: text,
            reason: error.to_string(),
        })?;
        let response = match self.send(call, |http| http.get(url.clone())).await {
            Ok(response) => check(call, Method::GET, response).await,
            Err(error) => Err(error),
        };
        match response {
            Ok(_) => Ok(()),
            Err(Error::Unauthenticated { reason, .. }) => Err(Error::Unauthenticated {
                what: registry.to_string(),
                reason,
            }),
            Err(error) => Err(error),
        }
    }
}
