//! Glue of tile footprints: numpy columns in, distances and verdicts out.
use gair_core::pairing::{Footprint, gap_m, too_close};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;

/// Tiles on the ground, to be compared by their row.
#[pyclass(frozen, module = "gair_cli._rust")]
struct Footprints {
    tiles: Vec<Footprint>,
}

#[pymethods]
impl Footprints {
    /// Takes (T,) numbers of CRSs, (T, 4) boxes in them, (T, 2) centres in degrees and (T, 2) half
    /// sizes in metres.
    #[new]
    fn new(
        crs: PyReadonlyArray1<'_, u32>,
        boxes: PyReadonlyArray2<'_, f64>,
        centres: PyReadonlyArray2<'_, f64>,
        half_m: PyReadonlyArray2<'_, f64>,
    ) -> PyResult<Self> {
        let (crs, boxes) = (crs.as_array(), boxes.as_array());
        let (centres, half_m) = (centres.as_array(), half_m.as_array());
        let shapes = [boxes.dim(), centres.dim(), half_m.dim()];
        if shapes != [4, 2, 2].map(|columns| (crs.len(), columns)) {
            return Err(PyValueError::new_err(format!(
                "(T,), (T, 4), (T, 2), (T, 2) wanted, got {shapes:?} for {} tiles",
                crs.len()
            )));
        }
        let tiles = crs.iter().enumerate().map(|(row, crs)| Footprint {
            crs: *crs,
            area: std::array::from_fn(|k| boxes[[row, k]]),
            centre: std::array::from_fn(|k| centres[[row, k]]),
            half_m: std::array::from_fn(|k| half_m[[row, k]]),
        });
        Ok(Self {
            tiles: tiles.collect(),
        })
    }

    /// Metres between pairs of tiles, negative where they overlap.
    fn gaps<'py>(
        &self,
        py: Python<'py>,
        first: PyReadonlyArray1<'_, i64>,
        second: PyReadonlyArray1<'_, i64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let (first, second) = (self.chosen(&first)?, self.chosen(&second)?);
        let pairs = first.iter().zip(&second);
        Ok(pairs
            .map(|(a, b)| gap_m(a, b))
            .collect::<Vec<_>>()
            .into_pyarray(py))
    }

    /// Which of some tiles come closer than a buffer to any of others, or overlap one.
    fn too_close<'py>(
        &self,
        py: Python<'py>,
        rows: PyReadonlyArray1<'_, i64>,
        others: PyReadonlyArray1<'_, i64>,
        buffer_m: f64,
    ) -> PyResult<Bound<'py, PyArray1<bool>>> {
        let (rows, others) = (self.chosen(&rows)?, self.chosen(&others)?);
        let found = py.detach(|| too_close(&rows, &others, buffer_m));
        Ok(found.into_pyarray(py))
    }
}

impl Footprints {
    fn chosen(&self, rows: &PyReadonlyArray1<'_, i64>) -> PyResult<Vec<Footprint>> {
        let tile = |row: &i64| {
            let found = usize::try_from(*row)
                .ok()
                .and_then(|row| self.tiles.get(row));
            found
                .copied()
                .ok_or_else(|| PyIndexError::new_err(format!("no row {row}")))
        };
        rows.as_slice()?.iter().map(tile).collect()
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Footprints>()
}
