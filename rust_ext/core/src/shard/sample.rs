//! The pixel types a tile may hold.
use crate::{Error, Result};

/// The type of one pixel value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleType {
    /// Unsigned, 8 bits.
    UInt8,
    /// Unsigned, 16 bits.
    UInt16,
    /// Unsigned, 32 bits.
    UInt32,
    /// Unsigned, 64 bits.
    UInt64,
    /// Signed, 8 bits.
    Int8,
    /// Signed, 16 bits.
    Int16,
    /// Signed, 32 bits.
    Int32,
    /// Signed, 64 bits.
    Int64,
    /// IEEE, 32 bits.
    Float32,
    /// IEEE, 64 bits.
    Float64,
}

const NAMES: [(SampleType, &str, u16, u16); 10] = [
    (SampleType::UInt8, "uint8", 1, 1),
    (SampleType::UInt16, "uint16", 1, 2),
    (SampleType::UInt32, "uint32", 1, 4),
    (SampleType::UInt64, "uint64", 1, 8),
    (SampleType::Int8, "int8", 2, 1),
    (SampleType::Int16, "int16", 2, 2),
    (SampleType::Int32, "int32", 2, 4),
    (SampleType::Int64, "int64", 2, 8),
    (SampleType::Float32, "float32", 3, 4),
    (SampleType::Float64, "float64", 3, 8),
];

impl SampleType {
    /// Every type there is.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|row| row.0)
    }

    /// Finds a type by its numpy name.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when no type has that name.
    pub fn from_name(name: &str) -> Result<Self> {
        let found = NAMES.iter().find(|row| row.1 == name);
        found.map(|row| row.0).ok_or_else(|| {
            Error::InvalidArgument(format!("pixel type {name} is not one a tile can hold"))
        })
    }

    /// Finds a type by TIFF's `SampleFormat` and its size in bytes.
    #[must_use]
    pub fn from_tiff(format: u16, bytes: u16) -> Option<Self> {
        NAMES
            .iter()
            .find(|row| row.2 == format && row.3 == bytes)
            .map(|row| row.0)
    }

    /// The numpy name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// TIFF's `SampleFormat`: 1 unsigned, 2 signed, 3 IEEE.
    #[must_use]
    pub fn tiff_format(self) -> u16 {
        self.row().2
    }

    /// Size of one value in bytes.
    #[must_use]
    pub fn size(self) -> usize {
        usize::from(self.row().3)
    }

    /// Whether the type is IEEE floating point.
    #[must_use]
    pub fn is_float(self) -> bool {
        self.tiff_format() == 3
    }

    fn row(self) -> &'static (Self, &'static str, u16, u16) {
        &NAMES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::{NAMES, SampleType};

    #[test]
    fn rows_stand_in_the_order_of_the_variants() {
        for (index, row) in NAMES.iter().enumerate() {
            assert_eq!(row.0 as usize, index);
            assert_eq!(SampleType::from_name(row.1).ok(), Some(row.0));
            assert_eq!(SampleType::from_tiff(row.2, row.3), Some(row.0));
        }
        assert!(SampleType::from_name("complex64").is_err());
    }
}
