//! TIFF predictors, undone and done in place on the little-endian bytes of a block.
use super::sample::SampleType;

/// How a block's values are turned into residuals before compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predictor {
    /// Values as they are (TIFF 1).
    None,
    /// Differences along a row (TIFF 2).
    Horizontal,
    /// Bytes of a row regrouped by significance, then differences (TIFF 3, Adobe note 3).
    FloatingPoint,
}

impl Predictor {
    /// The predictor this layout uses for a pixel type.
    ///
    /// 64-bit integers have none, since libtiff only knows it from 4.4 on.
    #[must_use]
    pub fn of(sample: SampleType) -> Self {
        match (sample.is_float(), sample.size()) {
            (true, _) => Self::FloatingPoint,
            (false, 8) => Self::None,
            (false, _) => Self::Horizontal,
        }
    }

    /// TIFF's number.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::None => 1,
            Self::Horizontal => 2,
            Self::FloatingPoint => 3,
        }
    }

    /// Finds a predictor by TIFF's number.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        [Self::None, Self::Horizontal, Self::FloatingPoint]
            .into_iter()
            .find(|p| p.code() == code)
    }

    /// Replaces values by residuals; `block` holds whole rows of `width` values of `size` bytes.
    pub fn apply(self, block: &mut [u8], width: usize, size: usize) {
        let mut spare = Vec::new();
        for row in block.chunks_exact_mut((width * size).max(1)) {
            match self {
                Self::None => return,
                Self::Horizontal => difference(row, size),
                Self::FloatingPoint => split_bytes(row, size, &mut spare),
            }
        }
    }

    /// Replaces residuals by values: the inverse of [`Predictor::apply`].
    pub fn undo(self, block: &mut [u8], width: usize, size: usize) {
        let mut spare = Vec::new();
        for row in block.chunks_exact_mut((width * size).max(1)) {
            match self {
                Self::None => return,
                Self::Horizontal => accumulate(row, size),
                Self::FloatingPoint => join_bytes(row, size, &mut spare),
            }
        }
    }
}

macro_rules! sweep {
    ($row:expr, $int:ty, $step:ident) => {{
        let mut last: $int = 0;
        for cell in $row.as_chunks_mut().0 {
            let value = <$int>::from_le_bytes(*cell);
            let out = value.$step(last);
            last = sweep!(@last $step, value, out);
            *cell = out.to_le_bytes();
        }
    }};
    (@last wrapping_sub, $value:expr, $out:expr) => { $value };
    (@last wrapping_add, $value:expr, $out:expr) => { $out };
}

fn difference(row: &mut [u8], size: usize) {
    match size {
        1 => sweep!(row, u8, wrapping_sub),
        2 => sweep!(row, u16, wrapping_sub),
        4 => sweep!(row, u32, wrapping_sub),
        _ => sweep!(row, u64, wrapping_sub),
    }
}

fn accumulate(row: &mut [u8], size: usize) {
    match size {
        1 => sweep!(row, u8, wrapping_add),
        2 => sweep!(row, u16, wrapping_add),
        4 => sweep!(row, u32, wrapping_add),
        _ => sweep!(row, u64, wrapping_add),
    }
}

/// Groups the most significant bytes of all values first, then takes byte differences.
fn split_bytes(row: &mut [u8], size: usize, spare: &mut Vec<u8>) {
    fn split<const N: usize>(values: &[u8], row: &mut [u8]) {
        let values = values.as_chunks::<N>().0;
        for (plane, bytes) in row.chunks_exact_mut(values.len().max(1)).enumerate() {
            for (byte, value) in bytes.iter_mut().zip(values) {
                *byte = value[N - 1 - plane];
            }
        }
    }
    spare.clear();
    spare.extend_from_slice(row);
    match size {
        2 => split::<2>(spare, row),
        4 => split::<4>(spare, row),
        8 => split::<8>(spare, row),
        _ => {}
    }
    difference(row, 1);
}

fn join_bytes(row: &mut [u8], size: usize, spare: &mut Vec<u8>) {
    fn join<const N: usize>(planes: &[u8], row: &mut [u8]) {
        let values = row.as_chunks_mut::<N>().0;
        let width = values.len();
        for (plane, bytes) in planes.chunks_exact(width.max(1)).enumerate() {
            for (value, byte) in values.iter_mut().zip(bytes) {
                value[N - 1 - plane] = *byte;
            }
        }
    }
    accumulate(row, 1);
    spare.clear();
    spare.extend_from_slice(row);
    match size {
        2 => join::<2>(spare, row),
        4 => join::<4>(spare, row),
        8 => join::<8>(spare, row),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Predictor;

    #[test]
    fn differences_wrap_around() {
        let mut row = [250_u8, 4, 3];
        Predictor::Horizontal.apply(&mut row, 3, 1);
        assert_eq!(row, [250, 10, 255]);
        Predictor::Horizontal.undo(&mut row, 3, 1);
        assert_eq!(row, [250, 4, 3]);
    }

    #[test]
    fn float_bytes_are_grouped_by_significance() {
        let mut row: Vec<u8> = [1.0_f32, -2.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        Predictor::FloatingPoint.apply(&mut row, 2, 4);
        // 3f 80 00 00 and c0 00 00 00: planes 3f c0, 80 00, 00 00, 00 00, then differences
        assert_eq!(row, [0x3f, 0x81, 0xc0, 0x80, 0, 0, 0, 0]);
        Predictor::FloatingPoint.undo(&mut row, 2, 4);
        assert_eq!(row[..4], 1.0_f32.to_le_bytes());
    }

    #[test]
    fn every_predictor_is_undone_for_every_size() {
        for size in [1, 2, 4, 8] {
            for predictor in [
                Predictor::None,
                Predictor::Horizontal,
                Predictor::FloatingPoint,
            ] {
                let bytes: Vec<u8> = (0..=250).cycle().step_by(37).take(15 * size).collect();
                let mut block = bytes.clone();
                predictor.apply(&mut block, 5, size);
                predictor.undo(&mut block, 5, size);
                assert_eq!(block, bytes);
            }
        }
    }
}
