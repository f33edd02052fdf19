//! The pairing index against written-out answers and a slow search over all tiles.
#![allow(missing_docs, clippy::unwrap_used)]

use gair_core::pairing::{
    Affine, Choice, Fate, Located, NO_DATE, TileFinder, TileShape, TileSystem,
};
use gair_core::projection::{Geographic, Projection, TransverseMercator};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A flat Earth: 8,192 m a degree, a power of two so that both ways are exact.
struct Flat;

const METRES: f64 = 8192.0;

impl Projection for Flat {
    fn forward(&self, lon: f64, lat: f64) -> (f64, f64) {
        (lon * METRES, lat * METRES)
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        (x / METRES, y / METRES)
    }
}

fn find(finder: &TileFinder, points: &[[f64; 2]]) -> Located {
    finder.locate(points, &AtomicBool::new(false)).unwrap()
}

/// Finds tiles by metres on the flat Earth.
struct Index(TileFinder);

impl Index {
    fn locate(&self, xs: &[f64], ys: &[f64]) -> Located {
        let points: Vec<[f64; 2]> = xs
            .iter()
            .zip(ys)
            .map(|(x, y)| [x / METRES, y / METRES])
            .collect();
        find(&self.0, &points)
    }
}

fn tile(transform: [f64; 6], size: [u32; 2], scene: u32) -> TileShape {
    TileShape {
        affine: Affine::new(transform).unwrap(),
        size,
        scene,
    }
}

fn system(projection: impl Projection + Send + 'static, tiles: &[TileShape]) -> TileSystem {
    TileSystem {
        projection: Arc::new(projection),
        geographic: false,
        tiles: (0..).zip(tiles.iter().copied()).collect(),
    }
}

fn index(tiles: &[TileShape]) -> Index {
    Index(TileFinder::new(vec![system(Flat, tiles)]).unwrap())
}

/// Rows x columns of 96-px tiles at 10 m, `stride` pixels apart, north-up from (0, 10,000).
fn grid(rows: u32, cols: u32, stride: u32) -> Vec<TileShape> {
    let at = |row: u32, col: u32| {
        let (x, y) = (
            f64::from(col * stride) * 10.0,
            10_000.0 - f64::from(row * stride) * 10.0,
        );
        tile([10.0, 0.0, x, 0.0, -10.0, y], [96, 96], 0)
    };
    (0..rows)
        .flat_map(|row| (0..cols).map(move |col| at(row, col)))
        .collect()
}

fn holds(tile: &TileShape, x: f64, y: f64) -> bool {
    let (col, row) = tile.affine.invert(x, y);
    let [width, height] = tile.size.map(f64::from);
    col >= 0.0 && col < width && row >= 0.0 && row < height
}

fn centre_distance(tile: &TileShape, x: f64, y: f64) -> f64 {
    let [width, height] = tile.size.map(f64::from);
    let (cx, cy) = tile.affine.apply(width / 2.0, height / 2.0);
    (cx - x).hypot(cy - y)
}

fn brute_force(tiles: &[TileShape], x: f64, y: f64) -> (i64, f64) {
    let holding = (0_i64..).zip(tiles).filter(|(_, tile)| holds(tile, x, y));
    holding.fold((-1, f64::INFINITY), |best, (number, tile)| {
        let distance = centre_distance(tile, x, y);
        if distance < best.1 {
            (number, distance)
        } else {
            best
        }
    })
}

#[test]
fn a_grid_is_one_lattice() {
    assert_eq!(index(&grid(5, 7, 96)).0.lattice_count(), 1);
    assert_eq!(index(&grid(5, 7, 48)).0.lattice_count(), 1);
}

#[test]
fn position_follows_columns_and_rows() {
    let located = index(&grid(2, 2, 96)).locate(&[1200.0], &[9_760.0]);
    assert_eq!(located.tile, [1]);
    let [x, y] = located.xy[0];
    assert!((x + 0.5).abs() < 1e-12 && (y + 0.5).abs() < 1e-12);
}

#[test]
fn photo_on_shared_edge_belongs_to_the_right_and_lower_tile() {
    let located =
        index(&grid(2, 2, 96)).locate(&[960.0, 100.0, 960.0], &[9_999.0, 9_040.0, 9_040.0]);
    assert_eq!(located.tile, [1, 2, 3]);
}

#[test]
fn photo_on_an_outer_edge_is_inside() {
    let located =
        index(&grid(1, 1, 96)).locate(&[960.0, 0.0, 960.1], &[9_040.0, 10_000.0, 9_500.0]);
    assert_eq!(located.tile, [0, 0, -1]);
    assert!(located.xy[0].map(f64::to_bits) == [1.0_f64.to_bits(); 2]);
    assert!(located.xy[2][0].is_nan() && located.edge_m[2].is_nan());
}

#[test]
fn overlapping_tiles_give_the_nearest_centre() {
    // Centres at x = 480 and 960; 700 is nearer to the first, 740 to the second.
    let located = index(&grid(1, 2, 48)).locate(&[700.0, 740.0], &[9_520.0, 9_520.0]);
    assert_eq!(located.tile, [0, 1]);
}

#[test]
fn south_up_and_rotated_tiles_need_no_special_case() {
    let south_up = tile([10.0, 0.0, 0.0, 0.0, 10.0, 0.0], [100, 100], 0);
    let rotated = tile([0.0, -10.0, 5_000.0, 10.0, 0.0, 0.0], [100, 100], 1);
    let located = index(&[south_up, rotated]).locate(&[250.0, 4_750.0], &[100.0, 100.0]);
    assert_eq!(located.tile, [0, 1]);
    let [first, second] = [located.xy[0], located.xy[1]];
    assert!((first[0] + 0.5).abs() < 1e-12 && (first[1] + 0.8).abs() < 1e-12);
    assert!((second[0] + 0.8).abs() < 1e-12 && (second[1] + 0.5).abs() < 1e-12);
}

#[test]
fn a_tile_added_twice_is_found_once() {
    let twice = [grid(1, 1, 96)[0], grid(1, 1, 96)[0]];
    assert_eq!(index(&twice).locate(&[5.0], &[9_900.0]).tile, [0]);
}

#[test]
fn an_empty_index_holds_nothing() {
    assert_eq!(
        index(&[]).locate(&[0.0, f64::NAN], &[0.0, 0.0]).tile,
        [-1, -1]
    );
}

fn geographic(tiles: &[TileShape]) -> TileFinder {
    let system = TileSystem {
        geographic: true,
        ..system(Geographic, tiles)
    };
    TileFinder::new(vec![system]).unwrap()
}

#[test]
fn edges_are_measured_on_the_ground() {
    let degrees = geographic(&[tile([0.001, 0.0, 10.0, 0.0, -0.001, 60.05], [100, 100], 0)]);
    let located = find(&degrees, &[[10.01, 60.0]]);
    assert!((located.edge_m[0] - 558.0).abs() < 0.1); // 0.01 degree at 60 north

    let zone = TransverseMercator::utm(33, true).unwrap();
    let square = tile(
        [10.0, 0.0, 499_500.0, 0.0, -10.0, 5_000_500.0],
        [100, 100],
        0,
    );
    let (lon, lat) = zone.inverse(499_600.0, 5_000_000.0);
    let finder = TileFinder::new(vec![system(zone, &[square])]).unwrap();
    let located = find(&finder, &[[lon, lat]]);
    assert!((located.edge_m[0] - 100.0 / 0.9996).abs() < 1e-4);
}

#[test]
fn longitudes_go_on_behind_the_antimeridian() {
    // 170 to 190 degrees, and the same ground as -190 to -170
    let east = geographic(&[tile([0.2, 0.0, 170.0, 0.0, -0.2, 10.0], [100, 100], 0)]);
    let west = geographic(&[tile([0.2, 0.0, -190.0, 0.0, -0.2, 10.0], [100, 100], 0)]);
    for finder in [east, west] {
        let points = [
            [175.0, 0.0],
            [-175.0, 0.0],
            [180.0, 0.0],
            [-180.0, 0.0],
            [165.0, 0.0],
        ];
        let located = find(&finder, &points);
        assert_eq!(located.tile, [0, 0, 0, 0, -1]);
        let xs: Vec<f64> = located.xy[..4].iter().map(|xy| xy[0]).collect();
        let wanted = [-0.5, 0.5, 0.0, 0.0];
        assert!(
            xs.iter().zip(wanted).all(|(x, w)| (x - w).abs() < 1e-12),
            "{xs:?}"
        );
    }
}

#[test]
fn tiles_of_two_systems_compete_by_their_centres() {
    // zone 33 reaches over its border at 18 degrees east; the point is nearer to zone 34's centre
    let (here, there) = ([33, 34])
        .map(|zone| TransverseMercator::utm(zone, true).unwrap())
        .into();
    let around = |map: &TransverseMercator, lon: f64| {
        let (x, y) = map.forward(lon, 45.0);
        tile(
            [10.0, 0.0, x - 1000.0, 0.0, -10.0, y + 1000.0],
            [200, 200],
            0,
        )
    };
    let first = system(here, &[around(&here, 18.0)]);
    let mut second = system(there, &[around(&there, 18.008)]);
    second.tiles[0].0 = 1;
    let finder = TileFinder::new(vec![first, second]).unwrap();
    let points = [[18.003, 45.0], [18.005, 45.0], [18.02, 45.0], [17.99, 45.0]];
    assert_eq!(find(&finder, &points).tile, [0, 1, 1, 0]);
    let both = Choice {
        most: 2,
        ..Choice::default()
    };
    let (matches, fates) = finder.choose(&points, None, &both).unwrap();
    assert_eq!(matches.point, [0, 0, 1, 1, 2, 3]);
    assert_eq!(matches.tile, [0, 1, 1, 0, 1, 0]);
    assert_eq!(fates, [Fate::Found; 4]);
}

#[test]
fn a_tile_over_the_pole_holds_places_of_every_longitude() {
    let zone = TransverseMercator::utm(33, true).unwrap();
    let (x, y) = zone.forward(15.0, 90.0);
    let polar = tile(
        [10.0, 0.0, x - 5000.0, 0.0, -10.0, y + 5000.0],
        [1000, 1000],
        0,
    );
    let finder = TileFinder::new(vec![system(zone, &[polar])]).unwrap();
    let points: Vec<[f64; 2]> = (-18..18).map(|k| [f64::from(k) * 10.0, 89.96]).collect();
    assert!(find(&finder, &points).tile.iter().all(|tile| *tile == 0));
    assert_eq!(find(&finder, &[[0.0, 89.9], [0.0, -90.0]]).tile, [-1, -1]);
}

#[test]
fn dates_choose_between_tiles_of_the_same_place() {
    let finder = TileFinder::new(vec![system(Flat, &[grid(1, 1, 96)[0], grid(1, 1, 96)[0]])]);
    let choice = Choice {
        days: Some(3.0),
        nearest_date: true,
        tile_dates: vec![0, 864_000_000], // ten days apart
        ..Choice::default()
    };
    let day = 86_400_000;
    let points = [[480.0 / METRES, 9_600.0 / METRES]; 5];
    let dates = [day, 8 * day, 5 * day, NO_DATE, -4 * day];
    let (matches, fates) = finder
        .unwrap()
        .choose(&points, Some(&dates), &choice)
        .unwrap();
    assert_eq!((matches.point, matches.tile), (vec![0, 1], vec![0, 1]));
    let wanted = [
        Fate::Found,
        Fate::Found,
        Fate::OtherTime,
        Fate::NoDate,
        Fate::OtherTime,
    ];
    assert_eq!(fates, wanted);
}

#[test]
fn answers_do_not_depend_on_the_number_of_threads() {
    let index = index(&grid(10, 10, 48));
    let xs: Vec<f64> = (0..20_000).map(|k| f64::from(k * 7 % 6_000)).collect();
    let ys: Vec<f64> = (0..20_000)
        .map(|k| 10_000.0 - f64::from(k * 11 % 6_000))
        .collect();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| index.locate(&xs, &ys)).tile
    };
    assert_eq!(with(1), with(4));
}

#[test]
fn tiles_without_pixels_or_with_the_same_number_are_refused() {
    let empty = tile([1.0, 0.0, 0.0, 0.0, -1.0, 0.0], [0, 5], 0);
    assert!(TileFinder::new(vec![system(Flat, &[empty])]).is_err());
    let one = grid(1, 1, 96);
    assert!(TileFinder::new(vec![system(Flat, &one), system(Flat, &one)]).is_err());
}

proptest! {
    #[test]
    fn lattice_and_tree_agree_with_a_search_over_all_tiles(
        stride in prop::sample::select(vec![96_u32, 48, 32, 130]),
        scenes in 1_u32..14,
        points in prop::collection::vec((-500.0..9_000.0_f64, 500.0..10_500.0_f64), 50),
    ) {
        let mut tiles = Vec::new();
        for scene in 0..scenes {
            let shift = f64::from(scene) * 313.7;
            tiles.extend(grid(3, 4, stride).into_iter().map(|t| {
                let affine = t.affine.moved(shift, shift / 2.0);
                TileShape { affine, scene, ..t }
            }));
        }
        let (xs, ys): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
        let located = index(&tiles).locate(&xs, &ys);
        for k in 0..xs.len() {
            let (wanted, distance) = brute_force(&tiles, xs[k], ys[k]);
            let found = located.tile[k];
            // the ground is not quite square there: centres a hundredth apart may change places
            let near = found == wanted || (found >= 0 && {
                let tile = &tiles[usize::try_from(found).unwrap()];
                holds(tile, xs[k], ys[k]) && centre_distance(tile, xs[k], ys[k]) < 1.01 * distance
            });
            prop_assert!(near, "{found} for {wanted}");
        }
    }
}
