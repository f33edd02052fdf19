//! Files of every layout, made by GDAL and read both ways.
mod damage;

use std::path::PathBuf;

use gair_core::shard::SampleType;

use super::DirectReader;
use crate::ffi::{self, Window};
use crate::info;

const WIDTH: usize = 83;
const HEIGHT: usize = 70;
const BANDS: usize = 3;

/// A file that is gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("gair-direct-{}-{name}.tif", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Bytes that deflate a little and whose every pattern occurs; no float among them is a NaN.
fn noise(sample: SampleType, count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = Vec::with_capacity(count * sample.size());
    for index in 0..count {
        let value = u16::try_from(index % 97 + (next() & 0x3f) as usize).unwrap();
        match sample {
            SampleType::Float32 => bytes.extend((f32::from(value) / 7.0).to_le_bytes()),
            SampleType::Float64 => bytes.extend((f64::from(value) / -7.0).to_le_bytes()),
            _ => bytes.extend(&(u64::from(value) * 0x9e37_79b9).to_le_bytes()[..sample.size()]),
        }
    }
    bytes
}

fn create(file: &Scratch, sample: SampleType, options: &[(&str, &str)]) {
    crate::setup();
    let size = (WIDTH, HEIGHT, BANDS);
    let mut dataset = ffi::create("GTiff", file.path(), size, sample, options).unwrap();
    let pixels = noise(sample, WIDTH * HEIGHT * BANDS);
    ffi::write(&mut dataset, window(0, 0, WIDTH, HEIGHT), sample, &pixels).unwrap();
    dataset.close().unwrap();
}

fn window(col: usize, row: usize, width: usize, height: usize) -> Window {
    Window {
        col,
        row,
        width,
        height,
    }
}

/// Windows of whole blocks, of parts, of several, and along every edge.
fn windows(block: (usize, usize)) -> Vec<Window> {
    let mut windows = vec![
        window(0, 0, WIDTH, HEIGHT),
        window(5, 3, 61, 50),
        window(16, 0, 32, 16),
        window(7, 16, 32, 16),
        window(WIDTH - 1, HEIGHT - 1, 1, 1),
        window(0, 17, WIDTH, 9),
    ];
    for row in (0..HEIGHT).step_by(block.1) {
        for col in (0..WIDTH).step_by(block.0) {
            let (width, height) = (block.0.min(WIDTH - col), block.1.min(HEIGHT - row));
            windows.push(window(col, row, width, height));
        }
    }
    windows
}

/// Compares every window with GDAL's; `false` where the file is left to GDAL.
fn equals_gdal(file: &Scratch) -> bool {
    let dataset = info::open(file.path()).unwrap();
    let info = info::describe(file.path()).unwrap();
    let sample = info.bands[0].sample.unwrap();
    let Some(reader) = DirectReader::open(&dataset, file.path(), &info) else {
        return false;
    };
    for bands in [&[1, 2, 3][..], &[2], &[3, 1]] {
        for window in windows(info.block) {
            let length = bands.len() * window.width * window.height * sample.size();
            let (mut ours, mut theirs) = (vec![7; length], vec![9; length]);
            assert!(
                reader.read(&dataset, bands, window, &mut ours),
                "{window:?}"
            );
            ffi::read(&dataset, bands, window, sample, &mut theirs).unwrap();
            assert!(ours == theirs, "bands {bands:?} of {window:?} differ");
        }
    }
    true
}

const SHAPES: [&[(&str, &str)]; 4] = [
    &[("TILED", "YES"), ("BLOCKXSIZE", "32"), ("BLOCKYSIZE", "16")],
    &[
        ("TILED", "YES"),
        ("BLOCKXSIZE", "128"),
        ("BLOCKYSIZE", "128"),
        ("BIGTIFF", "YES"),
    ],
    &[("BLOCKYSIZE", "11")],
    &[("BLOCKYSIZE", "64"), ("BIGTIFF", "YES")],
];

const CODECS: [(&str, &str); 6] = [
    ("NONE", "1"),
    ("DEFLATE", "1"),
    ("DEFLATE", "2"),
    ("DEFLATE", "3"),
    ("ZSTD", "2"),
    ("ZSTD", "3"),
];

/// Every type in one shape, three types in every shape.
fn layouts() -> impl Iterator<Item = (SampleType, &'static [(&'static str, &'static str)])> {
    let typical = [SampleType::UInt16, SampleType::UInt8, SampleType::Float32];
    let all = SampleType::all().map(|sample| (sample, SHAPES[0]));
    let others = SHAPES[1..]
        .iter()
        .flat_map(move |shape| typical.map(|sample| (sample, *shape)));
    all.chain(others)
}

#[test]
fn every_window_of_every_layout_equals_gdals() {
    let file = Scratch::new("layouts");
    let mut direct = 0;
    let ways = ["BAND", "PIXEL"].map(|by| ["LITTLE", "BIG"].map(|order| (by, order)));
    for (sample, shape) in layouts() {
        for (codec, predictor) in CODECS {
            for (interleave, order) in ways.into_iter().flatten() {
                if predictor == "3" && !sample.is_float() {
                    continue;
                }
                let mut options = shape.to_vec();
                options.extend([("INTERLEAVE", interleave), ("ENDIANNESS", order)]);
                options.extend([("COMPRESS", codec), ("PREDICTOR", predictor)]);
                if sample == SampleType::Int8 {
                    options.push(("PIXELTYPE", "SIGNEDBYTE"));
                }
                create(&file, sample, &options);
                let left = predictor == "3" && interleave == "PIXEL";
                assert_eq!(equals_gdal(&file), !left, "{sample:?} {options:?}");
                direct += usize::from(!left);
            }
        }
    }
    // 14 layouts of whole numbers: 4 codecs in 4 ways; 5 of floats: 4 in 4 ways and 2 in 2
    assert_eq!(direct, 14 * 4 * 4 + 5 * (4 * 4 + 2 * 2));
}

#[test]
fn what_is_not_certain_is_left_to_gdal() {
    let file = Scratch::new("others");
    let kinds: [&[(&str, &str)]; 5] = [
        &[("COMPRESS", "LZW")],
        &[("COMPRESS", "LZMA")],
        &[("COMPRESS", "PACKBITS")],
        &[("NBITS", "12")],
        &[("COMPRESS", "DEFLATE"), ("NBITS", "9")],
    ];
    for options in kinds {
        create(&file, SampleType::UInt16, options);
        assert!(!equals_gdal(&file), "{options:?}");
    }
    create(&file, SampleType::UInt16, &[]);
    let info = info::describe(file.path()).unwrap();
    let dataset = info::open(file.path()).unwrap();
    assert!(DirectReader::open(&dataset, file.path(), &info).is_some());
    assert!(DirectReader::open(&dataset, "/vsimem/none.tif", &info).is_none());
}

#[test]
fn a_missing_block_is_left_to_gdal() {
    let file = Scratch::new("sparse");
    crate::setup();
    let tiled = [("TILED", "YES"), ("BLOCKXSIZE", "32"), ("BLOCKYSIZE", "32")];
    let mut options = tiled.to_vec();
    options.extend([("SPARSE_OK", "TRUE"), ("COMPRESS", "DEFLATE")]);
    let size = (WIDTH, HEIGHT, 1);
    let mut dataset = ffi::create("GTiff", file.path(), size, SampleType::UInt8, &options).unwrap();
    let written = window(32, 0, 32, 32);
    ffi::write(&mut dataset, written, SampleType::UInt8, &[5; 1024]).unwrap();
    dataset.close().unwrap();
    let dataset = info::open(file.path()).unwrap();
    let info = info::describe(file.path()).unwrap();
    let reader = DirectReader::open(&dataset, file.path(), &info).unwrap();
    let mut out = vec![0; 1024];
    assert!(reader.read(&dataset, &[1], written, &mut out) && out == [5; 1024]);
    assert!(!reader.read(&dataset, &[1], window(0, 0, 32, 32), &mut out));
    assert!(!reader.read(&dataset, &[1], window(20, 0, 32, 32), &mut out));
}

#[test]
fn arguments_outside_the_raster_are_refused() {
    let file = Scratch::new("outside");
    create(&file, SampleType::UInt8, &[]);
    let dataset = info::open(file.path()).unwrap();
    let info = info::describe(file.path()).unwrap();
    let reader = DirectReader::open(&dataset, file.path(), &info).unwrap();
    for (bands, window, length) in [
        (&[1][..], window(WIDTH - 1, 0, 2, 1), 2),
        (&[1], window(0, usize::MAX, 1, 2), 2),
        (&[0], window(0, 0, 1, 1), 1),
        (&[4], window(0, 0, 1, 1), 1),
        (&[1], window(0, 0, 2, 2), 3),
        (&[1], window(0, 0, 0, 1), 0),
    ] {
        assert!(
            !reader.read(&dataset, bands, window, &mut vec![0; length]),
            "{window:?}"
        );
    }
}
