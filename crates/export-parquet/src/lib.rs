//! Call records as Apache Parquet, for whoever analyses many.
//!
//! A leaf beside the house: the binary brings it with the feature `parquet`, and nothing else knows it. The columns are
//! those of [`COLUMNS`]; every page of entries becomes one row group, so that a file of any length is written with one
//! page in memory. Times are UTC timestamps in microseconds, texts are UTF-8 without control characters, blocks are
//! packed with zstd.

use std::mem;
use std::sync::Arc;

use latchkey_admission::records::CallEntry;
use latchkey_admission::records::columns::{COLUMNS, Cell, Column, Kind};
use latchkey_admission::records::sheet::{Format, Sheet, SheetError};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

/// The key of the file's metadata that tells the version of the columns.
pub const FORMAT_KEY: &str = "latchkey.calls.format";
/// That version.
pub const FORMAT: &str = "1";

/// Apache Parquet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parquet;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn media_type(&self) -> &'static str {
        "application/vnd.apache.parquet"
    }

    fn begin(&self) -> std::result::Result<Box<dyn Sheet>, SheetError> {
        let writer = schema().and_then(|schema| SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties())));
        Ok(Box::new(File(writer.map_err(failed)?)))
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> SheetError {
    SheetError(Box::new(error))
}

fn schema() -> Result<TypePtr> {
    let fields: Result<Vec<TypePtr>> = COLUMNS.iter().map(|column| field(column).map(Arc::new)).collect();
    Type::group_type_builder("calls").with_fields(fields?).build().map(Arc::new)
}

fn field(column: &Column) -> Result<Type> {
    let (physical, logical) = match column.kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Number => (Physical::INT64, None),
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Kind::Flag => (Physical::BOOLEAN, None),
    };
    let field = Type::primitive_type_builder(column.name, physical).with_repetition(Repetition::OPTIONAL);
    field.with_logical_type(logical).build()
}

fn properties() -> WriterProperties {
    let format = KeyValue::new(FORMAT_KEY.to_owned(), FORMAT.to_owned());
    WriterProperties::builder()
        .set_created_by(concat!("latchkey ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        // What is kept until the end of a file grows with its length: of a row group no more than a reader needs.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_key_value_metadata(Some(vec![format]))
        .build()
}

/// A file in progress; what was written and not handed on lies in its vector.
struct File(SerializedFileWriter<Vec<u8>>);

impl Sheet for File {
    fn add(&mut self, entries: &[CallEntry]) -> std::result::Result<Vec<u8>, SheetError> {
        if !entries.is_empty() {
            self.group(entries).map_err(failed)?;
        }
        self.0.flush().map_err(failed)?;
        // The writer counts by itself how far it is: its vector may be emptied.
        Ok(mem::take(self.0.inner_mut()))
    }

    fn end(self: Box<Self>) -> std::result::Result<Vec<u8>, SheetError> {
        self.0.into_inner().map_err(failed)
    }
}

impl File {
    fn group(&mut self, entries: &[CallEntry]) -> Result<()> {
        let mut group = self.0.next_row_group()?;
        for column in COLUMNS {
            let cells = entries.iter().map(|entry| column.cell(entry));
            let Some(writer) = group.next_column()? else {
                return Err(ParquetError::General("the file has too few columns".to_owned()));
            };
            match column.kind {
                Kind::Text => write::<ByteArrayType>(writer, cells, |cell| match cell {
                    Cell::Text(text) => Some(ByteArray::from(text.into_owned().into_bytes())),
                    _ => None,
                }),
                Kind::Number | Kind::Time => write::<Int64Type>(writer, cells, |cell| match cell {
                    Cell::Number(number) => Some(number),
                    _ => None,
                }),
                Kind::Flag => write::<BoolType>(writer, cells, |cell| match cell {
                    Cell::Flag(flag) => Some(flag),
                    _ => None,
                }),
            }?;
        }
        group.close()?;
        Ok(())
    }
}

/// Writes the cells of one column: what is there, and for each whether it is.
fn write<'a, T: DataType>(
    mut writer: SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = Cell<'a>>,
    value: impl Fn(Cell<'a>) -> Option<T::T>,
) -> Result<()> {
    let values: Vec<Option<T::T>> = cells.map(value).collect();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = values.into_iter().flatten().collect();
    writer.typed::<T>().write_batch(&values, Some(&levels), None)?;
    writer.close()
}

#[cfg(test)]
mod tests;
