//! The pairing index against written-out answers and a slow search over all tiles.
#![allow(missing_docs, clippy::unwrap_used)]

use gair_core::pairing::{Affine, Metric, TileIndex, TileIndexBuilder, TileShape};
use proptest::prelude::*;

fn tile(transform: [f64; 6], size: [u32; 2], scene: u32) -> TileShape {
    let affine = Affine::new(transform).unwrap();
    TileShape {
        affine,
        size,
        scene,
        metric: Metric::Fixed([1.0, 1.0]),
    }
}

fn index(tiles: &[TileShape]) -> TileIndex {
    let mut builder = TileIndexBuilder::new();
    for tile in tiles {
        builder.add(*tile).unwrap();
    }
    builder.finish()
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

fn brute_force(tiles: &[TileShape], x: f64, y: f64) -> i64 {
    let mut best = (f64::INFINITY, -1);
    for (number, tile) in (0_i64..).zip(tiles) {
        let (col, row) = tile.affine.invert(x, y);
        let [width, height] = tile.size.map(f64::from);
        if col >= 0.0 && col < width && row >= 0.0 && row < height {
            let (cx, cy) = tile.affine.apply(width / 2.0, height / 2.0);
            let distance = (cx - x).hypot(cy - y);
            if distance < best.0 {
                best = (distance, number);
            }
        }
    }
    best.1
}

#[test]
fn a_grid_is_one_lattice() {
    assert_eq!(index(&grid(5, 7, 96)).lattice_count(), 1);
    assert_eq!(index(&grid(5, 7, 48)).lattice_count(), 1);
}

#[test]
fn position_follows_columns_and_rows() {
    let located = index(&grid(2, 2, 96))
        .locate(&[1200.0], &[9_760.0])
        .unwrap();
    assert_eq!(located.tile, [1]);
    assert!((located.x[0] + 0.5).abs() < 1e-12 && (located.y[0] + 0.5).abs() < 1e-12);
    assert!((located.edge_m[0] - 240.0).abs() < 1e-9);
    assert!((located.centre_m[0] - 240.0 * 2.0_f64.sqrt()).abs() < 1e-9);
}

#[test]
fn photo_on_shared_edge_belongs_to_the_right_and_lower_tile() {
    let located =
        index(&grid(2, 2, 96)).locate(&[960.0, 100.0, 960.0], &[9_999.0, 9_040.0, 9_040.0]);
    assert_eq!(located.unwrap().tile, [1, 2, 3]);
}

#[test]
fn photo_on_an_outer_edge_is_inside() {
    let located =
        index(&grid(1, 1, 96)).locate(&[960.0, 0.0, 960.1], &[9_040.0, 10_000.0, 9_500.0]);
    let located = located.unwrap();
    assert_eq!(located.tile, [0, 0, -1]);
    assert_eq!((located.x[0], located.y[0]), (1.0, 1.0));
    assert!(located.x[2].is_nan());
}

#[test]
fn overlapping_tiles_give_the_nearest_centre() {
    // Centres at x = 480 and 960; 700 is nearer to the first, 740 to the second.
    let located = index(&grid(1, 2, 48))
        .locate(&[700.0, 740.0], &[9_520.0, 9_520.0])
        .unwrap();
    assert_eq!(located.tile, [0, 1]);
}

#[test]
fn south_up_and_rotated_tiles_need_no_special_case() {
    let south_up = tile([10.0, 0.0, 0.0, 0.0, 10.0, 0.0], [100, 100], 0);
    let rotated = tile([0.0, -10.0, 5_000.0, 10.0, 0.0, 0.0], [100, 100], 1);
    let located = index(&[south_up, rotated])
        .locate(&[250.0, 4_750.0], &[100.0, 100.0])
        .unwrap();
    assert_eq!(located.tile, [0, 1]);
    assert!((located.x[0] + 0.5).abs() < 1e-12 && (located.y[0] + 0.8).abs() < 1e-12);
    assert!((located.x[1] + 0.8).abs() < 1e-12 && (located.y[1] + 0.5).abs() < 1e-12);
}

#[test]
fn a_tile_added_twice_is_found_once() {
    let twice = [grid(1, 1, 96)[0], grid(1, 1, 96)[0]];
    assert_eq!(index(&twice).locate(&[5.0], &[9_900.0]).unwrap().tile, [0]);
}

#[test]
fn an_empty_index_holds_nothing() {
    assert_eq!(
        index(&[])
            .locate(&[0.0, f64::NAN], &[0.0, 0.0])
            .unwrap()
            .tile,
        [-1, -1]
    );
}

#[test]
fn a_geographic_tile_measures_metres_on_the_ground() {
    let affine = Affine::new([0.001, 0.0, 10.0, 0.0, -0.001, 60.05]).unwrap();
    let shape = TileShape {
        affine,
        size: [100, 100],
        scene: 0,
        metric: Metric::Geographic,
    };
    let located = index(&[shape]).locate(&[10.01], &[60.0]).unwrap();
    assert!(
        (located.edge_m[0] - 558.0).abs() < 0.1,
        "{}",
        located.edge_m[0]
    );
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
        pool.install(|| index.locate(&xs, &ys).unwrap()).tile
    };
    assert_eq!(with(1), with(4));
}

#[test]
fn tiles_without_pixels_are_refused() {
    let mut builder = TileIndexBuilder::new();
    assert!(
        builder
            .add(tile([1.0, 0.0, 0.0, 0.0, -1.0, 0.0], [0, 5], 0))
            .is_err()
    );
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
        let located = index(&tiles).locate(&xs, &ys).unwrap();
        for k in 0..xs.len() {
            prop_assert_eq!(located.tile[k], brute_force(&tiles, xs[k], ys[k]));
        }
    }
}
