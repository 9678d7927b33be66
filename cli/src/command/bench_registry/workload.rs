//! What is measured: the workloads by name, and how many connections each uses.

use super::report::{Better, Unit};

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    PushSmall,
    PushLarge,
    PushChunked,
    PullLarge,
    PullRange,
    ManifestGetTag,
    ManifestGetDigest,
    ManifestHeadTag,
    ManifestHeadDigest,
    TagsAll,
    TagsFirst,
    TagsMiddle,
    Referrers1k,
    Referrers10k,
    ReferrersFiltered,
    Catalog,
    ColdStart,
    IdleMemory,
}

/// What has to be in a registry before a workload can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Needs {
    Nothing,
    Images,
    LargeBlob,
    Tags,
    Referrers1k,
    Referrers10k,
    Repositories,
    /// A server that this command started.
    Process,
}

impl Workload {
    pub(crate) const ALL: [Self; 18] = [
        Self::ColdStart,
        Self::IdleMemory,
        Self::PushSmall,
        Self::PushLarge,
        Self::PushChunked,
        Self::PullLarge,
        Self::PullRange,
        Self::ManifestGetTag,
        Self::ManifestGetDigest,
        Self::ManifestHeadTag,
        Self::ManifestHeadDigest,
        Self::TagsAll,
        Self::TagsFirst,
        Self::TagsMiddle,
        Self::Referrers1k,
        Self::Referrers10k,
        Self::ReferrersFiltered,
        Self::Catalog,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PushSmall => "push-small",
            Self::PushLarge => "push-large",
            Self::PushChunked => "push-chunked",
            Self::PullLarge => "pull-large",
            Self::PullRange => "pull-range",
            Self::ManifestGetTag => "manifest-get-tag",
            Self::ManifestGetDigest => "manifest-get-digest",
            Self::ManifestHeadTag => "manifest-head-tag",
            Self::ManifestHeadDigest => "manifest-head-digest",
            Self::TagsAll => "tags-all",
            Self::TagsFirst => "tags-first",
            Self::TagsMiddle => "tags-middle",
            Self::Referrers1k => "referrers-1k",
            Self::Referrers10k => "referrers-10k",
            Self::ReferrersFiltered => "referrers-filtered",
            Self::Catalog => "catalog",
            Self::ColdStart => "cold-start",
            Self::IdleMemory => "idle-memory",
        }
    }

    /// The workloads whose names begin with one of `only`, or all when nothing is chosen.
    pub(crate) fn chosen(only: &[String]) -> Result<Vec<Self>, String> {
        if let Some(unknown) = only
            .iter()
            .find(|prefix| !Self::ALL.iter().any(|it| it.name().starts_with(*prefix)))
        {
            return Err(unknown.clone());
        }
        let is_chosen = |workload: &Self| {
            only.is_empty()
                || only
                    .iter()
                    .any(|prefix| workload.name().starts_with(prefix))
        };
        Ok(Self::ALL.into_iter().filter(is_chosen).collect())
    }

    /// How many connections send at a time, one measurement each.
    pub(crate) fn connections(self) -> &'static [usize] {
        match self {
            Self::PushSmall => &[1, 8, 32],
            Self::PullLarge => &[1, 4, 16],
            Self::PullRange => &[8],
            Self::ManifestGetTag
            | Self::ManifestGetDigest
            | Self::ManifestHeadTag
            | Self::ManifestHeadDigest => &[1, 16, 128],
            Self::TagsAll
            | Self::TagsFirst
            | Self::TagsMiddle
            | Self::Referrers1k
            | Self::Referrers10k
            | Self::ReferrersFiltered
            | Self::Catalog => &[4],
            Self::PushLarge | Self::PushChunked | Self::ColdStart | Self::IdleMemory => &[1],
        }
    }

    pub(crate) fn needs(self) -> Needs {
        match self {
            Self::PushSmall | Self::PushLarge | Self::PushChunked => Needs::Nothing,
            Self::PullLarge | Self::PullRange => Needs::LargeBlob,
            Self::ManifestGetTag
            | Self::ManifestGetDigest
            | Self::ManifestHeadTag
            | Self::ManifestHeadDigest => Needs::Images,
            Self::TagsAll | Self::TagsFirst | Self::TagsMiddle => Needs::Tags,
            Self::Referrers1k => Needs::Referrers1k,
            Self::Referrers10k | Self::ReferrersFiltered => Needs::Referrers10k,
            Self::Catalog => Needs::Repositories,
            Self::ColdStart | Self::IdleMemory => Needs::Process,
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::PushLarge | Self::PushChunked | Self::PullLarge => Unit::BytesPerSecond,
            Self::ColdStart => Unit::Seconds,
            Self::IdleMemory => Unit::Bytes,
            _ => Unit::OperationsPerSecond,
        }
    }

    pub(crate) fn better(self) -> Better {
        match self {
            Self::ColdStart | Self::IdleMemory => Better::Lower,
            _ => Better::Higher,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_chosen_by_the_beginning_of_their_names() {
        let chosen = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|&it| it.to_owned()).collect();
            Workload::chosen(&only)
        };
        assert_eq!(chosen(&[]).unwrap().len(), Workload::ALL.len());
        let heads = [Workload::ManifestHeadTag, Workload::ManifestHeadDigest];
        assert_eq!(chosen(&["manifest-head"]).unwrap(), heads);
        assert_eq!(chosen(&["catalog", "push-"]).unwrap().len(), 4);
        assert_eq!(chosen(&["pull", "fly"]).unwrap_err(), "fly");
    }
}
