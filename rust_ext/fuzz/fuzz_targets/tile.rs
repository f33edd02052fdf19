//! A tile of any bytes is decoded or refused, and what is decoded has the length that it says.
#![no_main]
use gair_core::shard::decode_tile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(tile) = decode_tile(data, None) {
        let values: usize = tile.shape.iter().product();
        assert_eq!(values * tile.sample.size(), tile.data.len());
    }
});
