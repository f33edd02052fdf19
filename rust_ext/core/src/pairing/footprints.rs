//! How near tiles come to each other on the ground, for splits that must not share any.
use rayon::prelude::*;

const SEMI_MAJOR_M: f64 = 6_378_137.0;
const ECCENTRICITY_2: f64 = 0.006_694_379_990_141_317;
/// Tiles whose edges meet share no ground: overlaps below this share of a tile are rounding.
const TOUCH_SHARE: f64 = 1e-6;
/// Cells are a little larger than what they must reach, for rounding.
const ROOM: f64 = 1.01;
const LEAST_CELL_M: f64 = 50.0;
/// Bits of a cell's number along one axis.
const BITS: u32 = 20;

/// One tile on the ground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Footprint {
    /// Number of its CRS: tiles of one are compared exactly in it.
    pub crs: u32,
    /// Least x, least y, greatest x, greatest y in the CRS.
    pub area: [f64; 4],
    /// Longitude and latitude of the centre in degrees.
    pub centre: [f64; 2],
    /// Half its width and height in metres.
    pub half_m: [f64; 2],
}

/// Metres between two footprints; negative where they overlap.
#[must_use]
pub fn gap_m(a: &Footprint, b: &Footprint) -> f64 {
    let gaps = if a.crs == b.crs {
        along(|k| {
            let units = a.area[k].max(b.area[k]) - a.area[k + 2].min(b.area[k + 2]);
            units * 2.0 * a.half_m[k] / (a.area[k + 2] - a.area[k])
        })
    } else {
        let turn = (b.centre[0] - a.centre[0] + 180.0).rem_euclid(360.0) - 180.0;
        let degrees = [turn, b.centre[1] - a.centre[1]];
        let metres = metres_a_degree(f64::midpoint(a.centre[1], b.centre[1]));
        along(|k| (degrees[k] * metres[k]).abs() - a.half_m[k] - b.half_m[k])
    };
    let [x, y] = along(|k| {
        let touch = TOUCH_SHARE * (a.half_m[k] + b.half_m[k]);
        if gaps[k].abs() < touch { 0.0 } else { gaps[k] }
    });
    let beside = x.max(0.0).hypot(y.max(0.0));
    if beside > 0.0 { beside } else { x.max(y) }
}

fn along(value: impl Fn(usize) -> f64) -> [f64; 2] {
    [value(0), value(1)]
}

/// Ground length of a degree of longitude and of latitude on WGS84.
fn metres_a_degree(lat: f64) -> [f64; 2] {
    let (sin, cos) = lat.to_radians().sin_cos();
    let w2 = 1.0 - ECCENTRICITY_2 * sin * sin;
    let normal = SEMI_MAJOR_M / w2.sqrt();
    let degree = 1.0_f64.to_radians();
    [
        degree * normal * cos.abs(),
        degree * normal * (1.0 - ECCENTRICITY_2) / w2,
    ]
}

/// Tells which of `some` tiles come closer than `buffer_m` to any of `others`, or overlap one.
#[must_use]
pub fn too_close(some: &[Footprint], others: &[Footprint], buffer_m: f64) -> Vec<bool> {
    let half = |tiles: &[Footprint]| {
        let halves = tiles
            .iter()
            .map(|tile| tile.half_m[0].hypot(tile.half_m[1]));
        halves.fold(0.0, f64::max)
    };
    let cells = Cells::new(others, half(some) + half(others) + buffer_m.max(0.0));
    some.par_iter()
        .map(|tile| cells.any_near(tile, |other| gap_m(tile, other) < buffer_m))
        .collect()
}

/// Tiles by the cube of space that their centre lies in, in the order of the cubes' numbers.
struct Cells<'a> {
    edge: f64,
    tiles: Vec<(u64, &'a Footprint)>,
}

impl<'a> Cells<'a> {
    fn new(tiles: &'a [Footprint], reach_m: f64) -> Self {
        let edge = (reach_m * ROOM).max(LEAST_CELL_M);
        let cube = |tile: &'a Footprint| (number(cell_of(tile, edge)), tile);
        let mut tiles: Vec<_> = tiles.par_iter().map(cube).collect();
        tiles.par_sort_unstable_by_key(|(cell, _)| *cell);
        Self { edge, tiles }
    }

    /// Whether any tile of the cubes around one fulfils a condition.
    fn any_near(&self, tile: &Footprint, holds: impl Fn(&Footprint) -> bool) -> bool {
        let [x, y, z] = cell_of(tile, self.edge);
        (x - 1..=x + 1).any(|x| {
            (y - 1..=y + 1).any(|y| {
                let (low, high) = (number([x, y, z - 1]), number([x, y, z + 1]));
                let start = self.tiles.partition_point(|(cell, _)| *cell < low);
                let near = self.tiles[start..].iter();
                near.take_while(|(cell, _)| *cell <= high)
                    .any(|(_, other)| holds(other))
            })
        })
    }
}

/// The cube of a tile's centre in space, on the WGS84 ellipsoid.
#[allow(clippy::cast_possible_truncation)] // less than 2^19 cubes of 50 m from the Earth's centre
fn cell_of(tile: &Footprint, edge: f64) -> [i64; 3] {
    let ((sin_lon, cos_lon), (sin, cos)) = (
        tile.centre[0].to_radians().sin_cos(),
        tile.centre[1].to_radians().sin_cos(),
    );
    let normal = SEMI_MAJOR_M / (1.0 - ECCENTRICITY_2 * sin * sin).sqrt();
    let metres = [
        normal * cos * cos_lon,
        normal * cos * sin_lon,
        normal * (1.0 - ECCENTRICITY_2) * sin,
    ];
    metres.map(|metre| (metre / edge).floor() as i64)
}

/// One number for a cube; those of neighbours along z follow each other.
fn number(cell: [i64; 3]) -> u64 {
    cell.iter().fold(0, |sum, axis| {
        (sum << BITS) | (axis + (1 << (BITS - 1))).cast_unsigned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tile(crs: u32, x: f64, y: f64, half: f64) -> Footprint {
        Footprint {
            crs,
            area: [x - half, y - half, x + half, y + half],
            centre: [9.0 + x / 68_700.0, 52.0 + y / 111_260.0],
            half_m: [half, half],
        }
    }

    #[test]
    fn tiles_that_meet_are_no_distance_apart_and_corners_are_measured_across() {
        let a = tile(1, 0.0, 0.0, 500.0);
        assert!(gap_m(&a, &tile(1, 1000.0, 0.0, 500.0)).abs() < 1e-9);
        assert!((gap_m(&a, &tile(1, 1300.0, 1400.0, 500.0)) - 500.0).abs() < 1e-9);
        assert!((gap_m(&a, &tile(1, 900.0, 100.0, 500.0)) + 100.0).abs() < 1e-9);
        assert!((gap_m(&a, &tile(2, 1300.0, 1400.0, 500.0)) - 500.0).abs() < 2.0);
    }

    proptest! {
        #[test]
        fn cubes_find_what_every_comparison_finds(
            places in prop::collection::vec(
                (-9e3..9e3_f64, -9e3..9e3_f64, 10.0..900.0_f64, 0..2_u32), 0..80),
            buffer in 0.0..4000.0_f64,
            cut in 0..80_usize,
        ) {
            let tiles: Vec<_> = places.iter().map(|&(x, y, h, crs)| tile(crs, x, y, h)).collect();
            let (some, others) = tiles.split_at(cut.min(tiles.len()));
            let slow: Vec<bool> = some.iter()
                .map(|a| others.iter().any(|b| gap_m(a, b) < buffer)).collect();
            prop_assert_eq!(too_close(some, others, buffer), slow);
        }
    }
}
