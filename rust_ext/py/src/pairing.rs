//! Glue of `gair_core::pairing`: tile arrays in, an index to ask out.
use crate::coordinates::rows;
use crate::encodings::until_interrupted;
use crate::error::to_python;
use crate::projections::Projection;
use gair_core::pairing::{self, Affine, TileShape, TileSystem};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

type LocatedArrays<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray1<f64>>,
);

/// The tiles of one CRS: numbers (T,), affines (T, 6), sizes (T, 2), scene numbers (T,).
#[pyclass(frozen, module = "gair_cli._rust")]
struct TileArrays {
    projection: Arc<dyn gair_core::projection::Projection + Send + Sync>,
    geographic: bool,
    tiles: Vec<(u32, TileShape)>,
}

#[pymethods]
impl TileArrays {
    #[new]
    #[pyo3(signature = (projection, numbers, transforms, sizes, scenes, *, geographic))]
    fn new(
        projection: &Bound<'_, Projection>,
        numbers: PyReadonlyArray1<'_, u32>,
        transforms: PyReadonlyArray2<'_, f64>,
        sizes: PyReadonlyArray2<'_, u32>,
        scenes: PyReadonlyArray1<'_, u32>,
        geographic: bool,
    ) -> PyResult<Self> {
        let count = numbers.len();
        let shape = |array: &Bound<'_, PyUntypedArray>| array.shape().to_vec();
        if shape(transforms.as_untyped()) != [count, 6]
            || shape(sizes.as_untyped()) != [count, 2]
            || shape(scenes.as_untyped()) != [count]
        {
            return Err(PyValueError::new_err(
                "tiles need (T,), (T, 6), (T, 2) and (T,) arrays",
            ));
        }
        let (transforms, sizes) = (transforms.as_array(), sizes.as_array());
        let (numbers, scenes) = (numbers.as_array(), scenes.as_array());
        let tile = |t: usize| {
            let affine = Affine::new(std::array::from_fn(|k| transforms[[t, k]]))?;
            let size = [sizes[[t, 0]], sizes[[t, 1]]];
            let scene = scenes[t];
            Ok((
                numbers[t],
                TileShape {
                    affine,
                    size,
                    scene,
                },
            ))
        };
        let tiles: gair_core::Result<Vec<_>> = (0..count).map(tile).collect();
        Ok(Self {
            projection: Arc::clone(&projection.get().map),
            geographic,
            tiles: tiles.map_err(to_python)?,
        })
    }
}

/// The tiles of any number of CRSs: which of them holds a point, and where inside it.
#[pyclass(frozen, module = "gair_cli._rust")]
pub(crate) struct TileFinder {
    pub(crate) finder: Arc<pairing::TileFinder>,
}

#[pymethods]
impl TileFinder {
    #[new]
    fn new(py: Python<'_>, systems: Vec<Bound<'_, TileArrays>>) -> PyResult<Self> {
        let systems = systems.iter().map(|system| {
            let arrays = system.get();
            TileSystem {
                projection: Arc::clone(&arrays.projection),
                geographic: arrays.geographic,
                tiles: arrays.tiles.clone(),
            }
        });
        let systems = systems.collect();
        let finder = py.detach(|| pairing::TileFinder::new(systems));
        Ok(Self {
            finder: Arc::new(finder.map_err(to_python)?),
        })
    }

    /// Locate (N, 2) lon, lat: number of the tile (-1 outside), x and y, metres to the edge.
    fn locate<'py>(
        &self,
        py: Python<'py>,
        lonlat: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<LocatedArrays<'py>> {
        let points = rows(&lonlat)?;
        // numpy asks for huge pages, which halves the time that fresh memory takes
        let tile = PyArray1::<i64>::zeros(py, points.len(), false);
        let xy = PyArray2::<f64>::zeros(py, [points.len(), 2], false);
        let edge_m = PyArray1::<f64>::zeros(py, points.len(), false);
        {
            let (mut tiles, mut xys) = (tile.readwrite(), xy.readwrite());
            let mut edges = edge_m.readwrite();
            let (tiles, edges) = (tiles.as_slice_mut()?, edges.as_slice_mut()?);
            let (xys, _) = xys.as_slice_mut()?.as_chunks_mut();
            let cancel = AtomicBool::new(false);
            until_interrupted(py, &cancel, || {
                self.finder.locate_into(points, tiles, xys, edges, &cancel)
            })?
            .map_err(to_python)?;
        }
        Ok((tile, xy, edge_m))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TileArrays>()?;
    module.add_class::<TileFinder>()
}
