//! What a value replaced, remembered through every merge.

use cairn_spec::{OriginId, Origins, Span};

/// The origins that a merge writes to; a merge that only looks something up writes none.
#[derive(Debug)]
pub(crate) struct Chains<'o> {
    origins: &'o mut Origins,
    are_kept: bool,
}

impl<'o> Chains<'o> {
    pub(crate) fn kept(origins: &'o mut Origins) -> Self {
        Self {
            origins,
            are_kept: true,
        }
    }

    pub(crate) fn forgotten(origins: &'o mut Origins) -> Self {
        Self {
            origins,
            are_kept: false,
        }
    }

    pub(crate) fn span(&self, origin: OriginId) -> Option<Span> {
        self.origins.span(origin)
    }

    /// The origin of a value that also replaced the one at `loser`, which is below all that it
    /// has replaced so far.
    pub(crate) fn above(&mut self, winner: OriginId, loser: OriginId) -> OriginId {
        let origins = &mut *self.origins;
        if !self.are_kept || loser == OriginId::GENERATED || loser == winner {
            return winner;
        }
        let Some(older) = origins.get(winner).overrides else {
            return origins.overriding(winner, loser);
        };
        let mut writers = vec![winner];
        let mut next = Some(older);
        while let Some(writer) = next {
            if writer == loser {
                return winner;
            }
            writers.push(writer);
            next = origins.get(writer).overrides;
        }
        writers
            .into_iter()
            .rev()
            .fold(loser, |older, writer| origins.overriding(writer, older))
    }
}

#[cfg(test)]
mod tests {
    use cairn_spec::Origin;

    use super::*;

    #[test]
    fn each_writer_is_named_once_and_in_order() {
        let mut origins = Origins::new();
        let mut writer = |name: &str| {
            origins.add(Origin {
                tag: Some(name.into()),
                ..Origin::default()
            })
        };
        let (user, parent, child) = (writer("user"), writer("parent"), writer("child"));
        let mut chains = Chains::kept(&mut origins);
        let winner = chains.above(user, parent);
        let winner = chains.above(winner, child);
        assert_eq!(chains.above(winner, child), winner);
        let history: Vec<_> = origins
            .history(winner)
            .filter_map(|origin| origin.tag.as_deref())
            .collect();
        assert_eq!(history, ["user", "parent", "child"]);
    }
}
