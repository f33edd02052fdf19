//! Radiometric offsets of products: valid values move, and what "no data" is stays apart.
use gair_core::shard::SampleType;

/// Adds `offset` to the values whose flag is not 0.
///
/// Integers are rounded, kept inside their type, and at least 1, since 0 stays "no data". A sum
/// that would be `avoid`, the tiles' own mark of "no data", moves by one step.
pub(crate) fn add_offset(
    sample: SampleType,
    plane: &mut [u8],
    (offset, avoid): (f64, Option<&[u8]>),
    valid: &[u8],
) {
    match sample {
        SampleType::UInt8 => whole::<u8, 1>(plane, (offset, avoid), valid),
        SampleType::UInt16 => whole::<u16, 2>(plane, (offset, avoid), valid),
        SampleType::UInt32 => whole::<u32, 4>(plane, (offset, avoid), valid),
        SampleType::UInt64 => whole::<u64, 8>(plane, (offset, avoid), valid),
        SampleType::Int8 => whole::<i8, 1>(plane, (offset, avoid), valid),
        SampleType::Int16 => whole::<i16, 2>(plane, (offset, avoid), valid),
        SampleType::Int32 => whole::<i32, 4>(plane, (offset, avoid), valid),
        SampleType::Int64 => whole::<i64, 8>(plane, (offset, avoid), valid),
        #[allow(clippy::cast_possible_truncation)] // sums of floats are floats of their own size
        SampleType::Float32 => {
            let avoid = bytes(avoid).map(f32::from_le_bytes);
            each(plane, valid, |cell| {
                let sum = (f64::from(f32::from_le_bytes(cell)) + offset) as f32;
                let sum = if Some(sum) == avoid {
                    sum.next_up()
                } else {
                    sum
                };
                sum.to_le_bytes()
            });
        }
        SampleType::Float64 => {
            let avoid = bytes(avoid).map(f64::from_le_bytes);
            each(plane, valid, |cell| {
                let sum = f64::from_le_bytes(cell) + offset;
                let sum = if Some(sum) == avoid {
                    sum.next_up()
                } else {
                    sum
                };
                sum.to_le_bytes()
            });
        }
    }
}

fn bytes<const N: usize>(value: Option<&[u8]>) -> Option<[u8; N]> {
    value?.try_into().ok()
}

/// An integer type of at most 64 bits.
trait Whole<const N: usize>: Copy {
    fn from_bytes(cell: [u8; N]) -> Self;
    fn moved(self, offset: i128) -> Self;
    fn bytes(self) -> [u8; N];
    /// The next value below, or the second above 0.
    fn beside(self) -> Self;
}

macro_rules! whole {
    ($($kind:ty, $size:literal);*) => {$(
        impl Whole<$size> for $kind {
            fn from_bytes(cell: [u8; $size]) -> Self {
                Self::from_le_bytes(cell)
            }
            fn moved(self, offset: i128) -> Self {
                let sum = i128::from(self).saturating_add(offset).max(1);
                Self::try_from(sum).unwrap_or(Self::MAX)
            }
            fn bytes(self) -> [u8; $size] {
                self.to_le_bytes()
            }
            fn beside(self) -> Self {
                if self > 1 { self - 1 } else { 2 }
            }
        }
    )*};
}

whole!(u8, 1; u16, 2; u32, 4; u64, 8; i8, 1; i16, 2; i32, 4; i64, 8);

fn whole<T: Whole<N>, const N: usize>(
    plane: &mut [u8],
    (offset, avoid): (f64, Option<&[u8]>),
    valid: &[u8],
) {
    #[allow(clippy::cast_possible_truncation)] // a float cast saturates
    let offset = offset.round() as i128;
    let avoid = bytes::<N>(avoid);
    each(plane, valid, |cell| {
        let sum = T::from_bytes(cell).moved(offset);
        if Some(sum.bytes()) == avoid {
            sum.beside().bytes()
        } else {
            sum.bytes()
        }
    });
}

fn each<const N: usize>(plane: &mut [u8], valid: &[u8], change: impl Fn([u8; N]) -> [u8; N]) {
    for (cell, flag) in plane.as_chunks_mut::<N>().0.iter_mut().zip(valid) {
        if *flag != 0 {
            *cell = change(*cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::add_offset;
    use gair_core::shard::SampleType;

    fn moved(values: &[u16], offset: f64, avoid: u16, valid: &[u8]) -> Vec<u16> {
        let (sample, avoid) = (SampleType::UInt16, avoid.to_le_bytes());
        let avoid = Some(&avoid[..]);
        let mut plane: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        add_offset(sample, &mut plane, (offset, avoid), valid);
        plane
            .chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
            .collect()
    }

    #[test]
    fn valid_values_move_and_stay_apart_from_nodata() {
        let values = [0, 5, 1000, 1001, 5000];
        let found = moved(&values, -1000.0, 0, &[0, 1, 1, 1, 1]);
        assert_eq!(found, [0, 1, 1, 1, 4000]);
        assert_eq!(moved(&[65_000], 1000.0, 0, &[1]), [u16::MAX]);
    }

    #[test]
    fn no_valid_value_becomes_the_tiles_own_mark() {
        assert_eq!(
            moved(&[65_535, 65_000], 1000.0, u16::MAX, &[0, 1]),
            [65_535, 65_534]
        );
        assert_eq!(moved(&[3, 1100], -1000.0, 1, &[1, 1]), [2, 100]);
        let mut plane = 1000.0_f32.to_le_bytes();
        let zero = 0.0_f32.to_le_bytes();
        add_offset(
            SampleType::Float32,
            &mut plane,
            (-1000.0, Some(&zero)),
            &[1],
        );
        assert!(f32::from_le_bytes(plane) > 0.0);
    }

    #[test]
    fn floats_move_by_fractions() {
        let mut plane = 1.5_f32.to_le_bytes();
        add_offset(SampleType::Float32, &mut plane, (-2.0, None), &[1]);
        assert_eq!(plane, (-0.5_f32).to_le_bytes());
    }
}
