//! Parquet and Arrow files, decoded on a thread of their own.
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, MutableArrayData, RecordBatch, make_array};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// Rows of a batch.
pub(crate) const ROWS: usize = 49_152;
/// Decoded batches that may wait.
const AHEAD: usize = 2;

/// The batches of a file, in order.
pub(crate) struct Batches {
    receiver: Option<Receiver<Result<RecordBatch>>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts to read some columns of a Parquet or Arrow file.
pub(crate) fn read(path: &Path, columns: &[&str], limit: Option<u64>) -> Result<Batches> {
    let reader = match kind_of(path)? {
        FileKind::Parquet => parquet_batches(path, columns, limit)?,
        kind => arrow_batches(path, kind, columns)?,
    };
    let (sender, receiver) = sync_channel(AHEAD);
    let thread = std::thread::spawn(move || {
        let mut left = usize::try_from(limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        for batch in reader {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    let _ = sender.send(Err(error));
                    return;
                }
            };
            let rows = batch.num_rows().min(left);
            left -= rows;
            for start in (0..rows).step_by(ROWS) {
                let part = part_of(&batch, start, ROWS.min(rows - start));
                if sender.send(Ok(part)).is_err() {
                    return; // nobody listens any more
                }
            }
            if left == 0 {
                return;
            }
        }
    });
    Ok(Batches {
        receiver: Some(receiver),
        thread: Some(thread),
    })
}

/// Some rows of a batch: copies where the batch is large, so that its memory goes before the last
/// of its rows is worked on.
fn part_of(batch: &RecordBatch, start: usize, rows: usize) -> RecordBatch {
    let part = batch.slice(start, rows);
    if batch.num_rows() <= ROWS {
        return part;
    }
    let copy = |column: &ArrayRef| {
        let data = column.to_data();
        let mut copy = MutableArrayData::new(vec![&data], false, rows);
        copy.try_extend(0, 0, rows)?;
        Ok::<_, ArrowError>(make_array(copy.freeze()))
    };
    let copied: std::result::Result<Vec<_>, _> = part.columns().iter().map(copy).collect();
    let copied = copied.and_then(|columns| RecordBatch::try_new(part.schema(), columns));
    copied.unwrap_or(part)
}

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Parquet,
    ArrowFile,
    ArrowStream,
}

type Reader = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

fn kind_of(path: &Path) -> Result<FileKind> {
    let mut start = [0; 6];
    let mut file = open(path)?;
    let read = file
        .read(&mut start)
        .map_err(|error| Error::file(path, error))?;
    Ok(match &start[..read] {
        [b'P', b'A', b'R', b'1', ..] => FileKind::Parquet,
        b"ARROW1" => FileKind::ArrowFile,
        _ => FileKind::ArrowStream,
    })
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| Error::file(path, error))
}

fn parquet_batches(path: &Path, columns: &[&str], limit: Option<u64>) -> Result<Reader> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(open(path)?);
    let mut builder = builder.map_err(|error| Error::file(path, error))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    builder = builder.with_projection(mask).with_batch_size(ROWS);
    if let Some(limit) = limit {
        builder = builder.with_limit(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let claimed = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let claimed = claimed.min(limit.unwrap_or(u64::MAX));
    let reader = builder.build().map_err(|error| Error::file(path, error))?;
    let (path, end) = (path.to_owned(), path.to_owned());
    let rows = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&rows);
    let batches = reader.map(move |batch| {
        let batch = batch.map_err(|error| Error::file(&path, error))?;
        seen.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        Ok(batch)
    });
    let check = std::iter::once_with(move || {
        let rows = rows.load(Ordering::Relaxed);
        let message = format!("its footer tells of {claimed} rows, and {rows} are there");
        (rows != claimed).then(|| Err(Error::file(&end, message)))
    });
    Ok(Box::new(batches.chain(check.flatten())))
}

fn arrow_batches(path: &Path, kind: FileKind, columns: &[&str]) -> Result<Reader> {
    let failed = |error: ArrowError| Error::file(path, error);
    let file = BufReader::with_capacity(1 << 20, open(path)?);
    let owned = path.to_owned();
    let named = move |batch: std::result::Result<RecordBatch, ArrowError>| {
        batch.map_err(|error| Error::file(&owned, error))
    };
    if kind == FileKind::ArrowFile {
        let whole = FileReader::try_new(file, None).map_err(failed)?;
        let wanted = positions(&whole.schema(), columns);
        let file = BufReader::with_capacity(1 << 20, open(path)?);
        let reader = FileReader::try_new(file, Some(wanted)).map_err(failed)?;
        return Ok(Box::new(reader.map(named)));
    }
    let whole = StreamReader::try_new(file, None).map_err(failed)?;
    let wanted = positions(&whole.schema(), columns);
    let file = BufReader::with_capacity(1 << 20, open(path)?);
    let reader = StreamReader::try_new(file, Some(wanted)).map_err(failed)?;
    Ok(Box::new(reader.map(named)))
}

fn positions(schema: &Schema, columns: &[&str]) -> Vec<usize> {
    let names = schema.fields().iter().enumerate();
    names
        .filter(|(_, field)| columns.contains(&field.name().as_str()))
        .map(|(at, _)| at)
        .collect()
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Ok(batch) = self.receiver.as_ref()?.recv() {
            return Some(batch);
        }
        self.receiver = None;
        let broken = self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err());
        broken.then_some(Err(Error::Broken))
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.receiver = None; // which ends the thread
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a file is: columns with the names of their types, and its texts.
pub type Description = (Vec<(String, String)>, Vec<(String, String)>);

/// The columns of a Parquet or Arrow file, with the names of their types, and its texts.
///
/// # Errors
/// [`Error::File`] where it cannot be read.
pub fn describe(path: &Path) -> Result<Description> {
    let failed = |error: ArrowError| Error::file(path, error);
    let (schema, texts) = match kind_of(path)? {
        FileKind::Parquet => {
            let builder = ParquetRecordBatchReaderBuilder::try_new(open(path)?);
            let builder = builder.map_err(|error| Error::file(path, error))?;
            let texts = builder.metadata().file_metadata().key_value_metadata();
            let texts = texts.into_iter().flatten();
            let texts = texts.filter_map(|text| Some((text.key.clone(), text.value.clone()?)));
            (Arc::clone(builder.schema()), texts.collect())
        }
        FileKind::ArrowFile => {
            let reader = FileReader::try_new(open(path)?, None).map_err(failed)?;
            (reader.schema(), texts_of(&reader.schema()))
        }
        FileKind::ArrowStream => {
            let reader = StreamReader::try_new(open(path)?, None).map_err(failed)?;
            (reader.schema(), texts_of(&reader.schema()))
        }
    };
    let columns = schema.fields().iter();
    let columns = columns.map(|field| (field.name().clone(), type_name(field.data_type())));
    Ok((columns.collect(), texts))
}

fn texts_of(schema: &Schema) -> Vec<(String, String)> {
    let texts = schema.metadata().iter();
    texts
        .map(|(key, text)| (key.clone(), text.clone()))
        .collect()
}

/// A few words for many types: what they can be read as.
fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::Dictionary(_, values) => type_name(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary".into(),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => "time".into(),
        kind if kind.is_integer() => "integer".into(),
        kind if kind.is_floating() || kind.is_decimal() => "float".into(),
        kind => kind.to_string(),
    }
}
