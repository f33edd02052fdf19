//! Damaged files: read as GDAL reads them, or not at all.
use gair_core::shard::SampleType;

use super::{Scratch, create, window};
use crate::direct::DirectReader;
use crate::{ffi, info};

/// Reads a damaged file both ways: where ours has an answer, it is GDAL's.
///
/// Damaged ZSTD frames without a checksum decode to what the version of the library makes of them.
fn agrees_or_declines(file: &Scratch, codec: &str) -> bool {
    let (Ok(dataset), Ok(info)) = (info::open(file.path()), info::describe(file.path())) else {
        return false;
    };
    let Some(reader) = DirectReader::open(&dataset, file.path(), &info) else {
        return false;
    };
    let all: Vec<usize> = (1..=info.bands.len()).collect();
    let whole = window(0, 0, info.width, info.height);
    let sample = info.bands[0].sample.unwrap();
    let bytes = all.len() * info.width * info.height * sample.size();
    if bytes > 1 << 24 {
        return false;
    }
    let (mut ours, mut theirs) = (vec![0; bytes], vec![0; bytes]);
    let read = reader.read(&dataset, &all, whole, &mut ours);
    if read {
        ffi::read(&dataset, &all, whole, sample, &mut theirs).unwrap();
        assert!(
            ours == theirs || codec == "ZSTD",
            "a damaged file is read in two ways"
        );
    }
    read
}

#[test]
fn damage_is_left_to_gdal() {
    let (good, bad) = (Scratch::new("good"), Scratch::new("bad"));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for codec in ["DEFLATE", "ZSTD", "NONE"] {
        let predictor = if codec == "NONE" { "1" } else { "2" };
        let options = [
            ("COMPRESS", codec),
            ("PREDICTOR", predictor),
            ("BLOCKYSIZE", "16"),
        ];
        create(&good, SampleType::UInt16, &options);
        let bytes = std::fs::read(&good.0).unwrap();
        for round in 0..150 {
            let mut bytes = bytes.clone();
            for _ in 0..=round % 3 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                // the directory is at the start, and so are most of the changes
                let reach = if round % 4 == 0 { bytes.len() } else { 500 };
                let place = usize::try_from(state >> 33).unwrap() % reach;
                bytes[place] = u8::try_from((state >> 24) & 255).unwrap();
            }
            if round % 10 == 9 {
                bytes.truncate(usize::try_from(state >> 33).unwrap() % bytes.len());
            }
            std::fs::write(&bad.0, &bytes).unwrap();
            agrees_or_declines(&bad, codec);
        }
    }
}

#[test]
fn a_changed_block_is_not_read() {
    let (good, bad) = (Scratch::new("whole"), Scratch::new("changed"));
    create(&good, SampleType::UInt16, &[("COMPRESS", "DEFLATE")]);
    let bytes = std::fs::read(&good.0).unwrap();
    std::fs::write(&bad.0, &bytes).unwrap();
    assert!(agrees_or_declines(&bad, "DEFLATE"));
    let mut changed = bytes.clone();
    let last = changed.len() - 100;
    changed[last] ^= 0x40;
    std::fs::write(&bad.0, &changed).unwrap();
    assert!(!agrees_or_declines(&bad, "DEFLATE"));
    std::fs::write(&bad.0, &bytes[..bytes.len() - 100]).unwrap();
    assert!(!agrees_or_declines(&bad, "DEFLATE"));
}
