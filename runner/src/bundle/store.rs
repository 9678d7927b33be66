//! Keeps the objects of a stage compressed, in segments that are small enough to be read whole.

use std::io::{Read as _, Write as _};

use cairn_spec::PlanObject;
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};

use super::{BundleError, Manifest};

/// A segment ends when it holds this many bytes: what is read at a time.
const SEGMENT_BYTES: usize = 256 << 10;

/// Some objects of one stage, as compressed JSON.
#[derive(Debug)]
pub(super) struct Segment {
    /// The index and the length in bytes of each object, one after the other.
    entries: Vec<(usize, usize)>,
    deflated: Vec<u8>,
}

/// Writes segments: objects that follow one another, and are of the same stage, share one.
#[derive(Default)]
pub(super) struct SegmentWriter {
    open: Option<Open>,
}

struct Open {
    /// Layer and stage.
    place: (usize, usize),
    entries: Vec<(usize, usize)>,
    size_bytes: usize,
    encoder: DeflateEncoder<Vec<u8>>,
}

/// A segment and the layer and the stage it belongs to.
pub(super) type Placed = ((usize, usize), Segment);

impl SegmentWriter {
    /// Adds an object; gives the segment that is full or that ended before it.
    pub(super) fn add(
        &mut self,
        place: (usize, usize),
        index: usize,
        json: &[u8],
    ) -> Result<Option<Placed>, BundleError> {
        let ends = |open: &Open| open.place != place || open.size_bytes >= SEGMENT_BYTES;
        let ended = if self.open.as_ref().is_some_and(ends) {
            self.end()?
        } else {
            None
        };
        let open = self.open.get_or_insert_with(|| Open {
            place,
            entries: Vec::new(),
            size_bytes: 0,
            encoder: DeflateEncoder::new(Vec::new(), Compression::fast()),
        });
        open.encoder.write_all(json).map_err(BundleError::Store)?;
        open.entries.push((index, json.len()));
        open.size_bytes += json.len();
        Ok(ended)
    }

    /// Ends the segment that is open.
    pub(super) fn end(&mut self) -> Result<Option<Placed>, BundleError> {
        let Some(open) = self.open.take() else {
            return Ok(None);
        };
        let mut deflated = open.encoder.finish().map_err(BundleError::Store)?;
        deflated.shrink_to_fit();
        let segment = Segment {
            entries: open.entries,
            deflated,
        };
        Ok(Some((open.place, segment)))
    }
}

impl Segment {
    /// The objects that are wanted, in the order they were added; none if there are none.
    pub(super) fn manifests(
        &self,
        planned: &[PlanObject],
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Option<Vec<Manifest>>, BundleError> {
        if !self.entries.iter().any(|(index, _)| wanted(*index)) {
            return Ok(None);
        }
        let mut decoder = DeflateDecoder::new(self.deflated.as_slice());
        let mut manifests = Vec::new();
        let mut json = Vec::new();
        for &(index, length) in &self.entries {
            json.resize(length, 0);
            decoder.read_exact(&mut json).map_err(BundleError::Store)?;
            if !wanted(index) {
                continue;
            }
            let object = serde_json::from_slice(&json).map_err(|source| {
                let path = planned
                    .get(index)
                    .map_or("", |planned| planned.file.as_str());
                BundleError::NotAnObject {
                    path: path.to_owned(),
                    reason: source.to_string(),
                }
            })?;
            manifests.push(Manifest { index, object });
        }
        Ok(Some(manifests))
    }
}
