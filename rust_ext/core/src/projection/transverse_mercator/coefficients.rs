//! The coefficients of Krueger's series (Karney 2011, equations 35 and 36).
use super::ORDER;

/// Evaluates `sum_k c_k n^k` for each row of a table whose row j starts at `n^(j + 1)`.
fn by_powers(n: f64, table: [&[f64]; ORDER]) -> [f64; ORDER] {
    let mut power = 1.0;
    table.map(|row| {
        power *= n;
        power * row.iter().rev().fold(0.0, |sum, c| sum * n + c)
    })
}

/// Equation 35: from the conformal sphere to the plane.
pub(super) fn alpha_coefficients(n: f64) -> [f64; ORDER] {
    by_powers(
        n,
        [
            &[
                0.5,
                -2.0 / 3.0,
                5.0 / 16.0,
                41.0 / 180.0,
                -127.0 / 288.0,
                7_891.0 / 37_800.0,
            ],
            &[
                13.0 / 48.0,
                -3.0 / 5.0,
                557.0 / 1_440.0,
                281.0 / 630.0,
                -1_983_433.0 / 1_935_360.0,
            ],
            &[
                61.0 / 240.0,
                -103.0 / 140.0,
                15_061.0 / 26_880.0,
                167_603.0 / 181_440.0,
            ],
            &[
                49_561.0 / 161_280.0,
                -179.0 / 168.0,
                6_601_661.0 / 7_257_600.0,
            ],
            &[34_729.0 / 80_640.0, -3_418_889.0 / 1_995_840.0],
            &[212_378_941.0 / 319_334_400.0],
        ],
    )
}

/// Equation 36: from the plane to the conformal sphere.
pub(super) fn beta_coefficients(n: f64) -> [f64; ORDER] {
    by_powers(
        n,
        [
            &[
                0.5,
                -2.0 / 3.0,
                37.0 / 96.0,
                -1.0 / 360.0,
                -81.0 / 512.0,
                96_199.0 / 604_800.0,
            ],
            &[
                1.0 / 48.0,
                1.0 / 15.0,
                -437.0 / 1_440.0,
                46.0 / 105.0,
                -1_118_711.0 / 3_870_720.0,
            ],
            &[
                17.0 / 480.0,
                -37.0 / 840.0,
                -209.0 / 4_480.0,
                5_569.0 / 90_720.0,
            ],
            &[4_397.0 / 161_280.0, -11.0 / 504.0, -830_251.0 / 7_257_600.0],
            &[4_583.0 / 161_280.0, -108_847.0 / 3_991_680.0],
            &[20_648_693.0 / 638_668_800.0],
        ],
    )
}
