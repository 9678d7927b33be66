//! Whether a desired state is accepted: for this cluster, newer than the last one, and not too late.
//! Its signatures were verified before.

use cairn_spec::{Digest, GroupName, Timestamp, agent::Audience};

/// Who this cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The UID of the namespace `kube-system`.
    pub cluster: String,
    /// The group that it joined with.
    pub group: Option<GroupName>,
}

/// What is offered, as it was signed. A registry need not say whom it is for, nor which generation it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Whom it is for; all, if it does not say.
    pub audience: Option<Audience>,
    /// Which generation it is.
    pub generation: Option<u64>,
    /// The bundle.
    pub bundle: Digest,
    /// When it is too late to accept it.
    pub expires_at: Option<Timestamp>,
}

/// What was accepted last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Last {
    /// The highest generation; 0 if none had one.
    pub generation: u64,
    /// The bundle.
    pub bundle: Option<Digest>,
}

/// Why an offer is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is for somebody else.
    #[error("it is for {wanted}, and this is cluster {own}")]
    Audience {
        /// Whom it is for.
        wanted: Audience,
        /// This cluster.
        own: String,
    },
    /// It was replaced already: whoever offers it plays an old one back.
    #[error("its generation is {offered}, and {last} was accepted before")]
    Older {
        /// Its generation.
        offered: u64,
        /// The highest one that was accepted.
        last: u64,
    },
    /// Another bundle had the same generation.
    #[error("its generation {0} was another bundle's before")]
    Ambiguous(u64),
    /// It has no generation, and must.
    #[error("no generation was signed with it, and one is required")]
    NoGeneration,
    /// It is too late.
    #[error("it expired at {0}")]
    Expired(Timestamp),
}

/// Decides about an offer. `needs_generation` refuses those without; once there was one, there must be.
pub fn judge(
    offer: &Offer,
    last: &Last,
    own: &Own,
    needs_generation: bool,
    now: Timestamp,
) -> Result<(), Refusal> {
    if let Some(audience) = &offer.audience
        && !is_for(audience, own)
    {
        return Err(Refusal::Audience {
            wanted: audience.clone(),
            own: own.cluster.clone(),
        });
    }
    let is_same = last.bundle.as_ref() == Some(&offer.bundle);
    match offer.generation {
        None if needs_generation || last.generation > 0 => return Err(Refusal::NoGeneration),
        Some(offered) if offered < last.generation => {
            return Err(Refusal::Older {
                offered,
                last: last.generation,
            });
        }
        Some(offered) if offered == last.generation && !is_same => {
            return Err(Refusal::Ambiguous(offered));
        }
        _ => {}
    }
    match offer.expires_at {
        Some(end) if end <= now => Err(Refusal::Expired(end)),
        _ => Ok(()),
    }
}

fn is_for(audience: &Audience, own: &Own) -> bool {
    match audience {
        Audience::Cluster(uid) => *uid == own.cluster,
        Audience::Group(group) => own.group.as_ref() == Some(group),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn bundle(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn offer(generation: Option<u64>, name: &str) -> Offer {
        Offer {
            audience: Some(Audience::Cluster("uid".to_owned())),
            generation,
            bundle: bundle(name),
            expires_at: Some(time("2026-01-02T00:00:00Z")),
        }
    }

    fn verdict(offer: &Offer, last: &Last) -> String {
        let own = Own {
            cluster: "uid".to_owned(),
            group: Some("edge".parse().unwrap()),
        };
        match judge(offer, last, &own, false, time("2026-01-01T00:00:00Z")) {
            Ok(()) => "accepted".to_owned(),
            Err(refusal) => refusal.to_string(),
        }
    }

    fn last(generation: u64, name: &str) -> Last {
        Last {
            generation,
            bundle: Some(bundle(name)),
        }
    }

    #[test]
    fn only_higher_generations_follow() {
        assert_eq!(verdict(&offer(Some(1), "a"), &Last::default()), "accepted");
        assert_eq!(verdict(&offer(Some(8), "b"), &last(7, "a")), "accepted");
        // The same again, as after a restart.
        assert_eq!(verdict(&offer(Some(7), "a"), &last(7, "a")), "accepted");
        assert_snapshot!(verdict(&offer(Some(6), "b"), &last(7, "a")), @"its generation is 6, and 7 was accepted before");
        assert_snapshot!(verdict(&offer(Some(7), "b"), &last(7, "a")), @"its generation 7 was another bundle's before");
        assert_snapshot!(verdict(&offer(None, "b"), &last(7, "a")), @"no generation was signed with it, and one is required");
        assert_eq!(verdict(&offer(None, "b"), &last(0, "a")), "accepted");
    }

    #[test]
    fn what_is_for_others_or_too_late_is_refused() {
        let to = |audience: Option<Audience>| Offer {
            audience,
            ..offer(Some(1), "a")
        };
        let group = |name: &str| Some(Audience::Group(name.parse().unwrap()));
        assert_eq!(verdict(&to(group("edge")), &Last::default()), "accepted");
        assert_eq!(verdict(&to(None), &Last::default()), "accepted");
        assert_snapshot!(verdict(&to(group("core")), &Last::default()), @"it is for group core, and this is cluster uid");
        assert_snapshot!(verdict(&to(Some(Audience::Cluster("other".to_owned()))), &Last::default()), @"it is for cluster other, and this is cluster uid");
        let late = Offer {
            expires_at: Some(time("2026-01-01T00:00:00Z")),
            ..offer(Some(1), "a")
        };
        assert_snapshot!(verdict(&late, &Last::default()), @"it expired at 2026-01-01T00:00:00Z");
    }
}
