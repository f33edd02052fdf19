//! The encodings give the same bits with every instruction set, thread count and batch, and stop
//! when they are told to.
#![allow(clippy::expect_used)] // helpers of tests
use gair_core::encoding::{
    Encoding, EqualEarthPlane, FourierFeatures, Precision, Sphere2Vec, SphereForm,
    SphericalHarmonics, UnitSphere, encode, encode_with,
};
use gair_core::simd::InstructionSet;
use std::sync::atomic::AtomicBool;

/// Points all over the world, its edges, and places that are none.
fn points() -> Vec<[f64; 2]> {
    let mut points = vec![
        [180.0, 0.0],
        [-180.0, 0.0],
        [0.0, 90.0],
        [7.0, -90.0],
        [f64::NAN, 0.0],
        [0.0, 90.5],
        [f64::INFINITY, 1.0],
        [1e300, 1.0],
    ];
    points.extend((0..997).map(|i| {
        let i = f64::from(i);
        [
            (i * 0.731_7).rem_euclid(360.0) - 180.0,
            (i * 0.311_9).rem_euclid(180.0) - 90.0,
        ]
    }));
    points
}

fn directions() -> Vec<[f64; 2]> {
    let wave = |i: i32| {
        [
            (f64::from(i) * 1.7).sin() * 3e4,
            (f64::from(i) * 2.3).cos() * 3e4,
        ]
    };
    (0..210).map(wave).collect()
}

fn rows<E: Encoding, T: Precision>(
    set: InstructionSet,
    encoding: &E,
    points: &[[f64; 2]],
) -> Vec<T> {
    let mut rows = vec![T::default(); points.len() * encoding.width()];
    let cancel = AtomicBool::new(false);
    encode_with(set, encoding, points, &mut rows, &cancel).expect("the size is right");
    rows
}

/// Bits of both precisions, so that NaN equals NaN.
fn bits<E: Encoding>(set: InstructionSet, encoding: &E, points: &[[f64; 2]]) -> Vec<u64> {
    let single = rows::<E, f32>(set, encoding, points);
    let double = rows::<E, f64>(set, encoding, points);
    let single = single.into_iter().map(|v| {
        if v.is_nan() {
            u64::MAX
        } else {
            v.to_bits().into()
        }
    });
    let double = double
        .into_iter()
        .map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() });
    single.chain(double).collect()
}

/// Runs a check for every encoding.
fn for_every_encoding(
    check: impl Fn(&str, &(dyn Fn(InstructionSet, &[[f64; 2]]) -> Vec<u64> + Sync)),
) {
    macro_rules! check {
        ($name:expr, $encoding:expr) => {
            let encoding = $encoding;
            check($name, &|set, points| bits(set, &encoding, points));
        };
    }
    check!("equal earth", EqualEarthPlane { scale: 0.37 });
    check!("xyz", UnitSphere);
    check!(
        "fourier",
        FourierFeatures::new(&directions(), 3).expect("directions")
    );
    for degree in [0, 1, 7, 8, 39] {
        check!(
            "harmonics",
            SphericalHarmonics::new(degree).expect("a degree")
        );
    }
    for form in [
        SphereForm::C,
        SphereForm::CPlus,
        SphereForm::M,
        SphereForm::MPlus,
        SphereForm::Dfs,
    ] {
        check!(
            "sphere2vec",
            Sphere2Vec::new(form, 9, 1e-3, 1.0).expect("radii")
        );
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    for set in [InstructionSet::Avx2, InstructionSet::Avx512] {
        if !set.is_available() {
            eprintln!("skipped: this processor has no {set:?}");
            continue;
        }
        for_every_encoding(|name, run| {
            let same = run(set, &points()) == run(InstructionSet::Baseline, &points());
            assert!(same, "{name} with {set:?}");
        });
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    for_every_encoding(|name, run| {
        let with = |threads| {
            let pool = pool(threads).expect("threads");
            pool.install(|| run(InstructionSet::best(), &points()))
        };
        assert!(with(1) == with(5), "{name}");
    });
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    for_every_encoding(|name, run| {
        let points = &points()[..60];
        let width = run(InstructionSet::best(), &points[..1]).len() / 2;
        let together = run(InstructionSet::best(), points);
        for (number, point) in points.iter().enumerate() {
            let alone = run(InstructionSet::best(), std::slice::from_ref(point));
            let single = &together[number * width..(number + 1) * width];
            let double = &together[(points.len() + number) * width..][..width];
            assert!(
                alone[..width] == *single && alone[width..] == *double,
                "{name} {point:?}"
            );
        }
    });
}

#[test]
fn no_points_make_no_rows() {
    for_every_encoding(|name, run| assert!(run(InstructionSet::best(), &[]).is_empty(), "{name}"));
}

#[test]
fn cancelled_work_leaves_the_output_as_it_was() {
    let mut rows = vec![7.0_f32; 3 * 8];
    let cancel = AtomicBool::new(true);
    encode(&UnitSphere, &points()[..8], &mut rows, &cancel).expect("the size is right");
    assert!(
        rows.iter()
            .all(|value| value.to_bits() == 7.0_f32.to_bits())
    );
}
