//! New certificates for agents that have one, also when it has expired while they were offline.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_oci::PublicKey;
use cairn_spec::{
    Timestamp,
    agent::{Renew, Renewed},
};

use crate::{Error, Hub, authentication::Caller};

impl Hub {
    /// Makes a new certificate. The old one is good until this one is used.
    pub(crate) async fn renew(&self, caller: &Caller, wanted: &Renew) -> Result<Renewed, Error> {
        let identity = &caller.identity;
        if wanted.cluster_uid != identity.cluster_uid {
            return Err(Error::Malformed(
                "the certificate is for another cluster".to_owned(),
            ));
        }
        let key = PublicKey::from_pem(&wanted.public_key)
            .map_err(|error| Error::Malformed(error.to_string()))?;
        if !key.is_p256() {
            return Err(Error::Malformed("the key is not a P-256 key".to_owned()));
        }
        let proof = STANDARD
            .decode(&wanted.proof)
            .map_err(|_| Error::Malformed("`proof` is not base64".to_owned()))?;
        let proved = Renew::proof_of(&identity.agent_id, &wanted.public_key);
        if !key.verify(&proved, &proof) {
            return Err(Error::Unauthenticated("`proof` is not by the new key"));
        }
        let (id, uid) = (&identity.agent_id, &identity.cluster_uid);
        let issued = self.authority.issue(id, uid, &key, self.clock.unix_s())?;
        self.change_agent(id, |agent| {
            agent.next_key_id = (agent.key_id != key.id()).then(|| key.id().to_owned());
        })
        .await?;
        Ok(Renewed {
            certificate: issued.pem,
            not_after: Timestamp::from_unix_s(issued.not_after_s),
            ca: self.settings.tls_authorities.clone(),
        })
    }
}
