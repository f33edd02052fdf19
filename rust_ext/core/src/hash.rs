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

#[cfg(test)]
mod tests {
    use super::hash16;

    #[test]
    fn boundaries_between_parts_matter() {
        assert_ne!(hash16(&["ab", "c"]), hash16(&["a", "bc"]));
        assert_eq!(hash16(&["ab", "c"]).len(), 16);
    }
}
