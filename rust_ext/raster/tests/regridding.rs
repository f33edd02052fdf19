//! Grids in other coordinate systems, at the edges of the world too.
#![allow(missing_docs, clippy::unwrap_used, clippy::float_cmp)]

use gair_core::shard::SampleType;
use gair_raster::{
    Frame, Grid, Kernel, Placement, Scratch, Source, Target, Values, Window, bounds_in, suggest,
};

fn grid(crs: &str, transform: [f64; 6], width: usize, height: usize) -> Grid {
    Grid {
        crs: crs.to_owned(),
        transform,
        width,
        height,
    }
}

/// A Sentinel-2 tile of 10 m in zone 33, by its first corner.
fn scene(west: f64, north: f64) -> Grid {
    let transform = [10.0, 0.0, west, 0.0, -10.0, north];
    grid("EPSG:32633", transform, 10_980, 10_980)
}

/// Zone 60 across the antimeridian: longitudes 179.0 to 181.8, its middle beyond 180.
fn fiji() -> Grid {
    let transform = [300.0, 0.0, 710_000.0, 0.0, -300.0, 8_200_000.0];
    grid("EPSG:32760", transform, 1000, 500)
}

/// The Arctic, the pole in its middle.
fn arctic() -> Grid {
    let transform = [10_000.0, 0.0, -2_000_000.0, 0.0, -10_000.0, 2_000_000.0];
    grid("EPSG:3413", transform, 400, 400)
}

fn world() -> Grid {
    grid("EPSG:4326", [0.5, 0.0, -180.0, 0.0, -0.5, 90.0], 720, 360)
}

fn near(got: [f64; 4], wanted: [f64; 4], apart: f64) {
    for (got, wanted) in got.iter().zip(wanted) {
        assert!((got - wanted).abs() < apart, "{got} is not {wanted}");
    }
}

/// Share of a target that a source of ones makes valid.
fn covered(source: &Grid, target: &Grid, kernel: Kernel) -> f64 {
    let frame = Frame {
        col: 0,
        row: 0,
        width: target.width,
        height: target.height,
    };
    let pixels = vec![1; source.width * source.height];
    let given = Source {
        window: Window {
            col: 0,
            row: 0,
            width: source.width,
            height: source.height,
        },
        pixels: &pixels,
        valid: None,
    };
    let values = Values {
        sample: SampleType::UInt8,
        nodata: Some(0.0),
        fill: None,
    };
    let mut out = vec![0; frame.width * frame.height];
    let mut valid = out.clone();
    let mut made = Target {
        window: frame,
        pixels: &mut out,
        valid: &mut valid,
    };
    let placement = Placement::between(source, target).unwrap();
    let mut scratch = Scratch::default();
    placement
        .resample(kernel, &values, &given, &mut made, &mut scratch)
        .unwrap();
    assert_eq!(out, valid);
    let ones: u32 = valid.iter().map(|flag| u32::from(*flag)).sum();
    f64::from(ones) / f64::from(u32::try_from(valid.len()).unwrap())
}

#[test]
fn a_suggested_grid_is_north_up_square_and_aligned() {
    let made = suggest(&scene(600_000.0, 5_000_040.0), "EPSG:32632", None).unwrap();
    let [a, b, west, d, e, north] = made.transform;
    assert_eq!((a, b, d, e), (10.0, 0.0, 0.0, -10.0));
    for edge in [west, north] {
        assert_eq!(edge % 10.0, 0.0);
    }
    assert_eq!(made.crs, "EPSG:32632");
    let made = suggest(&scene(600_000.0, 5_000_040.0), "EPSG:4326", None).unwrap();
    let ratio = made.transform[0] / 0.000_108_672; // GDAL's, from one of the two diagonals
    assert!((0.98..1.02).contains(&ratio), "{ratio}");
}

#[test]
fn a_resolution_asked_for_is_kept() {
    let made = suggest(&scene(600_000.0, 5_000_040.0), "EPSG:32633", Some(60.0)).unwrap();
    assert_eq!(
        made.transform,
        [60.0, 0.0, 600_000.0, 0.0, -60.0, 5_000_040.0]
    );
    assert_eq!((made.width, made.height), (1830, 1830));
    let made = suggest(&scene(600_000.0, 5_000_040.0), "EPSG:4326", Some(0.01)).unwrap();
    assert_eq!((made.transform[0], made.transform[4]), (0.01, -0.01));
}

#[test]
fn a_grid_of_that_system_already_is_kept() {
    let source = grid("EPSG:4326", [0.2, 0.0, 5.05, 0.0, -0.1, 50.0], 10, 20);
    assert_eq!(suggest(&source, "EPSG:4326", None).unwrap(), source);
    let mut south_up = source;
    south_up.transform = [0.2, 0.0, 5.05, 0.0, 0.1, 48.0];
    let made = suggest(&south_up, "EPSG:4326", None).unwrap();
    assert!(made.transform[4] < 0.0);
}

#[test]
fn the_curved_edges_of_a_scene_are_within_its_bounds() {
    let bounds = bounds_in(&scene(600_000.0, 5_000_040.0), "EPSG:4326").unwrap();
    // from PROJ, 10,001 points a side
    near(
        bounds,
        [16.250_616_92, 44.135_250_72, 17.667_621_08, 45.146_752_86],
        1e-6,
    );
}

#[test]
fn bounds_run_on_across_the_antimeridian() {
    let [west, _, east, _] = bounds_in(&fiji(), "EPSG:4326").unwrap();
    assert!((-181.1..-181.0).contains(&west), "{west}");
    assert!((-178.2..-178.1).contains(&east), "{east}");
}

#[test]
fn a_raster_with_a_pole_has_all_longitudes() {
    let [west, south, east, north] = bounds_in(&arctic(), "EPSG:4326").unwrap();
    assert_eq!((west, east, north), (-180.0, 180.0, 90.0));
    assert!((63.0..65.0).contains(&south), "{south}");
}

#[test]
fn a_raster_across_the_antimeridian_is_whole_in_degrees() {
    let target = suggest(&fiji(), "EPSG:4326", None).unwrap();
    assert!(target.width < 2000, "{} columns", target.width);
    for kernel in [Kernel::Nearest, Kernel::Bilinear] {
        let share = covered(&fiji(), &target, kernel);
        assert!(share > 0.95, "{share}");
    }
}

#[test]
fn degrees_beyond_180_meet_those_below() {
    let transform = [0.004, 0.0, 178.5, 0.0, -0.004, -16.0];
    let source = grid("EPSG:4326", transform, 1000, 500);
    let target = grid(
        "EPSG:32701",
        [500.0, 0.0, 150_000.0, 0.0, -500.0, 8_200_000.0],
        160,
        200,
    );
    let share = covered(&source, &target, Kernel::Bilinear);
    assert!(share > 0.99, "{share}");
}

#[test]
fn poles_are_reached_from_every_side() {
    let share = covered(&world(), &arctic(), Kernel::Bilinear);
    assert!(share > 0.98, "{share}");
    let target = grid("EPSG:4326", [1.0, 0.0, -180.0, 0.0, -0.25, 90.0], 360, 100);
    let share = covered(&arctic(), &target, Kernel::Nearest);
    assert!(share > 0.75, "{share}");
}

#[test]
fn points_that_cannot_be_transformed_are_nodata() {
    // half of this square lies off the globe
    let orthographic = "+proj=ortho +lat_0=40 +lon_0=10 +datum=WGS84";
    let transform = [50_000.0, 0.0, -9_000_000.0, 0.0, -50_000.0, 9_000_000.0];
    let target = grid(orthographic, transform, 360, 360);
    for kernel in [Kernel::Nearest, Kernel::Cubic, Kernel::Average] {
        let share = covered(&world(), &target, kernel);
        let disc = std::f64::consts::PI * 6_378_137.0_f64.powi(2) / 18e6_f64.powi(2);
        assert!((share - disc).abs() < 0.01, "{share} is not {disc}");
    }
    let mercator = suggest(&world(), "EPSG:3857", None);
    assert!(mercator.is_ok());
}

#[test]
fn what_cannot_be_done_says_why() {
    let scene = scene(600_000.0, 5_000_040.0);
    let message = |crs: &str, resolution| suggest(&scene, crs, resolution).unwrap_err().to_string();
    assert!(message("EPSG:999999", None).contains("EPSG:999999 is not a known CRS"));
    assert!(message("EPSG:4326", Some(0.0)).contains("no size of a pixel"));
    assert!(message("EPSG:4326", Some(1e-12)).contains("columns or rows"));
    let flat = grid("EPSG:32633", [10.0, 10.0, 0.0, 10.0, 10.0, 0.0], 9, 9);
    let error = Placement::between(&flat, &scene).unwrap_err().to_string();
    assert!(error.contains("no area"), "{error}");
}
