//! Glue of `gair_core::pairing`: tile arrays in, an index to ask out.
use crate::coordinates::{columns, rows};
use crate::error::to_python;
use gair_core::pairing::{self, Affine, Metric, TileIndexBuilder, TileShape};
use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

type LocatedArrays<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
);

/// The tiles of one CRS: which of them holds a point, and where inside it.
#[pyclass(frozen, module = "gair_cli._rust")]
struct TileIndex {
    index: pairing::TileIndex,
}

#[pymethods]
impl TileIndex {
    /// Index T tiles by their affines (T, 6), sizes (T, 2), scene numbers (T,) and metres a unit.
    ///
    /// `scales` (T, 2) is None for a geographic CRS, whose metres depend on the latitude.
    #[new]
    #[pyo3(signature = (transforms, sizes, scenes, scales))]
    fn new(
        py: Python<'_>,
        transforms: PyReadonlyArray2<'_, f64>,
        sizes: PyReadonlyArray2<'_, u32>,
        scenes: PyReadonlyArray1<'_, u32>,
        scales: Option<PyReadonlyArray2<'_, f64>>,
    ) -> PyResult<Self> {
        let count = transforms.shape()[0];
        if transforms.shape()[1] != 6 || sizes.shape() != [count, 2] || scenes.shape() != [count] {
            return Err(PyValueError::new_err(
                "tiles need (T, 6), (T, 2) and (T,) arrays",
            ));
        }
        let (transforms, sizes) = (transforms.as_array(), sizes.as_array());
        let scenes = scenes.as_array();
        let scales = scales.as_ref().map(rows).transpose()?;
        if scales.is_some_and(|scales| scales.len() != count) {
            return Err(PyValueError::new_err("scales need the shape (T, 2)"));
        }
        let mut builder = TileIndexBuilder::new();
        for t in 0..count {
            let affine = Affine::new(std::array::from_fn(|k| transforms[[t, k]]));
            let shape = TileShape {
                affine: affine.map_err(to_python)?,
                size: [sizes[[t, 0]], sizes[[t, 1]]],
                scene: scenes[t],
                metric: scales.map_or(Metric::Geographic, |scales| Metric::Fixed(scales[t])),
            };
            builder.add(shape).map_err(to_python)?;
        }
        Ok(Self {
            index: py.detach(|| builder.finish()),
        })
    }

    /// Locate (N, 2) points of the CRS: tile (-1 outside), x, y, metres to edge and to centre.
    fn locate<'py>(
        &self,
        py: Python<'py>,
        points: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<LocatedArrays<'py>> {
        let points = rows(&points)?;
        let located = py
            .detach(|| {
                let (xs, ys) = columns(points);
                self.index.locate(&xs, &ys)
            })
            .map_err(to_python)?;
        Ok((
            PyArray1::from_vec(py, located.tile),
            PyArray1::from_vec(py, located.x),
            PyArray1::from_vec(py, located.y),
            PyArray1::from_vec(py, located.edge_m),
            PyArray1::from_vec(py, located.centre_m),
        ))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TileIndex>()
}
