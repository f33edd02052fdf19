//! A raster of any bytes is described and cut into tiles, or refused.
#![no_main]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gair_raster::{
    BandSpec, CutOptions, Grid, RasterInfo, Received, Request, SceneCutter, SceneSpec, describe,
};
use libfuzzer_sys::fuzz_target;

/// Rows and columns of a tile.
const SIZE: usize = 16;
/// Larger rasters only cost time.
const MOST_PIXELS: usize = 1 << 22;

static PATH: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("gair-fuzz-{}.tif", std::process::id())));

fuzz_target!(|data: &[u8]| {
    if std::fs::write(&*PATH, data).is_err() {
        return;
    }
    let path = PATH.display().to_string();
    if let Ok(info) = describe(&path)
        && info.width.saturating_mul(info.height) <= MOST_PIXELS
    {
        cut(&path, &info);
    }
});

/// Cuts all whole tiles; errors are answers too.
fn cut(path: &str, info: &RasterInfo) {
    let Some(spec) = spec(path, info) else {
        return;
    };
    let request = request(&spec.grid);
    let options = CutOptions {
        nodata_text: None,
        max_nodata: 1.0,
        max_cloud: 1.0,
        level: Some(1),
        first: 0,
        threads: 1,
        memory: Some(64 << 20),
    };
    let Ok(mut cutter) = SceneCutter::new(spec, request, options, Arc::new(AtomicBool::new(false)))
    else {
        return;
    };
    while let Ok(Received::Tiles | Received::Nothing) = cutter.receive(Duration::from_secs(1)) {
        while cutter.pop().is_some() {}
    }
}

/// The bands that have the first one's type, in a CRS if the file has none.
fn spec(path: &str, info: &RasterInfo) -> Option<SceneSpec> {
    let sample = info.bands.first()?.sample?;
    let numbers = (1..=info.bands.len()).filter(|n| info.bands[n - 1].sample == Some(sample));
    let band = |number: usize| BandSpec {
        name: format!("band{number}"),
        path: path.to_owned(),
        number,
        resampling: "bilinear".to_owned(),
        nodata: info.bands[number - 1].nodata,
        offset: 0.0,
    };
    Some(SceneSpec {
        bands: numbers.take(8).map(band).collect(),
        mask: info.masked.then(|| path.to_owned()),
        clouds: Vec::new(),
        sample,
        nodata: None,
        grid: Grid {
            crs: info.crs.clone().unwrap_or_else(|| "EPSG:32633".to_owned()),
            transform: info.transform.unwrap_or([10.0, 0.0, 5e5, 0.0, -10.0, 5e6]),
            width: info.width,
            height: info.height,
        },
    })
}

/// Tiles in steps that straddle blocks.
fn request(grid: &Grid) -> Request {
    let starts = |length: usize| (0..=length.saturating_sub(SIZE)).step_by(SIZE - 3).take(40);
    let places =
        starts(grid.height).flat_map(|top| starts(grid.width).map(move |left| (top, left)));
    let as_i64 = |value: usize| i64::try_from(value).unwrap_or(0);
    let (tops, lefts) = places
        .map(|(top, left)| (as_i64(top), as_i64(left)))
        .unzip();
    Request {
        target: grid.clone(),
        size: (SIZE, SIZE),
        tops,
        lefts,
    }
}
