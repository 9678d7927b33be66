//! Desired states and keyrings as they come in, signed, and as they are offered.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use cairn_oci::keyring::TrustedKeys;
use cairn_spec::{
    Envelope, GroupName, Timestamp,
    agent::{Audience, BundleSource, DesiredState, Keyring},
};

use crate::{Error, Hub, HubStore, KeyringRecord, Offer, hub::wake_all};

/// What is offered, in memory: what every sync asks.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    shelves: RwLock<Shelves>,
    /// Held while everything is read anew, so that what was read last is what was written last.
    loading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Shelves {
    offers: BTreeMap<Audience, Arc<Offer>>,
    /// By scope, oldest first.
    keyrings: BTreeMap<Option<GroupName>, Vec<Arc<Trusted>>>,
}

/// A keyring whose keys were read.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) keys: TrustedKeys,
    pub(crate) envelope: Option<Envelope>,
}

impl Offers {
    /// Reads everything anew.
    pub(crate) async fn load(&self, store: &dyn HubStore) -> Result<(), Error> {
        let _loading = self.loading.lock().await;
        let mut shelves = Shelves::default();
        for (scope, record) in store.keyrings().await? {
            let trusted = Trusted {
                keys: TrustedKeys::new(record.keyring)?,
                envelope: record.envelope,
            };
            shelves
                .keyrings
                .entry(scope)
                .or_default()
                .push(Arc::new(trusted));
        }
        for offer in store.offers().await? {
            let audience = offer.state.audience.clone();
            shelves.offers.insert(audience, Arc::new(offer));
        }
        *self.shelves.write().unwrap_or_else(PoisonError::into_inner) = shelves;
        Ok(())
    }

    /// The offer with the highest generation for a cluster that has not expired.
    pub(crate) fn best(
        &self,
        cluster_uid: &str,
        group: Option<&GroupName>,
        now_s: u64,
    ) -> Option<Arc<Offer>> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        let own = Some(Audience::Cluster(cluster_uid.to_owned()));
        let audiences = [own, group.cloned().map(Audience::Group)];
        let now = Timestamp::from_unix_s(now_s);
        audiences
            .into_iter()
            .flatten()
            .filter_map(|audience| shelves.offers.get(&audience))
            .filter(|offer| !offer.state.has_expired(now))
            .max_by_key(|offer| offer.state.generation)
            .cloned()
    }

    /// The bundles that a cluster may fetch: those of all offers for it, expired ones too, and
    /// those that were offered before.
    pub(crate) fn bundles(
        &self,
        cluster_uid: &str,
        group: Option<&GroupName>,
    ) -> Vec<BundleSource> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        let own = Some(Audience::Cluster(cluster_uid.to_owned()));
        let audiences = [own, group.cloned().map(Audience::Group)];
        let offers = audiences
            .into_iter()
            .flatten()
            .filter_map(|audience| shelves.offers.get(&audience));
        offers
            .flat_map(|offer| {
                std::iter::once(offer.state.bundle.clone()).chain(offer.before.clone())
            })
            .collect()
    }

    /// The keyring of a group's clusters: its own, or the one of all without.
    pub(crate) fn keyring(&self, group: Option<&GroupName>) -> Option<Arc<Trusted>> {
        self.keyrings(group).pop()
    }

    /// The keyring that follows a generation.
    pub(crate) fn keyring_after(
        &self,
        group: Option<&GroupName>,
        generation: u64,
    ) -> Option<Arc<Trusted>> {
        let next = generation.checked_add(1)?;
        self.keyrings(group)
            .into_iter()
            .find(|keyring| keyring.keys.generation() == next)
    }

    fn keyrings(&self, group: Option<&GroupName>) -> Vec<Arc<Trusted>> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        let own = group.and_then(|group| shelves.keyrings.get(&Some(group.clone())));
        own.or_else(|| shelves.keyrings.get(&None))
            .cloned()
            .unwrap_or_default()
    }

    /// The last keyring of each scope.
    fn last_keyrings(&self) -> Vec<Arc<Trusted>> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        let last = |keyrings: &Vec<Arc<Trusted>>| keyrings.last().cloned();
        shelves.keyrings.values().filter_map(last).collect()
    }

    fn all(&self) -> Vec<Arc<Offer>> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        shelves.offers.values().cloned().collect()
    }
}

/// An offer that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered {
    /// What was signed.
    pub state: DesiredState,
    /// It was there already.
    pub is_known: bool,
}

/// A keyring that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Its generation.
    pub generation: u64,
    /// Whose desired states the new keys did not sign: they are taken back, and must be signed anew.
    pub withdrawn: Vec<Audience>,
}

impl Hub {
    /// Takes a desired state in, if the keys of the audience's clusters signed it, and has it
    /// offered at once. Nothing of it is parsed before that.
    pub async fn offer(&self, envelope: Envelope) -> Result<Offered, Error> {
        let keyrings = self.offers.last_keyrings();
        let mut refusal = None;
        let mut accepted = None;
        for keyring in keyrings {
            match keyring.keys.desired_state(&envelope) {
                Ok(state) => {
                    // A key of one group signs nothing for another.
                    let group = self.group_of(&state.audience).await?;
                    let own = self.offers.keyring(group.as_ref());
                    if own.is_some_and(|own| own.keys == keyring.keys) {
                        accepted = Some(state);
                        break;
                    }
                }
                Err(error) => refusal = Some(error),
            }
        }
        let Some(state) = accepted else {
            return Err(match refusal {
                Some(refusal) => refusal.into(),
                None => Error::Conflict("no keyring of this audience signed it".to_owned()),
            });
        };
        let now = Timestamp::from_unix_s(self.clock.unix_s());
        if state.has_expired(now) {
            return Err(Error::Conflict("the desired state has expired".to_owned()));
        }
        let known = self.offers.all();
        let known = known
            .iter()
            .find(|known| known.state.audience == state.audience);
        if known.is_some_and(|known| known.state == state) {
            return Ok(Offered {
                state,
                is_known: true,
            });
        }
        let before = known.map(|known| known.state.bundle.clone());
        let before = before.filter(|before| *before != state.bundle);
        let offer = Offer {
            state: state.clone(),
            envelope,
            before,
        };
        if !self.store.put_offer(&offer).await? {
            let (audience, generation) = (&state.audience, state.generation);
            return Err(Error::Conflict(format!(
                "generation {generation} for {audience} is not higher than the one that is there"
            )));
        }
        self.offers.load(&*self.store).await?;
        wake_all(&self.roster, |record| match &state.audience {
            Audience::Cluster(uid) => record.cluster_uid == *uid,
            Audience::Group(group) => record.group.as_ref() == Some(group),
        });
        tracing::info!(%state.audience, state.generation, bundle = %state.bundle.digest, "a desired state is offered");
        Ok(Offered {
            state,
            is_known: false,
        })
    }

    /// The group of an audience: of the cluster, as it joined.
    async fn group_of(&self, audience: &Audience) -> Result<Option<GroupName>, Error> {
        match audience {
            Audience::Group(group) => Ok(Some(group.clone())),
            Audience::Cluster(uid) => {
                let agents = self.store.agents_of_cluster(uid).await?;
                let agent = agents
                    .iter()
                    .find(|agent| agent.state == crate::AgentState::Active);
                Ok(agent.and_then(|agent| agent.group.clone()))
            }
        }
    }

    /// Sets the first keyring of a group's clusters, or of all clusters whose group has none.
    pub async fn set_keyring(
        &self,
        group: Option<&GroupName>,
        keyring: Keyring,
    ) -> Result<(), Error> {
        TrustedKeys::new(keyring.clone())?;
        let record = KeyringRecord {
            keyring,
            envelope: None,
        };
        if !self.store.add_keyring(group, &record).await? {
            return Err(Error::Conflict(
                "there is a keyring already; the next one must be signed by its keys".to_owned(),
            ));
        }
        self.offers.load(&*self.store).await
    }

    /// Takes the next keyring in, signed by enough keys of the old one and of the new one.
    pub async fn rotate_keyring(
        &self,
        group: Option<&GroupName>,
        envelope: Envelope,
    ) -> Result<Rotated, Error> {
        let old = self.offers.keyring(group);
        let old = old.ok_or(Error::NotFound("keyring to follow"))?;
        let new = old.keys.successor(&envelope)?;
        let record = KeyringRecord {
            keyring: new.keyring().clone(),
            envelope: Some(envelope),
        };
        if !self.store.add_keyring(group, &record).await? {
            return Err(Error::Conflict("another keyring came first".to_owned()));
        }
        self.offers.load(&*self.store).await?;
        let mut withdrawn = Vec::new();
        for offer in self.offers.all() {
            let audience = &offer.state.audience;
            let keyring = self.offers.keyring(self.group_of(audience).await?.as_ref());
            if keyring.is_some_and(|it| it.keys.desired_state(&offer.envelope).is_ok()) {
                continue;
            }
            self.store
                .remove_offer(audience, offer.state.generation)
                .await?;
            withdrawn.push(audience.clone());
        }
        self.offers.load(&*self.store).await?;
        wake_all(&self.roster, |_| true);
        Ok(Rotated {
            generation: new.generation(),
            withdrawn,
        })
    }
}
