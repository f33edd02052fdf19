//! The first look at a table: rows that cannot be used, and ids that come twice.
use crate::columns::Columns;
use crate::ids::{Growth, Hashes};
use crate::reason::Reason;
use crate::{Error, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use std::collections::HashSet;

/// Points kept as a sample of the whole table.
const SAMPLE: usize = 8192;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Looked {
    /// Rows in all.
    pub rows: u64,
    /// Rows without coordinates.
    pub missing: u64,
    /// Latitudes beyond 90 degrees.
    pub beyond_lat: u64,
    /// Longitudes beyond 180 degrees.
    pub beyond_lon: u64,
    /// The first row with a latitude beyond 90 degrees, and that latitude.
    pub first_beyond: Option<(u64, f64)>,
    /// Usable points from all over the table.
    pub sample: Vec<[f64; 2]>,
    /// Whether ids may come twice, which needs another look.
    pub unsure: bool,
}

/// Looks at batches in the order of the table.
#[derive(Debug)]
pub(crate) struct Look {
    columns: Columns,
    seen: Looked,
    /// Every so many usable points are sampled.
    step: u64,
    usable: u64,
    growth: Growth,
    last_number: Option<i64>,
    numbers_grow: bool,
    hashes: Option<Hashes>,
}

impl Look {
    /// With `hash`, ids that do not grow are told apart at once; else a look is to be taken again.
    pub(crate) fn new(columns: &Columns, hash: bool) -> Self {
        Self {
            columns: columns.only(&["photo_id", "lon", "lat"]),
            seen: Looked::default(),
            step: 1,
            usable: 0,
            growth: Growth::default(),
            last_number: None,
            numbers_grow: true,
            hashes: hash.then(Hashes::default),
        }
    }

    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let first = self.seen.rows;
        self.ids(batch, first)?;
        let mut coordinates = self.columns.clone();
        coordinates.specs.retain(|spec| spec.target != "photo_id");
        for (row, point) in (first..).zip(coordinates.read(batch, first)?.lonlat) {
            match Reason::of_coordinates(point) {
                Reason::NoCoordinates => self.seen.missing += 1,
                Reason::BeyondLat => {
                    self.seen.beyond_lat += 1;
                    self.seen.first_beyond.get_or_insert((row, point[1]));
                }
                Reason::BeyondLon => self.seen.beyond_lon += 1,
                _ => self.sample(point),
            }
        }
        self.seen.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Takes every n-th usable point; n doubles whenever there are too many.
    fn sample(&mut self, point: [f64; 2]) {
        if self.usable.is_multiple_of(self.step) {
            if self.seen.sample.len() == SAMPLE {
                let mut position = 0;
                self.seen.sample.retain(|_| {
                    position += 1;
                    position % 2 == 1
                });
                self.step *= 2;
            }
            if self.usable.is_multiple_of(self.step) {
                self.seen.sample.push(point);
            }
        }
        self.usable += 1;
    }

    fn ids(&mut self, batch: &RecordBatch, first: u64) -> Result<()> {
        let spec = self
            .columns
            .specs
            .iter()
            .find(|spec| spec.target == "photo_id");
        let spec = spec.ok_or_else(|| Error::Data("no column \"photo_id\"".into()))?;
        let column = batch
            .column_by_name(&spec.source)
            .ok_or_else(|| Error::Data(format!("no column {:?}", spec.source)))?;
        if column.null_count() > 0 {
            let row = (0..column.len())
                .find(|row| column.is_null(*row))
                .unwrap_or(0) as u64;
            return Err(Error::Data(format!("row {} has no photo id", first + row)));
        }
        if column.data_type().is_integer() && self.hashes.is_none() {
            for number in cast(column, &DataType::Int64)?
                .as_primitive::<Int64Type>()
                .values()
            {
                self.numbers_grow &= self.last_number.is_none_or(|last| last < *number);
                self.last_number = Some(*number);
            }
            return Ok(());
        }
        let texts = cast(column, &DataType::Utf8)?;
        for id in texts.as_string::<i32>().iter().flatten() {
            if let Some(hashes) = &mut self.hashes {
                hashes.add(id)?;
            }
            if self.hashes.is_some() || self.growth.holds() {
                self.growth.add(id);
            }
        }
        Ok(())
    }

    /// What was seen, and the hashes of ids that come twice.
    pub(crate) fn finish(mut self) -> Result<(Looked, HashSet<u64>)> {
        let grows = self.growth.holds() && self.numbers_grow;
        let repeated = match self.hashes {
            Some(hashes) if !grows => {
                let repeated = hashes.repeated()?;
                self.seen.unsure = !repeated.is_empty();
                repeated
            }
            _ => {
                self.seen.unsure = !grows;
                HashSet::new()
            }
        };
        Ok((self.seen, repeated))
    }
}
