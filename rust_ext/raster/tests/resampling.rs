//! Resampling against a slow reference, against PROJ, and against itself in other windows.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss
)] // small numbers
#![allow(
    clippy::many_single_char_names,
    clippy::float_cmp,
    clippy::unwrap_used,
    clippy::too_many_lines
)] // as they are written
use gair_core::shard::SampleType;
use gair_raster::{
    Frame, Grid, Kernel, Placement, Scratch, Source, Target, Values, Window, transform_points,
};
use proptest::prelude::*;

const KERNELS: [Kernel; 4] = [
    Kernel::Nearest,
    Kernel::Bilinear,
    Kernel::Cubic,
    Kernel::Average,
];

const TYPES: [&str; 10] = [
    "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64",
];

fn grid(crs: &str, transform: [f64; 6], width: usize, height: usize) -> Grid {
    Grid {
        crs: crs.to_owned(),
        transform,
        width,
        height,
    }
}

fn utm(pixel: f64, west: f64, north: f64, width: usize, height: usize) -> Grid {
    let transform = [pixel, 0.0, west, 0.0, -pixel, north];
    grid("EPSG:32633", transform, width, height)
}

fn whole(grid: &Grid) -> Frame {
    Frame {
        col: 0,
        row: 0,
        width: grid.width,
        height: grid.height,
    }
}

fn values(sample: &str, nodata: Option<f64>) -> Values {
    Values {
        sample: SampleType::from_name(sample).unwrap(),
        nodata,
        fill: None,
    }
}

fn encode(sample: &str, numbers: &[f64]) -> Vec<u8> {
    let bytes = |number: &f64| match sample {
        "uint8" => (*number as u8).to_le_bytes().to_vec(),
        "uint16" => (*number as u16).to_le_bytes().to_vec(),
        "uint32" => (*number as u32).to_le_bytes().to_vec(),
        "uint64" => (*number as u64).to_le_bytes().to_vec(),
        "int8" => (*number as i8).to_le_bytes().to_vec(),
        "int16" => (*number as i16).to_le_bytes().to_vec(),
        "int32" => (*number as i32).to_le_bytes().to_vec(),
        "int64" => (*number as i64).to_le_bytes().to_vec(),
        "float32" => (*number as f32).to_le_bytes().to_vec(),
        _ => number.to_le_bytes().to_vec(),
    };
    numbers.iter().flat_map(bytes).collect()
}

fn doubles(bytes: &[u8]) -> Vec<f64> {
    let chunks = bytes.as_chunks::<8>().0;
    chunks
        .iter()
        .map(|value| f64::from_le_bytes(*value))
        .collect()
}

fn words(bytes: &[u8]) -> Vec<u16> {
    let chunks = bytes.as_chunks::<2>().0;
    chunks
        .iter()
        .map(|value| u16::from_le_bytes(*value))
        .collect()
}

/// A source raster in memory.
struct Raster {
    grid: Grid,
    values: Values,
    pixels: Vec<u8>,
    valid: Option<Vec<u8>>,
}

impl Raster {
    fn new(grid: Grid, sample: &str, nodata: Option<f64>, numbers: &[f64]) -> Self {
        Self {
            grid,
            values: values(sample, nodata),
            pixels: encode(sample, numbers),
            valid: None,
        }
    }

    fn part(&self, window: Window, size: usize, all: &[u8]) -> Vec<u8> {
        (window.row..window.row + window.height)
            .flat_map(|row| {
                let start = (row * self.grid.width + window.col) * size;
                all[start..start + window.width * size].to_vec()
            })
            .collect()
    }

    /// Resamples one window of the target from no more source pixels than that window asks for.
    fn cut(&self, placement: &Placement, kernel: Kernel, frame: Frame) -> (Vec<u8>, Vec<u8>) {
        let nothing = Window {
            col: 0,
            row: 0,
            width: 0,
            height: 0,
        };
        let window = placement.source_window(frame, kernel).unwrap();
        let window = window.unwrap_or(nothing);
        let size = self.values.sample.size();
        let pixels = self.part(window, size, &self.pixels);
        let flags = self.valid.as_ref().map(|all| self.part(window, 1, all));
        let source = Source {
            window,
            pixels: &pixels,
            valid: flags.as_deref(),
        };
        let mut out = vec![0xaa; frame.width * frame.height * size];
        let mut valid = vec![0xaa; frame.width * frame.height];
        let mut target = Target {
            window: frame,
            pixels: &mut out,
            valid: &mut valid,
        };
        placement
            .resample(
                kernel,
                &self.values,
                &source,
                &mut target,
                &mut Scratch::default(),
            )
            .unwrap();
        (out, valid)
    }

    fn to(&self, target: &Grid, kernel: Kernel) -> (Vec<u8>, Vec<u8>) {
        let placement = Placement::between(&self.grid, target).unwrap();
        self.cut(&placement, kernel, whole(target))
    }
}

/// Numbers that any type holds, without a pattern.
fn noise(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f64 % 120.0
    };
    (0..count).map(|_| next()).collect()
}

/// Pairs of grids: finer, coarser, a part of a pixel, mirrored, rotated, other systems.
fn pairs() -> Vec<(&'static str, Grid, Grid)> {
    let source = utm(20.0, 500_000.0, 5_000_000.0, 61, 47);
    let turned = [8.0, 6.0, 500_100.0, 6.0, -8.0, 4_999_500.0];
    let degrees = [0.00025, 0.0, 15.0, 0.0, -0.0002, 45.1535];
    vec![
        (
            "the same",
            source.clone(),
            utm(20.0, 499_940.0, 5_000_060.0, 70, 50),
        ),
        (
            "twice as fine",
            source.clone(),
            utm(10.0, 500_000.0, 5_000_000.0, 122, 94),
        ),
        (
            "six times as fine",
            source.clone(),
            utm(20.0 / 6.0, 500_100.0, 4_999_900.0, 99, 99),
        ),
        (
            "coarser",
            source.clone(),
            utm(50.0, 499_900.0, 5_000_100.0, 30, 24),
        ),
        (
            "much coarser",
            source.clone(),
            utm(230.0, 499_900.0, 5_000_100.0, 8, 6),
        ),
        (
            "half a pixel on",
            source.clone(),
            utm(20.0, 500_010.0, 4_999_993.0, 61, 47),
        ),
        (
            "south up",
            source.clone(),
            grid(
                "EPSG:32633",
                [12.0, 0.0, 500_000.0, 0.0, 12.0, 4_999_000.0],
                90,
                80,
            ),
        ),
        (
            "rotated",
            source.clone(),
            grid("EPSG:32633", turned, 80, 80),
        ),
        (
            "degrees",
            source.clone(),
            grid("EPSG:4326", degrees, 70, 60),
        ),
        (
            "the next zone",
            source.clone(),
            grid(
                "EPSG:32632",
                [20.0, 0.0, 971_550.0, 0.0, -20.0, 5_017_700.0],
                80,
                80,
            ),
        ),
        (
            "a coarse web map",
            source.clone(),
            grid(
                "EPSG:3857",
                [70.0, 0.0, 1_669_700.0, 0.0, -70.0, 5_645_900.0],
                30,
                40,
            ),
        ),
    ]
}

#[test]
fn every_pair_of_grids_overlaps() {
    for (name, source, target) in pairs() {
        let count = source.width * source.height;
        let raster = Raster::new(source, "uint16", None, &vec![7.0; count]);
        for kernel in KERNELS {
            let (pixels, valid) = raster.to(&target, kernel);
            let share = valid.iter().map(|v| f64::from(*v)).sum::<f64>() / valid.len() as f64;
            assert!(
                share > 0.3,
                "{name} {kernel:?}: {share} of the target is valid"
            );
            for (value, valid) in words(&pixels).iter().zip(&valid) {
                assert_eq!(*value, 7 * u16::from(*valid), "{name} {kernel:?}");
            }
        }
    }
}

#[test]
fn windows_of_one_grid_are_copied_whatever_the_kernel() {
    let source = utm(10.0, 600_000.0, 5_000_000.0, 4, 3);
    let numbers: Vec<f64> = (0..12).map(f64::from).collect();
    let raster = Raster::new(source, "uint16", Some(5.0), &numbers);
    let target = utm(10.0, 599_990.000_4, 4_999_990.0, 3, 3);
    for kernel in KERNELS {
        let (pixels, valid) = raster.to(&target, kernel);
        assert_eq!(words(&pixels), [5, 4, 5, 5, 8, 9, 5, 5, 5]);
        assert_eq!(valid, [0, 1, 0, 0, 1, 1, 0, 0, 0]);
    }
}

#[test]
fn twice_as_fine_means_quarters_and_three_quarters() {
    let source = utm(20.0, 0.0, 40.0, 2, 2);
    let raster = Raster::new(source, "uint16", None, &[0.0, 100.0, 200.0, 300.0]);
    let (pixels, _) = raster.to(&utm(10.0, 0.0, 40.0, 4, 4), Kernel::Bilinear);
    let expected = [
        0, 25, 75, 100, 50, 75, 125, 150, 150, 175, 225, 250, 200, 225, 275, 300,
    ];
    assert_eq!(words(&pixels), expected);
    let (pixels, _) = raster.to(&utm(10.0, 0.0, 40.0, 4, 4), Kernel::Nearest);
    let expected = [0, 0, 100, 100, 0, 0, 100, 100];
    assert_eq!(words(&pixels)[..8], expected);
}

#[test]
fn a_coarser_average_is_the_mean_of_what_it_covers() {
    let source = utm(10.0, 0.0, 20.0, 5, 2);
    let numbers = [1.0, 3.0, 5.0, 9.0, 0.0, 1.0, 3.0, 5.0, 9.0, 0.0];
    let raster = Raster::new(source, "float64", None, &numbers);
    let (pixels, _) = raster.to(&utm(25.0, 0.0, 20.0, 2, 1), Kernel::Average);
    let expected = [(1.0 + 3.0 + 2.5) / 2.5, (2.5 + 9.0 + 0.0) / 2.5];
    for (value, expected) in doubles(&pixels).iter().zip(expected) {
        assert!(
            (value - expected).abs() < 1e-12,
            "{value} is not {expected}"
        );
    }
}

#[test]
fn valid_neighbours_are_renormalised_and_a_pixel_without_any_is_nodata() {
    let source = utm(20.0, 0.0, 20.0, 4, 1);
    let raster = Raster::new(source, "int16", Some(-9.0), &[10.0, -9.0, -9.0, 50.0]);
    let (pixels, valid) = raster.to(&utm(10.0, 0.0, 20.0, 8, 2), Kernel::Bilinear);
    let row: Vec<i16> = words(&pixels)[..8]
        .iter()
        .map(|v| v.cast_signed())
        .collect();
    assert_eq!(row, [10, 10, 10, -9, -9, 50, 50, 50]);
    assert_eq!(valid[8..], [1, 1, 1, 0, 0, 1, 1, 1]);
}

#[test]
fn a_mask_counts_like_nodata_and_the_fill_is_written() {
    let source = utm(20.0, 0.0, 20.0, 2, 1);
    let mut raster = Raster::new(source, "uint8", None, &[10.0, 200.0]);
    raster.valid = Some(vec![0, 255]);
    raster.values.fill = Some(200.0);
    let (pixels, valid) = raster.to(&utm(10.0, 0.0, 20.0, 4, 2), Kernel::Bilinear);
    assert_eq!(pixels[..4], [200, 199, 199, 199]);
    assert_eq!(valid[..4], [0, 1, 1, 1]);
}

#[test]
fn infinite_and_missing_floats_do_not_spread() {
    let source = utm(20.0, 0.0, 20.0, 4, 1);
    let numbers = [f64::INFINITY, 2.0, f64::NAN, 4.0];
    let raster = Raster::new(source, "float64", None, &numbers);
    for kernel in [Kernel::Bilinear, Kernel::Cubic, Kernel::Average] {
        let (pixels, valid) = raster.to(&utm(10.0, 0.0, 20.0, 8, 2), kernel);
        for (value, valid) in doubles(&pixels).iter().zip(valid) {
            assert_eq!(value.is_finite(), valid == 1, "{kernel:?}");
            assert!(
                valid == 0 || (2.0..=4.0).contains(value),
                "{kernel:?}: {value}"
            );
        }
    }
}

#[test]
fn cubic_next_to_a_hole_stays_between_the_values_that_are_left() {
    let source = utm(20.0, 0.0, 60.0, 9, 3);
    let mut numbers = noise(27, 5);
    numbers[12..15].fill(0.0);
    let raster = Raster::new(source, "float64", Some(0.0), &numbers);
    let (pixels, valid) = raster.to(&utm(4.0, 0.0, 60.0, 45, 15), Kernel::Cubic);
    let most = numbers.iter().copied().fold(0.0, f64::max);
    for (value, _) in doubles(&pixels)
        .iter()
        .zip(&valid)
        .filter(|(_, v)| **v == 1)
    {
        assert!(*value > -0.2 * most && *value < 1.2 * most, "{value}");
    }
}

#[test]
fn nearest_keeps_integers_that_no_float_can_hold() {
    let source = utm(20.0, 0.0, 20.0, 2, 1);
    let mut raster = Raster::new(source, "int64", None, &[0.0, 0.0]);
    let (first, second) = (i64::MAX - 1, (1_i64 << 53) + 1);
    raster.pixels = [first.to_le_bytes(), second.to_le_bytes()].concat();
    let turned = grid("EPSG:32633", [0.0, 10.0, 0.0, -10.0, 0.0, 20.0], 2, 4);
    let numbers = |pixels: &[u8]| -> Vec<i64> {
        let chunks = pixels.as_chunks::<8>().0;
        chunks
            .iter()
            .map(|value| i64::from_le_bytes(*value))
            .collect()
    };
    let (pixels, _) = raster.to(&utm(10.0, 0.0, 20.0, 4, 1), Kernel::Nearest);
    assert_eq!(numbers(&pixels), [first, first, second, second]);
    let (pixels, _) = raster.to(&turned, Kernel::Nearest);
    assert_eq!(
        numbers(&pixels),
        [first, first, first, first, second, second, second, second]
    );
}

/// The value of each pixel is its easting; the resampled value must be the target's own.
#[test]
fn positions_are_those_of_proj() {
    for (name, source, target) in pairs() {
        let [pixel, _, west, ..] = source.transform;
        let easting = |index: usize| west + pixel * ((index % source.width) as f64 + 0.5);
        let numbers: Vec<f64> = (0..source.width * source.height).map(easting).collect();
        let system = source.crs.clone();
        let raster = Raster::new(source, "float64", Some(-1.0), &numbers);
        let placement = Placement::between(&raster.grid, &target).unwrap();
        let inner = placement
            .source_window(whole(&target), Kernel::Bilinear)
            .unwrap();
        assert!(inner.is_some(), "{name}");
        let (pixels, valid) = raster.to(&target, Kernel::Bilinear);
        let [a, b, c, d, e, f] = target.transform;
        let centre = |index: usize| {
            let (x, y) = ((index % target.width) as f64, (index / target.width) as f64);
            let (x, y) = (x + 0.5, y + 0.5);
            (a * x + b * y + c, d * x + e * y + f)
        };
        let count = target.width * target.height;
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = (0..count).map(centre).unzip();
        transform_points(&mut x, &mut y, &target.crs, &system).unwrap();
        let (low, high) = (numbers[0], numbers[raster.grid.width - 1]);
        let ratio = (a.hypot(d) / pixel).max(1.0) * pixel;
        for ((value, wanted), _) in doubles(&pixels)
            .iter()
            .zip(x)
            .zip(valid)
            .filter(|(_, v)| *v == 1)
        {
            if wanted > low + ratio && wanted < high - ratio {
                // a widened kernel samples its own triangle coarsely
                let limit = if ratio > 1.1 * pixel { 0.02 } else { 0.001 };
                let apart = (value - wanted).abs() / pixel;
                assert!(apart < limit, "{name}: {apart} pixels from {wanted}");
            }
        }
    }
}

/// A weight function of gdalwarp's documentation, written down a second time.
fn weight(kernel: Kernel, distance: f64) -> f64 {
    let x = distance.abs();
    match kernel {
        Kernel::Bilinear if x < 1.0 => 1.0 - x,
        Kernel::Cubic if x <= 1.0 => 1.5 * x.powi(3) - 2.5 * x.powi(2) + 1.0,
        Kernel::Cubic if x < 2.0 => -0.5 * x.powi(3) + 2.5 * x.powi(2) - 4.0 * x + 2.0,
        _ => 0.0,
    }
}

/// One axis of a slow reference: the weights of all source pixels.
fn slow_weights(kernel: Kernel, at: f64, ratio: f64, length: usize) -> Vec<f64> {
    let wide = ratio.max(1.0);
    (0..length)
        .map(|index| {
            let index = index as f64;
            if kernel == Kernel::Average {
                let covered = (at + ratio / 2.0).min(index + 1.0) - (at - ratio / 2.0).max(index);
                covered.max(0.0)
            } else {
                weight(kernel, (index + 0.5 - at) / wide)
            }
        })
        .collect()
}

#[test]
fn values_are_those_of_the_slow_reference() {
    let names = [
        "twice as fine",
        "coarser",
        "much coarser",
        "half a pixel on",
        "south up",
    ];
    for (name, source, target) in pairs().into_iter().filter(|pair| names.contains(&pair.0)) {
        let mut numbers = noise(source.width * source.height, 3);
        numbers
            .iter_mut()
            .step_by(11)
            .for_each(|value| *value = -1.0);
        let raster = Raster::new(source, "float64", Some(-1.0), &numbers);
        let (s, t) = (raster.grid.transform, target.transform);
        let (across, down) = (t[0] / s[0], t[4] / s[4]);
        for kernel in [Kernel::Bilinear, Kernel::Average] {
            let (pixels, valid) = raster.to(&target, kernel);
            for (index, (value, valid)) in doubles(&pixels).iter().zip(valid).enumerate() {
                let (col, row) = ((index % target.width) as f64, (index / target.width) as f64);
                let x = (col + 0.5) * across + (t[2] - s[2]) / s[0];
                let y = (row + 0.5) * down + (t[5] - s[5]) / s[4];
                let cols = slow_weights(kernel, x, across.abs(), raster.grid.width);
                let rows = slow_weights(kernel, y, down.abs(), raster.grid.height);
                let (mut sum, mut total) = (0.0, 0.0);
                for (at, number) in numbers.iter().enumerate().filter(|(_, n)| **n >= 0.0) {
                    let weight = cols[at % raster.grid.width] * rows[at / raster.grid.width];
                    sum += number * weight;
                    total += weight;
                }
                assert_eq!(valid == 1, total > 1e-6, "{name} {kernel:?} at {index}");
                if valid == 1 {
                    let apart = (value - sum / total).abs();
                    assert!(apart < 1e-9, "{name} {kernel:?}: {apart} at {index}");
                }
            }
        }
    }
}

/// Holes as scenes have them: none, a wedge, dots, everything; as values or as a mask.
fn holes(raster: &mut Raster, numbers: &mut [f64], pattern: usize) {
    let width = raster.grid.width;
    let hole = |index: usize| match pattern % 4 {
        0 => false,
        1 => index % width + index / width < 40,
        2 => index.is_multiple_of(13),
        _ => true,
    };
    for (index, value) in numbers
        .iter_mut()
        .enumerate()
        .filter(|(index, _)| hole(*index))
    {
        if pattern < 4 {
            *value = 3.0;
        } else {
            raster
                .valid
                .get_or_insert_with(|| vec![1; width * raster.grid.height])[index] = 0;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_window_holds_the_bytes_that_the_whole_has_there(
        pair in 0_usize..11,
        kernel in 0_usize..4,
        sample in 0_usize..10,
        pattern in 0_usize..8,
        seed in 1_u64..1000,
        (left, top) in (-40_i64..70, -40_i64..70),
        (width, height) in (1_usize..40, 1_usize..40),
    ) {
        let (name, source, target) = pairs().swap_remove(pair);
        let placement = Placement::between(&source, &target).unwrap();
        let mut numbers = noise(source.width * source.height, seed);
        let mut raster = Raster::new(source, TYPES[sample], Some(3.0), &[]);
        holes(&mut raster, &mut numbers, pattern);
        raster.pixels = encode(TYPES[sample], &numbers);
        let all = Frame { col: -40, row: -40, width: 150, height: 150 };
        let (pixels, valid) = raster.cut(&placement, KERNELS[kernel], all);
        let frame = Frame { col: left, row: top, width, height };
        let (part, part_valid) = raster.cut(&placement, KERNELS[kernel], frame);
        let size = raster.values.sample.size();
        for row in 0..height {
            let start = (top as usize).wrapping_add(40 + row) * 150 + (left + 40) as usize;
            let (from, to) = (row * width, (row + 1) * width);
            let name = (name, KERNELS[kernel], TYPES[sample], row);
            prop_assert_eq!(&part_valid[from..to], &valid[start..start + width], "{:?}", name);
            let bytes = &pixels[start * size..(start + width) * size];
            prop_assert_eq!(&part[from * size..to * size], bytes, "{:?}", name);
        }
    }
}
