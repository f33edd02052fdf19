use super::{BandStats, mark_valid, measure, nodata_bytes, statistics};
use gair_core::shard::SampleType;

#[test]
fn statistics_leave_invalid_pixels_out() {
    let plane: Vec<u8> = [0_u16, 10, 20, 65_535]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let mut valid = [1_u8; 4];
    mark_valid(SampleType::UInt16, &plane, Some(0.0), &mut valid);
    assert_eq!(valid, [0, 1, 1, 1]);
    let stats = statistics(SampleType::UInt16, &plane, &valid);
    assert_eq!(
        (stats.count, stats.min, stats.max, stats.mean),
        (3, 10.0, 65_535.0, 21_855.0)
    );
    let m2 = (10.0_f64 - 21_855.0).powi(2) + (20.0_f64 - 21_855.0).powi(2) + 43_680.0_f64.powi(2);
    assert!((stats.m2 - m2).abs() < 1e-6 * m2);
}

#[test]
fn nothing_valid_has_no_mean() {
    let stats = statistics(SampleType::UInt8, &[7, 7], &[0, 0]);
    assert!(stats.count == 0 && stats.mean.is_nan() && stats.min.is_nan());
}

#[test]
fn a_large_offset_does_not_spoil_the_spread() {
    let plane: Vec<u8> = [1e9_f64, 1e9 + 1.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let stats = statistics(SampleType::Float64, &plane, &[1, 1]);
    assert!((stats.m2 - 0.5).abs() < 1e-12);
}

#[test]
fn nan_is_invalid_without_being_named() {
    let plane: Vec<u8> = [f32::NAN, 1.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let mut valid = [1_u8; 2];
    mark_valid(SampleType::Float32, &plane, None, &mut valid);
    assert_eq!(valid, [0, 1]);
}

#[test]
fn a_nodata_value_beyond_the_type_has_no_bytes() {
    assert_eq!(nodata_bytes(SampleType::UInt8, 256.0), None);
    assert_eq!(nodata_bytes(SampleType::UInt8, f64::NAN), None);
    assert_eq!(
        nodata_bytes(SampleType::Int16, -9999.0),
        Some(vec![0xf1, 0xd8])
    );
    assert!(nodata_bytes(SampleType::Float32, f64::NAN).is_some());
}

#[test]
fn signed_numbers_keep_their_sign() {
    let plane: Vec<u8> = [i16::MIN, -1, 2, i16::MAX]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let stats = statistics(SampleType::Int16, &plane, &[1, 1, 1, 0]);
    assert_eq!((stats.count, stats.min, stats.max), (3, -32_768.0, 2.0));
    assert!((stats.mean + 32_767.0 / 3.0).abs() < 1e-9);
    let bytes = statistics(SampleType::Int8, &[0x80, 0x7f], &[1, 1]);
    assert_eq!(
        (bytes.min, bytes.max, bytes.mean, bytes.m2),
        (-128.0, 127.0, -0.5, 32_512.5)
    );
}

/// Values of every type in turn: 3 stretches of pixels and a few more, some of them 0.
fn plane(sample: SampleType, count: usize) -> (Vec<u8>, Vec<f64>) {
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    for index in 0..count {
        // the second stretch is without zeros, the third has nothing else
        let value = match index / 1024 {
            1 => 1 + index % 100,
            2 => 0,
            _ => index * 7 % 101,
        };
        let value = u8::try_from(value).unwrap();
        match sample {
            SampleType::Float32 => bytes.extend(f32::from(value).to_le_bytes()),
            SampleType::Float64 => bytes.extend(f64::from(value).to_le_bytes()),
            _ => bytes.extend(&u64::from(value).to_le_bytes()[..sample.size()]),
        }
        values.push(f64::from(value));
    }
    (bytes, values)
}

#[allow(clippy::cast_precision_loss)]
fn slowly(values: &[f64], valid: &[u8]) -> BandStats {
    let pairs = values.iter().zip(valid);
    let kept: Vec<f64> = pairs
        .filter(|(_, flag)| **flag == 1)
        .map(|(value, _)| *value)
        .collect();
    let mean = kept.iter().sum::<f64>() / kept.len() as f64;
    BandStats {
        count: kept.len() as u64,
        min: kept.iter().copied().fold(f64::NAN, f64::min),
        max: kept.iter().copied().fold(f64::NAN, f64::max),
        mean,
        m2: kept.iter().map(|value| (value - mean).powi(2)).sum(),
    }
}

#[test]
fn one_go_equals_marking_first_and_a_slow_reference() {
    const COUNT: usize = 4 * 1024 + 13;
    let mask: Vec<u8> = (0..COUNT)
        .map(|index| u8::from(index < 900 || index % 11 > 2))
        .collect();
    for sample in SampleType::all() {
        let (bytes, values) = plane(sample, COUNT);
        for mask in [&vec![1; COUNT], &mask] {
            let mut valid = mask.clone();
            mark_valid(sample, &bytes, Some(0.0), &mut valid);
            let mut anywhere = vec![0; COUNT];
            anywhere[2048] = 1;
            let stats = measure(sample, &bytes, Some(0.0), (mask, &mut anywhere));
            let slow = slowly(&values, &valid);
            assert_eq!(stats, statistics(sample, &bytes, &valid), "{sample:?}");
            assert_eq!(
                (stats.count, stats.min, stats.max),
                (slow.count, slow.min, slow.max)
            );
            assert!(
                (stats.mean - slow.mean).abs() < 1e-9 * slow.mean,
                "{sample:?}"
            );
            assert!((stats.m2 - slow.m2).abs() < 1e-9 * slow.m2, "{sample:?}");
            valid[2048] = 1;
            assert!(anywhere == valid, "{sample:?}");
        }
    }
}
