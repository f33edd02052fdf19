//! Photos of one sequence that stand too close to one that was kept.
use std::collections::HashMap;

/// Mean radius of the Earth (IUGG), metres.
const RADIUS_M: f64 = 6_371_008.8;

/// Keeps, in the order of the rows, every photo that is far enough from all kept ones of its
/// sequence; distances are chords of the mean sphere, at most 0.6 % off.
#[derive(Debug)]
pub(crate) struct Thinning {
    least_m: f64,
    kept: HashMap<Cell, Vec<[f64; 3]>>,
    sequences: HashMap<String, u64>,
}

/// A sequence, and a cube of space with the least distance for its edge.
type Cell = (u64, [i64; 3]);

impl Thinning {
    pub(crate) fn new(least_m: f64) -> Self {
        Self {
            least_m,
            kept: HashMap::new(),
            sequences: HashMap::new(),
        }
    }

    /// Whether a photo is kept; then later ones are compared with it.
    #[allow(clippy::cast_possible_truncation)] // cubes of the Earth's size over the distance
    pub(crate) fn keeps(&mut self, sequence: &str, [lon, lat]: [f64; 2]) -> bool {
        if self.least_m <= 0.0 {
            return true;
        }
        let (sin_lon, cos_lon) = lon.to_radians().sin_cos();
        let (sin_lat, cos_lat) = lat.to_radians().sin_cos();
        let place = [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat].map(|v| v * RADIUS_M);
        let number = self.number(sequence);
        let cube = place.map(|v| (v / self.least_m).floor() as i64);
        for at in neighbours(cube) {
            let near = self.kept.get(&(number, at));
            if near.is_some_and(|kept| kept.iter().any(|other| self.close(place, *other))) {
                return false;
            }
        }
        self.kept.entry((number, cube)).or_default().push(place);
        true
    }

    fn number(&mut self, sequence: &str) -> u64 {
        if let Some(number) = self.sequences.get(sequence) {
            return *number;
        }
        let number = self.sequences.len() as u64;
        self.sequences.insert(sequence.to_owned(), number);
        number
    }

    fn close(&self, a: [f64; 3], b: [f64; 3]) -> bool {
        let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
        square < self.least_m * self.least_m
    }
}

fn neighbours([x, y, z]: [i64; 3]) -> impl Iterator<Item = [i64; 3]> {
    let around = |v: i64| v - 1..=v + 1;
    around(x).flat_map(move |x| around(y).flat_map(move |y| around(z).map(move |z| [x, y, z])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Degrees of latitude of some metres on the mean sphere.
    fn north(metres: f64) -> [f64; 2] {
        [13.0, 52.0 + (metres / RADIUS_M).to_degrees()]
    }

    #[test]
    fn photos_are_compared_with_kept_ones_of_their_sequence_only() {
        let mut thinning = Thinning::new(5.0);
        let steps = [
            (0.0, true),
            (3.0, false),
            (5.1, true),
            (6.0, false),
            (20.0, true),
            (0.1, false),
        ];
        for (metres, kept) in steps {
            assert_eq!(thinning.keeps("a", north(metres)), kept, "{metres}");
        }
        assert!(thinning.keeps("b", north(0.0)));
    }
}
