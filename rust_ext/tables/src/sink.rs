//! Parquet files, encoded on all threads and written in order.
use crate::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Columns that few values fill, so that a dictionary is worth its while.
const FEW_VALUES: [&str; 5] = ["split", "source", "licence", "block", "reason"];
/// Hashes: nothing makes them smaller but half a byte a digit, which is not worth the time.
const HASHES: [&str; 2] = ["sample_id", "tile_id"];
/// Columns whose least and greatest values spare no reader a row group.
const WITHOUT_BOUNDS: [&str; 6] = [
    "sample_id",
    "tile_id",
    "x",
    "y",
    "edge_distance_m",
    "geometry",
];

/// Encoded row groups that may wait for the file.
const AHEAD: usize = 4;

/// A Parquet file in the making; a thread of its own writes what others encode.
pub(crate) struct ParquetSink {
    path: PathBuf,
    schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
    groups: Option<SyncSender<RowGroup>>,
    thread: Option<JoinHandle<Written>>,
}

type Written = parquet::errors::Result<SerializedFileWriter<File>>;

/// An encoded row group.
pub(crate) type RowGroup = Vec<ArrowColumnChunk>;

impl std::fmt::Debug for ParquetSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ParquetSink({})", self.path.display())
    }
}

impl ParquetSink {
    /// Starts a file.
    pub(crate) fn create(path: &Path, schema: SchemaRef) -> Result<Self> {
        let failed = |error: parquet::errors::ParquetError| Error::file(path, error);
        let mut properties = properties(&schema)?;
        add_encoded_arrow_schema_to_metadata(&schema, &mut properties);
        let properties = Arc::new(properties);
        let root = ArrowSchemaConverter::new()
            .convert(&schema)
            .map_err(failed)?;
        let file = File::create(path).map_err(|error| Error::file(path, error))?;
        let writer = SerializedFileWriter::new(file, root.root_schema_ptr(), properties);
        let writer = writer.map_err(failed)?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&schema));
        let (sender, receiver) = sync_channel(AHEAD);
        Ok(Self {
            path: path.to_owned(),
            schema,
            factory,
            groups: Some(sender),
            thread: Some(std::thread::spawn(move || write_all(writer, receiver))),
        })
    }

    /// Encodes a row group; any thread may.
    pub(crate) fn encode(&self, batch: &RecordBatch) -> Result<RowGroup> {
        let encode = || -> parquet::errors::Result<RowGroup> {
            let mut writers = self.factory.create_column_writers(0)?.into_iter();
            let mut chunks = Vec::new();
            for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
                for leaf in compute_leaves(field, column)? {
                    if let Some(mut writer) = writers.next() {
                        writer.write(&leaf)?;
                        chunks.push(writer.close()?);
                    }
                }
            }
            Ok(chunks)
        };
        encode().map_err(|error| Error::file(&self.path, error))
    }

    /// Hands an encoded row group to the file, behind those before it.
    pub(crate) fn append(&mut self, group: RowGroup) -> Result<()> {
        let sent = self
            .groups
            .as_ref()
            .is_some_and(|to| to.send(group).is_ok());
        if sent {
            return Ok(());
        }
        self.finish().map(drop) // the thread has ended: with the error
    }

    /// Writes the footer with some texts of the whole file.
    pub(crate) fn close(mut self, metadata: &[(String, String)]) -> Result<()> {
        let mut writer = self.finish()?;
        for (key, text) in metadata {
            let entry = KeyValue::new(key.clone(), text.clone());
            writer.append_key_value_metadata(entry);
        }
        let closed = writer.close();
        closed
            .map(drop)
            .map_err(|error| Error::file(&self.path, error))
    }

    /// Waits until all row groups are written.
    fn finish(&mut self) -> Result<SerializedFileWriter<File>> {
        self.groups = None;
        let thread = self.thread.take().ok_or(Error::Broken)?;
        let written = thread.join().map_err(|_| Error::Broken)?;
        written.map_err(|error| Error::file(&self.path, error))
    }
}

impl Drop for ParquetSink {
    fn drop(&mut self) {
        self.groups = None; // which ends the thread
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes row groups as they come.
fn write_all(mut writer: SerializedFileWriter<File>, groups: Receiver<RowGroup>) -> Written {
    for group in groups {
        let mut rows = writer.next_row_group()?;
        for chunk in group {
            chunk.append_to_row_group(&mut rows)?;
        }
        rows.close()?;
    }
    Ok(writer)
}

fn properties(schema: &SchemaRef) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(|error| Error::Data(error.to_string()))?;
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for field in schema.fields() {
        let column = ColumnPath::from(field.name().as_str());
        let name = field.name().as_str();
        if WITHOUT_BOUNDS.contains(&name) {
            let column = column.clone();
            builder = builder.set_column_statistics_enabled(column, EnabledStatistics::None);
        }
        if FEW_VALUES.contains(&name) {
            builder = builder.set_column_dictionary_enabled(column, true);
        } else if HASHES.contains(&name) {
            builder = builder.set_column_compression(column, Compression::UNCOMPRESSED);
        } else if field.data_type() == &DataType::Float64 {
            // coordinates are noise to a compressor
            builder = builder.set_column_compression(column, Compression::UNCOMPRESSED);
        } else if name == "photo_id" {
            builder = builder.set_column_encoding(column, Encoding::DELTA_BYTE_ARRAY);
        }
    }
    Ok(builder.build())
}
