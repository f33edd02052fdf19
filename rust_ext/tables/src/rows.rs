//! The rows of the pair table and of the table of rejected photos.
use crate::columns::time_type;
use crate::place::{Past, Placed};
use crate::plan::{PairPlan, SplitSource};
use crate::reason::Reason;
use crate::{Error, Result};
use arrow::array::{
    Array, ArrayRef, BinaryArray, Float32Array, Float64Array, RecordBatch, StringArray,
    StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use gair_core::pairing::NO_DATE;
use std::sync::Arc;

const MS_A_DAY: f64 = 86_400_000.0;
/// Little-endian, a point.
const WKB_POINT: [u8; 5] = [1, 1, 0, 0, 0];
const WKB_BYTES: usize = 21;
/// Hexadecimal digits of a sample id.
const DIGITS: usize = 16;

/// What the pair table says of photos that have no such column.
fn absent(name: &str) -> Option<DataType> {
    match name {
        "path" | "sequence_id" | "source" | "split" | "block" => Some(DataType::Utf8),
        "heading" | "h_accuracy_m" | "days_apart" => Some(DataType::Float32),
        "captured_at" => Some(time_type()),
        _ => None,
    }
}

/// The pairs of a batch.
///
/// # Errors
/// [`Error::Data`] where a column to write is neither known nor the photos'.
pub(crate) fn pairs(plan: &PairPlan, past: &Past, placed: &Placed) -> Result<RecordBatch> {
    let photos = UInt32Array::from(placed.matches.point.clone());
    let tile_ids = tile_ids(plan, placed)?;
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for name in &plan.output {
        let array = match made(name, plan, past, placed, &tile_ids)? {
            Some(array) => array,
            None => carried(name, placed, &photos)?,
        };
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// A column that pairing makes.
fn made(
    name: &str,
    plan: &PairPlan,
    past: &Past,
    placed: &Placed,
    tile_ids: &StringArray,
) -> Result<Option<ArrayRef>> {
    let found = &placed.matches;
    let array: ArrayRef = match name {
        "sample_id" => Arc::new(sample_ids(placed, tile_ids)?),
        "tile_id" => Arc::new(tile_ids.clone()),
        "x" => Arc::new(Float64Array::from(found.x.clone())),
        "y" => Arc::new(Float64Array::from(found.y.clone())),
        "edge_distance_m" => Arc::new(Float32Array::from(found.edge_m.clone())),
        "days_apart" => Arc::new(days_apart(plan, placed)),
        "split" => {
            let names = placed
                .splits
                .iter()
                .map(|split| past.splits.names[usize::from(*split)].as_str());
            Arc::new(texts(names, placed.splits.len(), 5))
        }
        "block" => Arc::new(blocks(plan, past, placed)),
        "group" if !placed.groups.is_empty() || plan.cap.group.is_some() => {
            Arc::new(UInt32Array::from(placed.groups.clone()))
        }
        "geometry" => Arc::new(points(placed)),
        "bbox" => Arc::new(boxes(placed)?),
        _ => return Ok(None),
    };
    Ok(Some(array))
}

/// A column of the photos, by pair.
fn carried(name: &str, placed: &Placed, photos: &UInt32Array) -> Result<ArrayRef> {
    if let Some(column) = placed.photos.batch.column_by_name(name) {
        return Ok(take(column, photos, None)?);
    }
    let kind = absent(name).ok_or_else(|| Error::Data(format!("no column {name:?}")))?;
    Ok(new_null_array(&kind, photos.len()))
}

/// An array of texts of about `length` bytes.
fn texts<'a>(texts: impl Iterator<Item = &'a str>, count: usize, length: usize) -> StringArray {
    let mut builder = arrow::array::StringBuilder::with_capacity(count, count * length);
    texts.for_each(|text| builder.append_value(text));
    builder.finish()
}

/// The ids of the pairs' tiles: fetched once, in a loop so short that many wait side by side.
fn tile_ids(plan: &PairPlan, placed: &Placed) -> Result<StringArray> {
    let tiles = &placed.matches.tile;
    let mut bytes = Vec::with_capacity(16 * tiles.len());
    let mut ends = Vec::with_capacity(tiles.len() + 1);
    ends.push(0);
    for tile in tiles {
        bytes.extend_from_slice(plan.tiles.ids.get(*tile).as_bytes());
        ends.push(offset(bytes.len())?);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    Ok(StringArray::try_new(
        offsets,
        Buffer::from_vec(bytes),
        None,
    )?)
}

/// A position in the texts of one batch.
fn offset(bytes: usize) -> Result<i32> {
    i32::try_from(bytes).map_err(|_| Error::Data("the ids of a batch exceed 2 GB".into()))
}

fn sample_ids(placed: &Placed, tile_ids: &StringArray) -> Result<StringArray> {
    let ids = placed.photos.ids()?;
    let photos = &placed.matches.point;
    let mut bytes = Vec::with_capacity(DIGITS * photos.len());
    let mut work = Vec::new();
    for (photo, tile) in photos.iter().zip(tile_ids.iter()) {
        let parts = [ids.value(*photo as usize), tile.unwrap_or_default()];
        bytes.extend_from_slice(&gair_core::hash::digits16(&parts, &mut work));
    }
    let offsets = OffsetBuffer::<i32>::from_repeated_length(DIGITS, photos.len());
    Ok(StringArray::try_new(
        offsets,
        Buffer::from_vec(bytes),
        None,
    )?)
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // days as float32
fn days_apart(plan: &PairPlan, placed: &Placed) -> Float32Array {
    let dates = placed.dates();
    let pairs = placed.matches.point.iter().zip(&placed.matches.tile);
    pairs
        .map(|(photo, tile)| {
            let date = dates[*photo as usize];
            let other = plan.choice.tile_dates.get(*tile as usize).copied();
            let other = other.filter(|other| *other != NO_DATE)?;
            (date != NO_DATE).then(|| (date.abs_diff(other) as f64 / MS_A_DAY) as f32)
        })
        .collect()
}

fn blocks(plan: &PairPlan, past: &Past, placed: &Placed) -> StringArray {
    if matches!(plan.split_source, SplitSource::Blocks { .. }) {
        let names = placed
            .blocks
            .iter()
            .map(|block| past.blocks.names[*block as usize].as_str());
        return texts(names, placed.blocks.len(), 12);
    }
    let names = placed.matches.tile.iter().map(|tile| {
        let block = plan.tiles.blocks[*tile as usize] as usize;
        plan.tiles.block_names[block].as_str()
    });
    texts(names, placed.matches.tile.len(), 12)
}

/// Longitudes or latitudes by pair.
fn axis(placed: &Placed, axis: usize) -> Float64Array {
    let points = placed.matches.point.iter();
    let values: Vec<f64> = points
        .map(|photo| placed.photos.lonlat[*photo as usize][axis])
        .collect();
    Float64Array::from(values)
}

fn points(placed: &Placed) -> BinaryArray {
    let count = placed.matches.point.len();
    let mut bytes = Vec::with_capacity(WKB_BYTES * count);
    for photo in &placed.matches.point {
        let [lon, lat] = placed.photos.lonlat[*photo as usize];
        bytes.extend_from_slice(&WKB_POINT);
        bytes.extend_from_slice(&lon.to_le_bytes());
        bytes.extend_from_slice(&lat.to_le_bytes());
    }
    let offsets = OffsetBuffer::<i32>::from_repeated_length(WKB_BYTES, count);
    BinaryArray::new(offsets, Buffer::from_vec(bytes), None)
}

fn boxes(placed: &Placed) -> Result<StructArray> {
    let [lon, lat] = [0, 1].map(|k| Arc::new(axis(placed, k)) as ArrayRef);
    let fields: Fields = ["xmin", "ymin", "xmax", "ymax"]
        .map(|name| Field::new(name, DataType::Float64, true))
        .to_vec()
        .into();
    let arrays = vec![Arc::clone(&lon), Arc::clone(&lat), lon, lat];
    Ok(StructArray::try_new(fields, arrays, None)?)
}

/// The photos of a batch that make no pair, with the reason; none where all do.
pub(crate) fn rejected(placed: &Placed) -> Result<Option<RecordBatch>> {
    let left_out = |reason: &Reason| !matches!(reason, Reason::None | Reason::Repeated);
    let rows: Vec<u32> = (0..)
        .zip(&placed.reasons)
        .filter_map(|(row, reason)| left_out(reason).then_some(row))
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let reasons = rows.iter().map(|row| placed.reasons[*row as usize].text());
    let reasons = texts(reasons, rows.len(), 18);
    let rows = UInt32Array::new(ScalarBuffer::from(rows), None);
    let batch = &placed.photos.batch;
    let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
    let mut arrays = Vec::with_capacity(fields.len() + 1);
    for column in batch.columns() {
        arrays.push(take(column, &rows, None)?);
    }
    fields.push(Arc::new(Field::new("reason", DataType::Utf8, true)));
    arrays.push(Arc::new(reasons) as ArrayRef);
    Ok(Some(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        arrays,
    )?))
}
