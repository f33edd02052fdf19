//! Identifiers: the first 16 hexadecimal digits of a BLAKE3 hash over length-prefixed parts.

/// Hashes `parts` in order; no two different lists of parts share an input.
///
/// Each part is preceded by its length in bytes (little-endian u64), so that `["ab", "c"]` and
/// `["a", "bc"]` differ.
#[must_use]
pub fn hash16<T: AsRef<[u8]>>(parts: &[T]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        let bytes = part.as_ref();
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// The digits of [`hash16`], made with memory that is used again.
#[must_use]
pub fn digits16<T: AsRef<[u8]>>(parts: &[T], work: &mut Vec<u8>) -> [u8; 16] {
    work.clear();
    for part in parts {
        let bytes = part.as_ref();
        work.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        work.extend_from_slice(bytes);
    }
    let hash = blake3::hash(work);
    let half = |byte: u8| b"0123456789abcdef"[usize::from(byte)];
    std::array::from_fn(|k| {
        let byte = hash.as_bytes()[k / 2];
        half(if k % 2 == 0 { byte >> 4 } else { byte & 15 })
    })
}

/// A number in [0, 1) for `parts`: the digits of [`hash16`] as a fraction.
#[must_use]
#[allow(clippy::cast_precision_loss)] // the last of 64 bits decide nothing
pub fn fraction<T: AsRef<[u8]>>(parts: &[T], work: &mut Vec<u8>) -> f64 {
    let digits = digits16(parts, work);
    let number = digits.iter().fold(0_u64, |sum, digit| {
        let value = if digit.is_ascii_digit() {
            digit - b'0'
        } else {
            digit - b'a' + 10
        };
        (sum << 4) | u64::from(value)
    });
    number as f64 / 2.0_f64.powi(64)
}

#[cfg(test)]
mod tests {
    use super::{digits16, hash16};

    #[test]
    fn boundaries_between_parts_matter() {
        assert_ne!(hash16(&["ab", "c"]), hash16(&["a", "bc"]));
        assert_eq!(hash16(&["ab", "c"]).len(), 16);
    }

    #[test]
    fn both_ways_give_the_same_digits() {
        let mut work = Vec::new();
        for parts in [
            ["ab", "c"],
            ["", ""],
            [
                "0123456789",
                "a name of more than a block of bytes, \
            which is sixty-four of them",
            ],
        ] {
            assert_eq!(digits16(&parts, &mut work), hash16(&parts).as_bytes());
        }
    }
}
