//! Which columns of a table hold what, and their values in the types of the photo table.
use crate::paths::Relocation;
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, TimeUnit};
use std::path::PathBuf;
use std::sync::Arc;

/// What a column holds, and so its type in the photo table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, of which none may be missing.
    Id,
    /// A path, brought to the folder of the new table.
    Path,
    /// Text.
    Text,
    /// Degrees.
    Float64,
    /// Degrees, metres.
    Float32,
    /// Milliseconds since 1970, UTC.
    Time,
    /// The user's own: kept as it is.
    Own,
    /// The first coordinate of WKB points.
    WkbX,
    /// The second coordinate of WKB points.
    WkbY,
}

/// One column of the photo table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name in the table that is read.
    pub source: String,
    /// Its name from then on.
    pub target: String,
    /// What it holds.
    pub kind: Kind,
}

/// The columns of the photo table: `photo_id`, `lon` and `lat` are among them.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// In the order of the photo table.
    pub specs: Vec<ColumnSpec>,
    /// What becomes of paths.
    pub(crate) relocation: Relocation,
}

/// A batch in the columns of the photo table.
#[derive(Debug, Clone)]
pub(crate) struct Photos {
    pub(crate) batch: RecordBatch,
    /// Longitude and latitude in degrees; NaN where missing.
    pub(crate) lonlat: Vec<[f64; 2]>,
}

/// The type of timestamps.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

impl Kind {
    /// The type of the column; none for the user's own.
    pub(crate) fn data_type(self) -> Option<DataType> {
        match self {
            Self::Id | Self::Path | Self::Text => Some(DataType::Utf8),
            Self::Float64 | Self::WkbX | Self::WkbY => Some(DataType::Float64),
            Self::Float32 => Some(DataType::Float32),
            Self::Time => Some(time_type()),
            Self::Own => None,
        }
    }
}

impl Columns {
    /// Takes columns, the absolute folder that their paths start from, and the one that paths of
    /// the new table are to start from (None: absolute paths).
    #[must_use]
    pub fn new(specs: Vec<ColumnSpec>, from: PathBuf, to: Option<PathBuf>) -> Self {
        Self {
            specs,
            relocation: Relocation { from, to },
        }
    }

    /// The same columns without those that are not named, which saves reading them.
    #[must_use]
    pub(crate) fn only(&self, targets: &[&str]) -> Self {
        let named = |spec: &&ColumnSpec| targets.contains(&spec.target.as_str());
        Self {
            specs: self.specs.iter().filter(named).cloned().collect(),
            relocation: self.relocation.clone(),
        }
    }

    /// Reads a batch.
    ///
    /// # Errors
    /// [`Error::Data`] where a column is missing or an id is.
    pub(crate) fn read(&self, batch: &RecordBatch, first_row: u64) -> Result<Photos> {
        let mut fields = Vec::with_capacity(self.specs.len());
        let mut arrays = Vec::with_capacity(self.specs.len());
        for spec in &self.specs {
            let array = batch
                .column_by_name(&spec.source)
                .ok_or_else(|| Error::Data(format!("no column {:?}", spec.source)))?;
            let array = self.converted(spec, array, first_row)?;
            fields.push(Field::new(&spec.target, array.data_type().clone(), true));
            arrays.push(array);
        }
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema, arrays)?;
        let [lon, lat] = ["lon", "lat"].map(|name| floats(&batch, name));
        let lonlat = pairs(&lon?, &lat?);
        Ok(Photos { batch, lonlat })
    }

    fn converted(&self, spec: &ColumnSpec, array: &ArrayRef, first: u64) -> Result<ArrayRef> {
        let wanted = match (spec.kind, array.data_type()) {
            (Kind::WkbX, _) => return coordinate(array, 0, first),
            (Kind::WkbY, _) => return coordinate(array, 1, first),
            // older readers of Arrow know no views
            (Kind::Own, DataType::Utf8View) => DataType::Utf8,
            (Kind::Own, DataType::BinaryView) => DataType::Binary,
            (kind, _) => match kind.data_type() {
                Some(wanted) => wanted,
                None => return Ok(Arc::clone(array)),
            },
        };
        let array = match array.data_type() {
            found if *found == wanted => Arc::clone(array),
            _ => cast_with_options(array, &wanted, &CastOptions::default())?,
        };
        match spec.kind {
            Kind::Id if array.null_count() > 0 => {
                let row = (0..array.len())
                    .find(|row| array.is_null(*row))
                    .unwrap_or(0) as u64;
                Err(Error::Data(format!("row {} has no photo id", first + row)))
            }
            Kind::Path => {
                let texts = array.as_string::<i32>().iter();
                let moved = texts.map(|text| text.map(|text| self.relocation.apply(text)));
                Ok(Arc::new(moved.collect::<StringArray>()))
            }
            _ => Ok(array),
        }
    }
}

/// One coordinate of WKB points; null where there is none.
fn coordinate(array: &ArrayRef, axis: usize, first_row: u64) -> Result<ArrayRef> {
    let bytes = cast_with_options(array, &DataType::Binary, &CastOptions::default())?;
    let values: Result<Float64Array> = (first_row..)
        .zip(bytes.as_binary::<i32>())
        .map(|(row, point)| point.map(|point| wkb_point(point, axis, row)).transpose())
        .collect();
    Ok(Arc::new(values?))
}

fn wkb_point(point: &[u8], axis: usize, row: u64) -> Result<f64> {
    let start = 5 + 8 * axis;
    let is_point = point.starts_with(&[1, 1]);
    let number = point.get(start..start + 8).filter(|_| is_point);
    let number = number.and_then(|bytes| bytes.try_into().ok());
    number
        .map(f64::from_le_bytes)
        .ok_or_else(|| Error::Data(format!("row {row}: not a WKB point")))
}

fn floats(batch: &RecordBatch, name: &str) -> Result<Float64Array> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| Error::Data(format!("no column {name:?}")))?;
    column
        .as_primitive_opt::<Float64Type>()
        .cloned()
        .ok_or_else(|| Error::Data(format!("column {name:?} is not of numbers")))
}

fn pairs(lon: &Float64Array, lat: &Float64Array) -> Vec<[f64; 2]> {
    let plain = lon.values().iter().zip(lat.values());
    let mut lonlat: Vec<[f64; 2]> = plain.map(|(lon, lat)| [*lon, *lat]).collect();
    if lon.null_count() + lat.null_count() > 0 {
        for (row, point) in lonlat.iter_mut().enumerate() {
            if lon.is_null(row) || lat.is_null(row) {
                *point = [f64::NAN; 2];
            }
        }
    }
    lonlat
}

impl Photos {
    /// A column of texts, if it is there.
    pub(crate) fn texts(&self, name: &str) -> Option<&StringArray> {
        self.batch.column_by_name(name)?.as_string_opt::<i32>()
    }

    /// The ids.
    ///
    /// # Errors
    /// [`Error::Data`] where there are none.
    pub(crate) fn ids(&self) -> Result<&StringArray> {
        self.texts("photo_id")
            .ok_or_else(|| Error::Data("no column \"photo_id\"".into()))
    }
}
