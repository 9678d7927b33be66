//! How long blocks are: sizes are rounded up to a few lengths, so that a block that comes back
//! serves the next one of about its size.

/// Lengths are multiples of this, in bytes, and blocks are aligned to it.
pub(crate) const GRANULE: usize = 16;
/// Up to here, lengths are a granule apart; beyond, there are four between each power of two and
/// the next.
const FINE_BYTES: usize = 1 << FINE_BITS;
const FINE_BITS: u32 = 10;
/// The longest block, in bytes.
pub(crate) const MOST_BYTES: usize = 1 << MOST_BITS;
const MOST_BITS: u32 = 25;
/// How many lengths there are.
pub(crate) const CLASSES: usize = FINE_BYTES / GRANULE + 4 * (MOST_BITS - FINE_BITS) as usize;

/// A length of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) number: usize,
    /// In bytes.
    pub(crate) length: usize,
}

impl Class {
    /// The class of blocks for a size, in bytes; none for what no block is long enough for.
    #[inline]
    pub(crate) fn of(size: usize) -> Option<Self> {
        if size.wrapping_sub(1) < FINE_BYTES {
            let granules = size.div_ceil(GRANULE);
            return Some(Self {
                number: granules - 1,
                length: granules * GRANULE,
            });
        }
        Self::coarse(size)
    }

    fn coarse(size: usize) -> Option<Self> {
        if size > MOST_BYTES {
            return None;
        }
        let last = size.checked_sub(1)?;
        let bits = last.checked_ilog2()?;
        let step = bits - 2;
        // From 4 to 7: in which quarter beyond the power of two it ends.
        let quarter = last >> step;
        Some(Self {
            number: FINE_BYTES / GRANULE + 4 * (bits - FINE_BITS) as usize + quarter - 4,
            length: (quarter + 1) << step,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_is_its_own_class_and_all_below_fit() {
        let mut last = Class::of(1).unwrap();
        assert_eq!((last.number, last.length), (0, GRANULE));
        let mut size = 1;
        while size < MOST_BYTES {
            size = last.length + 1;
            let class = Class::of(size).unwrap();
            assert_eq!(class.number, last.number + 1, "{size}");
            assert!(class.length >= size, "{size}");
            assert_eq!(class.length % GRANULE, 0, "{size}");
            assert_eq!(Class::of(class.length), Some(class));
            // At most a quarter is lost.
            assert!(class.length - size < (size / 4).max(GRANULE), "{size}");
            last = class;
            size = class.length;
        }
        assert_eq!(last.number, CLASSES - 1);
        assert_eq!(last.length, MOST_BYTES);
    }

    #[test]
    fn nothing_and_too_much_have_no_class() {
        assert_eq!(Class::of(0), None);
        assert_eq!(Class::of(MOST_BYTES + 1), None);
        assert_eq!(Class::of(usize::MAX), None);
    }
}
