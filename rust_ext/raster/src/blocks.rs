//! Decoded blocks in memory: each is decoded once, kept while a tile may need it, then dropped.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::ffi::Window;
use crate::scene::{Group, Scene};

/// Group, row of units, column of units.
type Key = (usize, usize, usize);

/// The decoded units that the current row of tiles needs.
#[derive(Default)]
pub(crate) struct Blocks {
    units: BTreeMap<Key, Vec<u8>>,
}

impl Blocks {
    /// Makes rows `top..bottom` of the whole scene available, and forgets those above.
    pub(crate) fn advance(
        &mut self,
        scene: &Scene,
        (top, bottom): (usize, usize),
        cancel: &AtomicBool,
    ) -> Result<()> {
        let bottom = bottom.min(scene.spec.height);
        self.units
            .retain(|(group, row, _), _| (row + 1) * scene.groups[*group].unit.0 > top);
        let missing: Vec<Key> = self.wanted(scene, top, bottom);
        let decode = |key: Key| -> Result<(Key, Vec<u8>)> {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            let group = &scene.groups[key.0];
            Ok((
                key,
                scene.decode(group, window(scene, group, key.1, key.2))?,
            ))
        };
        let decoded: Result<Vec<_>> = missing.into_par_iter().map(decode).collect();
        self.units.extend(decoded?);
        Ok(())
    }

    fn wanted(&self, scene: &Scene, top: usize, bottom: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        for (index, group) in scene.groups.iter().enumerate() {
            let cols = scene.spec.width.div_ceil(group.unit.1);
            for row in top / group.unit.0..bottom.div_ceil(group.unit.0) {
                keys.extend((0..cols).map(|col| (index, row, col)));
            }
        }
        keys.retain(|key| !self.units.contains_key(key));
        keys
    }

    /// Copies a window of one group into `out`, where pixel (0, 0) of `frame` stands at the start
    /// of each band's plane of `frame.width * frame.height` pixels.
    ///
    /// Pixels of `frame` beyond the scene are left as they are.
    pub(crate) fn copy(&self, scene: &Scene, index: usize, frame: Window, out: &mut [&mut [u8]]) {
        let group = &scene.groups[index];
        let bottom = (frame.row + frame.height).min(scene.spec.height);
        let right = (frame.col + frame.width).min(scene.spec.width);
        for row in frame.row / group.unit.0..bottom.div_ceil(group.unit.0) {
            for col in frame.col / group.unit.1..right.div_ceil(group.unit.1) {
                if let Some(data) = self.units.get(&(index, row, col)) {
                    let unit = window(scene, group, row, col);
                    copy_overlap(data, unit, frame, group.sample.size(), out);
                }
            }
        }
    }
}

fn window(scene: &Scene, group: &Group, row: usize, col: usize) -> Window {
    let (row, col) = (row * group.unit.0, col * group.unit.1);
    Window {
        col,
        row,
        width: group.unit.1.min(scene.spec.width - col),
        height: group.unit.0.min(scene.spec.height - row),
    }
}

/// Copies what `unit` and `frame` share; `data` holds one plane of the unit a band.
fn copy_overlap(data: &[u8], unit: Window, frame: Window, size: usize, out: &mut [&mut [u8]]) {
    let left = unit.col.max(frame.col);
    let right = (unit.col + unit.width).min(frame.col + frame.width);
    let top = unit.row.max(frame.row);
    let bottom = (unit.row + unit.height).min(frame.row + frame.height);
    let length = (right - left) * size;
    let planes = data.chunks_exact(unit.width * unit.height * size);
    for (plane, target) in planes.zip(out.iter_mut()) {
        for row in top..bottom {
            let from = ((row - unit.row) * unit.width + left - unit.col) * size;
            let to = ((row - frame.row) * frame.width + left - frame.col) * size;
            target[to..to + length].copy_from_slice(&plane[from..from + length]);
        }
    }
}
