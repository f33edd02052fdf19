//! Whole cuts of small rasters against windows of their pixels, whatever order, threads and memory.
#![allow(clippy::unwrap_used)] // a test that panics fails

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gair_core::shard::{SampleType, decode_tile};
use gair_raster::{
    BandSpec, CutOptions, CutTile, Error, GeoTiffWriter, Grid, Layout, RasterSpec, Received,
    Request, SceneCutter, SceneSpec, Window,
};
use proptest::prelude::*;

const NODATA: u16 = 7;

/// A raster of 256-pixel blocks (what the writer makes) and the pixels it holds, (C, H, W).
struct Made {
    path: PathBuf,
    grid: Grid,
    bands: usize,
    pixels: Vec<u16>,
}

impl Drop for Made {
    fn drop(&mut self) {
        // only a stray file of a test would be left
        let _ = std::fs::remove_file(&self.path);
    }
}

fn made(bands: usize, height: usize, width: usize) -> Made {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!(
        "gair-cutting-{}-{}.tif",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let path = std::env::temp_dir().join(name);
    let pixels: Vec<u16> = (0..bands * height * width)
        .map(|index| u16::try_from(index * 7919 % 65_521).unwrap())
        .collect();
    let transform = [10.0, 0.0, 5e5, 0.0, -10.0, 5e6];
    let spec = RasterSpec {
        width,
        height,
        sample: SampleType::UInt16,
        band_names: (0..bands).map(|band| format!("B{band}")).collect(),
        crs: Some("EPSG:32633".to_owned()),
        transform,
        nodata: Some(f64::from(NODATA)),
        tags: Vec::new(),
    };
    let mut writer = GeoTiffWriter::create(&path, spec, Layout::Plain).unwrap();
    let bytes: Vec<u8> = pixels
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let whole = Window {
        col: 0,
        row: 0,
        width,
        height,
    };
    writer.write(whole, &bytes).unwrap();
    writer.finish().unwrap();
    let grid = Grid {
        crs: "EPSG:32633".to_owned(),
        transform,
        width,
        height,
    };
    Made {
        path,
        grid,
        bands,
        pixels,
    }
}

impl Made {
    fn spec(&self) -> SceneSpec {
        let band = |number: usize| BandSpec {
            name: format!("B{number}"),
            path: self.path.display().to_string(),
            number,
            resampling: "bilinear".to_owned(),
            nodata: Some(f64::from(NODATA)),
            offset: 0.0,
        };
        SceneSpec {
            bands: (1..=self.bands).map(band).collect(),
            mask: None,
            clouds: Vec::new(),
            sample: SampleType::UInt16,
            nodata: Some(f64::from(NODATA)),
            grid: self.grid.clone(),
        }
    }

    /// The values of a frame, read one by one; nodata outside.
    fn window(&self, top: i64, left: i64, (rows, cols): (usize, usize)) -> Vec<u16> {
        let (height, width) = (self.grid.height, self.grid.width);
        let mut out = Vec::new();
        for band in 0..self.bands {
            for row in 0..rows {
                for col in 0..cols {
                    let y = usize::try_from(top + i64::try_from(row).unwrap());
                    let x = usize::try_from(left + i64::try_from(col).unwrap());
                    out.push(match (y, x) {
                        (Ok(y), Ok(x)) if y < height && x < width => {
                            self.pixels[(band * height + y) * width + x]
                        }
                        _ => NODATA,
                    });
                }
            }
        }
        out
    }
}

fn options(threads: usize, memory: Option<usize>) -> CutOptions {
    CutOptions {
        nodata_text: Some(NODATA.to_string()),
        max_nodata: 1.0,
        max_cloud: 1.0,
        level: Some(1),
        first: 0,
        threads,
        memory,
    }
}

fn cut(spec: SceneSpec, request: &Request, options: CutOptions) -> Result<Vec<CutTile>, Error> {
    let cancel = Arc::new(AtomicBool::new(false));
    let mut cutter = SceneCutter::new(spec, request.clone(), options, cancel)?;
    let mut tiles = Vec::new();
    loop {
        match cutter.receive(Duration::from_secs(30))? {
            Received::Tiles => tiles.extend(std::iter::from_fn(|| cutter.pop())),
            Received::Nothing => panic!("no tile came for half a minute"),
            Received::End => return Ok(tiles),
        }
    }
}

fn values(tile: &CutTile) -> Vec<u16> {
    let data = decode_tile(&tile.encoded.bytes, None).unwrap().data;
    data.chunks_exact(2)
        .map(|cell| u16::from_le_bytes([cell[0], cell[1]]))
        .collect()
}

fn request(made: &Made, size: (usize, usize), places: &[(i64, i64)]) -> Request {
    Request {
        target: made.grid.clone(),
        size,
        tops: places.iter().map(|place| place.0).collect(),
        lefts: places.iter().map(|place| place.1).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn tiles_are_windows_whatever_the_threads_and_the_memory(
        bands in 1..4_usize, height in 1..700_usize, width in 1..900_usize,
        size in (1..300_usize, 1..300_usize),
        places in prop::collection::vec((-350..700_i64, -350..900_i64), 1..25),
        memory in 200_000..3_000_000_usize,
    ) {
        let made = made(bands, height, width);
        let request = request(&made, size, &places);
        let found = cut(made.spec(), &request, options(1, None)).unwrap();
        for tile in &found {
            let (top, left) = places[tile.number];
            prop_assert_eq!(values(tile), made.window(top, left, size));
        }
        // a tile without a valid pixel is left out; every other one comes once
        let mut numbers: Vec<usize> = found.iter().map(|tile| tile.number).collect();
        numbers.sort_unstable();
        let seen = |n: &usize| made.window(places[*n].0, places[*n].1, size).iter().any(|v| *v != NODATA);
        prop_assert_eq!(numbers, (0..places.len()).filter(seen).collect::<Vec<_>>());
        match cut(made.spec(), &request, options(3, Some(memory))) {
            Err(Error::Memory { needed, .. }) => prop_assert!(needed > memory),
            tight => {
                let key = |t: &CutTile| (t.position, t.number, t.encoded.bytes.clone());
                let tight: Vec<_> = tight.unwrap().iter().map(key).collect();
                prop_assert_eq!(tight, found.iter().map(key).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn a_cut_may_go_on_at_any_position() {
    let made = made(2, 500, 700);
    let places: Vec<(i64, i64)> = (0..40).map(|n| (n % 5 * 90, n / 5 * 80)).collect();
    let request = request(&made, (100, 100), &places);
    let whole = cut(made.spec(), &request, options(2, None)).unwrap();
    for first in [1, 7, 39, 40, 90] {
        let rest = CutOptions {
            first,
            ..options(2, None)
        };
        let rest = cut(made.spec(), &request, rest).unwrap();
        let expected = whole.iter().filter(|tile| tile.position >= first);
        let bytes = |tile: &CutTile| (tile.position, tile.encoded.bytes.clone());
        assert_eq!(
            rest.iter().map(bytes).collect::<Vec<_>>(),
            expected.map(bytes).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_cancelled_cut_stops_with_a_word_of_it() {
    let made = made(1, 600, 600);
    let places: Vec<(i64, i64)> = (0..500).map(|n| (n, n)).collect();
    let cancel = Arc::new(AtomicBool::new(true));
    let request = request(&made, (64, 64), &places);
    let mut cutter = SceneCutter::new(made.spec(), request, options(2, None), cancel).unwrap();
    let found = cutter.receive(Duration::from_secs(10));
    assert!(matches!(found, Err(Error::Cancelled)), "{found:?}");
}

#[test]
fn uncompressed_tiles_hold_the_same_values() {
    let made = made(2, 300, 300);
    let request = request(&made, (100, 120), &[(0, 0), (150, 130)]);
    let plain = CutOptions {
        level: None,
        ..options(2, None)
    };
    for tile in cut(made.spec(), &request, plain).unwrap() {
        let (top, left) = [(0, 0), (150, 130)][tile.number];
        assert_eq!(values(&tile), made.window(top, left, (100, 120)));
    }
}

#[test]
fn offsets_move_valid_pixels_and_statistics_alone() {
    let made = made(1, 40, 40);
    let request = request(&made, (40, 40), &[(0, 0)]);
    let mut spec = made.spec();
    spec.bands[0].offset = -1000.0;
    spec.bands[0].nodata = Some(0.0);
    spec.nodata = Some(0.0);
    let tile = cut(spec, &request, options(1, None)).unwrap().remove(0);
    let expected: Vec<u16> = made
        .pixels
        .iter()
        .map(|value| {
            if *value == 0 {
                0
            } else {
                value.saturating_sub(1000).max(1)
            }
        })
        .collect();
    assert_eq!(values(&tile), expected);
    let least = expected.iter().filter(|value| **value > 0).min().copied();
    assert!((tile.stats[0].min - f64::from(least.unwrap())).abs() < 1e-9);
    assert_eq!(tile.stats[0].count, 1599);
}
