//! Keyrings with their keys read: who may sign desired states, and who may sign the next keyring
//! (`spec/agent.md`).

use cairn_spec::{
    Envelope,
    agent::{
        self, DESIRED_STATE_TYPE, DesiredState, DesiredStateError, KEYRING_TYPE, KeyringError,
        limits,
    },
};

use crate::{
    Error, PrivateKey, PublicKey,
    envelope::{self, EnvelopeError},
};

/// Keys whose word is taken, once enough of them have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKeys {
    keyring: agent::Keyring,
    keys: Vec<PublicKey>,
    threshold: usize,
}

/// Why what was signed is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The envelope does not open.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It holds no desired state.
    #[error(transparent)]
    DesiredState(#[from] DesiredStateError),
    /// It holds no keyring.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A key of the keyring cannot be used.
    #[error("a key of the keyring cannot be used")]
    Key(#[source] Error),
    /// A key stands in the keyring twice.
    #[error("the key {0} stands in the keyring twice")]
    SameKey(String),
    /// It is not the keyring that comes next.
    #[error("the keyring has generation {found}, and {wanted} comes next")]
    Generation {
        /// The keyring's generation.
        found: u64,
        /// The one that comes next.
        wanted: u64,
    },
}

impl TrustedKeys {
    /// Reads the keys of a keyring.
    pub fn new(keyring: agent::Keyring) -> Result<Self, Refusal> {
        keyring.check()?;
        let read = |pem: &String| PublicKey::from_pem(pem).map_err(Refusal::Key);
        let keys = keyring
            .keys
            .iter()
            .map(read)
            .collect::<Result<Vec<_>, _>>()?;
        let mut ids: Vec<&str> = keys.iter().map(PublicKey::id).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair.first() == pair.last()) {
            return Err(Refusal::SameKey(
                twice.first().copied().unwrap_or_default().to_owned(),
            ));
        }
        let threshold = usize::try_from(keyring.threshold).unwrap_or(usize::MAX);
        Ok(Self {
            keyring,
            keys,
            threshold,
        })
    }

    /// The keyring as it is written.
    pub fn keyring(&self) -> &agent::Keyring {
        &self.keyring
    }

    /// Its generation.
    pub fn generation(&self) -> u64 {
        self.keyring.generation
    }

    /// The desired state in an envelope. Nothing of it is parsed before enough signatures verify.
    /// Audience, generation and time are for the caller to judge.
    pub fn desired_state(&self, envelope: &Envelope) -> Result<DesiredState, Refusal> {
        let payload = self.open(envelope, DESIRED_STATE_TYPE)?;
        Ok(DesiredState::read(&payload)?)
    }

    /// The keyring that follows this one: signed by enough of the old keys, and of the new.
    pub fn successor(&self, envelope: &Envelope) -> Result<Self, Refusal> {
        let payload = self.open(envelope, KEYRING_TYPE)?;
        let next = Self::new(agent::Keyring::read(&payload)?)?;
        let wanted = self.generation().saturating_add(1);
        if next.generation() != wanted {
            return Err(Refusal::Generation {
                found: next.generation(),
                wanted,
            });
        }
        next.open(envelope, KEYRING_TYPE)?;
        Ok(next)
    }

    /// How many of its keys must sign.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The ids of its keys.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(PublicKey::id)
    }

    /// The ids of its keys that have signed an envelope.
    pub fn signers(&self, envelope: &Envelope) -> Result<Vec<&str>, EnvelopeError> {
        let payload = envelope::unverified_payload(envelope, limits::MAX_SIGNED_BYTES)?;
        let signers = envelope::signers(envelope, &payload, &self.keys);
        Ok(signers.map(PublicKey::id).collect())
    }

    fn open(&self, envelope: &Envelope, payload_type: &str) -> Result<Vec<u8>, EnvelopeError> {
        envelope::open(
            envelope,
            payload_type,
            limits::MAX_SIGNED_BYTES,
            &self.keys,
            self.threshold,
        )
    }
}

/// What is signed in an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// What clusters are to run.
    DesiredState(Box<DesiredState>),
    /// Whose word agents take from then on.
    Keyring(agent::Keyring),
}

/// What an envelope says, whoever signed it: for whoever is about to sign it, and for nobody who acts on it.
pub fn unverified(envelope: &Envelope) -> Result<Statement, Refusal> {
    let payload = envelope::unverified_payload(envelope, limits::MAX_SIGNED_BYTES)?;
    if envelope.payload_type == KEYRING_TYPE {
        return Ok(Statement::Keyring(agent::Keyring::read(&payload)?));
    }
    if envelope.payload_type == DESIRED_STATE_TYPE {
        let state = DesiredState::read(&payload)?;
        return Ok(Statement::DesiredState(Box::new(state)));
    }
    Err(envelope::another_type(envelope, DESIRED_STATE_TYPE).into())
}

/// Signs a desired state.
pub fn seal_desired_state<'k>(
    state: &DesiredState,
    keys: impl IntoIterator<Item = &'k PrivateKey>,
) -> Result<Envelope, Refusal> {
    Ok(envelope::seal(DESIRED_STATE_TYPE, &state.write()?, keys))
}

/// Signs a keyring.
pub fn seal_keyring<'k>(
    keyring: &agent::Keyring,
    keys: impl IntoIterator<Item = &'k PrivateKey>,
) -> Result<Envelope, Refusal> {
    Ok(envelope::seal(KEYRING_TYPE, &keyring.write()?, keys))
}

#[cfg(test)]
mod tests {
    use cairn_spec::agent::{Audience, BundleSource};

    use super::*;
    use crate::key::generate;

    fn pem(key: &PrivateKey) -> String {
        key.public_key().unwrap().to_pem().unwrap()
    }

    fn ring(keys: &[&PrivateKey], threshold: u32, generation: u64) -> agent::Keyring {
        let mut keyring = agent::Keyring::new(keys.iter().map(|key| pem(key)).collect(), threshold);
        keyring.generation = generation;
        keyring
    }

    fn state() -> DesiredState {
        let digest = cairn_spec::Digest::sha256(b"{}");
        let bundle = BundleSource {
            repository: "registry.example.com/bundles/shop".to_owned(),
            digest,
        };
        let audience = Audience::Cluster("0b2f".to_owned());
        DesiredState::new(
            audience,
            12,
            bundle,
            "2026-11-28T00:00:00Z".parse().unwrap(),
        )
    }

    #[test]
    fn a_desired_state_takes_as_many_signatures_as_the_keyring_says() {
        let keys: Vec<PrivateKey> = (0..3).map(|_| generate().unwrap()).collect();
        let trusted = TrustedKeys::new(ring(&[&keys[0], &keys[1]], 2, 1)).unwrap();
        let both = seal_desired_state(&state(), [&keys[0], &keys[1]]).unwrap();
        assert_eq!(trusted.desired_state(&both).unwrap(), state());
        let foreign = seal_desired_state(&state(), [&keys[0], &keys[2]]).unwrap();
        let refusal = trusted.desired_state(&foreign).unwrap_err();
        insta::assert_snapshot!(refusal, @"1 of the trusted keys signed, 2 must");
        let keyring = seal_keyring(trusted.keyring(), [&keys[0], &keys[1]]).unwrap();
        assert!(matches!(
            trusted.desired_state(&keyring),
            Err(Refusal::Envelope(EnvelopeError::Type { .. }))
        ));
    }

    #[test]
    fn a_keyring_follows_when_old_and_new_keys_agree() {
        let (old, new) = (generate().unwrap(), generate().unwrap());
        let trusted = TrustedKeys::new(ring(&[&old], 1, 1)).unwrap();
        let next = ring(&[&new], 1, 2);
        let by = |keys: &[&PrivateKey]| seal_keyring(&next, keys.iter().copied()).unwrap();
        assert!(
            trusted.successor(&by(&[&old])).is_err(),
            "the new key has not agreed"
        );
        assert!(
            trusted.successor(&by(&[&new])).is_err(),
            "the old key has not agreed"
        );
        assert_eq!(
            trusted.successor(&by(&[&old, &new])).unwrap().keyring(),
            &next
        );
        let skipping = seal_keyring(&ring(&[&new], 1, 3), [&old, &new]).unwrap();
        let refusal = trusted.successor(&skipping).unwrap_err();
        insta::assert_snapshot!(refusal, @"the keyring has generation 3, and 2 comes next");
    }

    #[test]
    fn a_key_that_stands_there_twice_is_refused_however_it_is_written() {
        let key = generate().unwrap();
        let mut keyring = ring(&[&key, &key], 2, 1);
        assert!(matches!(
            TrustedKeys::new(keyring.clone()),
            Err(Refusal::Keyring(_))
        ));
        keyring.keys[1] = keyring.keys[1].replace('\n', "\r\n");
        assert!(matches!(
            TrustedKeys::new(keyring),
            Err(Refusal::SameKey(_))
        ));
    }
}
