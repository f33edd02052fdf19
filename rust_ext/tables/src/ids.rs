//! Whether an id stands for more than one row, for tables of any size.
//!
//! Ids that only grow are unique. Others are hashed; sorted runs of hashes that do not fit into
//! memory go to temporary files. Rows whose hash occurs twice, few as a rule, are compared in full.
use crate::columns::Photos;
use crate::{Error, Result};
use arrow::array::Array;
use arrow::util::display::array_value_to_string;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{BufReader, BufWriter, Read, Seek, Write};

/// Hashes in memory before a run is written: 32 MB.
const RUN: usize = 4 << 20;

/// Tells whether ids only grow, by their bytes or by length and then bytes.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    last: Option<Vec<u8>>,
    by_bytes: Broken,
    by_length: Broken,
}

/// Whether an order was broken.
#[derive(Debug, Default, PartialEq)]
struct Broken(bool);

impl Growth {
    pub(crate) fn add(&mut self, id: &str) {
        let id = id.as_bytes();
        if let Some(last) = &mut self.last {
            self.by_bytes.0 |= id <= last.as_slice();
            self.by_length.0 |= (id.len(), id) <= (last.len(), last.as_slice());
            last.clear();
            last.extend_from_slice(id);
        } else {
            self.last = Some(id.to_vec());
        }
    }

    pub(crate) fn holds(&self) -> bool {
        !(self.by_bytes.0 && self.by_length.0)
    }
}

/// The hash of an id within this process.
pub(crate) fn hash_of(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(id.as_bytes());
    hasher.finish()
}

/// Hashes of any number of ids.
#[derive(Debug, Default)]
pub(crate) struct Hashes {
    open: Vec<u64>,
    runs: Vec<File>,
}

impl Hashes {
    pub(crate) fn add(&mut self, id: &str) -> Result<()> {
        self.open.push(hash_of(id));
        if self.open.len() == RUN {
            self.write_run()
        } else {
            Ok(())
        }
    }

    fn write_run(&mut self) -> Result<()> {
        self.open.sort_unstable();
        let write = || -> std::io::Result<File> {
            let mut file = BufWriter::new(tempfile::tempfile()?);
            for hash in &self.open {
                file.write_all(&hash.to_le_bytes())?;
            }
            let mut file = file.into_inner()?;
            file.rewind()?;
            Ok(file)
        };
        self.runs
            .push(write().map_err(|error| Error::file(&std::env::temp_dir(), error))?);
        self.open.clear();
        Ok(())
    }

    /// The hashes that occur more than once.
    pub(crate) fn repeated(mut self) -> Result<HashSet<u64>> {
        self.open.sort_unstable();
        if self.runs.is_empty() {
            return Ok(self
                .open
                .windows(2)
                .filter(|two| two[0] == two[1])
                .map(|two| two[0])
                .collect());
        }
        let failed = |error: std::io::Error| Error::file(&std::env::temp_dir(), error);
        let mut runs: Vec<Box<dyn Iterator<Item = std::io::Result<u64>>>> = Vec::new();
        for file in self.runs {
            runs.push(Box::new(numbers(BufReader::with_capacity(1 << 16, file))));
        }
        runs.push(Box::new(self.open.into_iter().map(Ok)));
        let mut heads = BinaryHeap::new();
        for (run, numbers) in runs.iter_mut().enumerate() {
            if let Some(first) = numbers.next() {
                heads.push(Reverse((first.map_err(failed)?, run)));
            }
        }
        let (mut repeated, mut last) = (HashSet::new(), None);
        while let Some(Reverse((hash, run))) = heads.pop() {
            if last == Some(hash) {
                repeated.insert(hash);
            }
            last = Some(hash);
            if let Some(next) = runs[run].next() {
                heads.push(Reverse((next.map_err(failed)?, run)));
            }
        }
        Ok(repeated)
    }
}

fn numbers(mut file: impl Read) -> impl Iterator<Item = std::io::Result<u64>> {
    std::iter::from_fn(move || {
        let mut bytes = [0; 8];
        match file.read_exact(&mut bytes) {
            Ok(()) => Some(Ok(u64::from_le_bytes(bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => None,
            Err(error) => Some(Err(error)),
        }
    })
}

/// Rows whose id may stand for several.
#[derive(Debug)]
pub(crate) struct Suspects {
    hashes: HashSet<u64>,
    /// Row and all its values as text, by id.
    rows: HashMap<String, Vec<(u64, String)>>,
}

impl Suspects {
    pub(crate) fn new(hashes: HashSet<u64>) -> Self {
        Self {
            hashes,
            rows: HashMap::new(),
        }
    }

    pub(crate) fn add(&mut self, photos: &Photos, first_row: u64) -> Result<()> {
        for (row, id) in photos.ids()?.iter().enumerate() {
            let id = id.unwrap_or_default();
            if self.hashes.contains(&hash_of(id)) {
                let whole = whole_row(photos, row)?;
                let rows = self.rows.entry(id.to_owned()).or_default();
                rows.push((first_row + row as u64, whole));
            }
        }
        Ok(())
    }

    /// The rows that repeat an earlier one.
    ///
    /// # Errors
    /// [`Error::SameId`] where one id stands for two rows that differ.
    pub(crate) fn repeated(self) -> Result<HashSet<u64>> {
        let mut repeated = HashSet::new();
        let mut clash: Option<Error> = None;
        let mut clash_row = u64::MAX;
        for (id, rows) in self.rows {
            let (first, whole) = &rows[0];
            for (row, other) in &rows[1..] {
                if whole == other {
                    repeated.insert(*row);
                } else if *row < clash_row {
                    clash_row = *row;
                    let (first, second) = (*first, *row);
                    clash = Some(Error::SameId {
                        id: id.clone(),
                        first,
                        second,
                    });
                }
            }
        }
        clash.map_or(Ok(repeated), Err)
    }
}

/// The values of a row as text that differs where they do.
fn whole_row(photos: &Photos, row: usize) -> Result<String> {
    let mut text = String::new();
    for column in photos.batch.columns() {
        if column.is_null(row) {
            text.push('\u{0}');
        } else {
            text.push_str(&array_value_to_string(column, row)?);
        }
        text.push('\u{1f}');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grows(ids: &[&str]) -> bool {
        let mut growth = Growth::default();
        for id in ids {
            growth.add(id);
        }
        growth.holds()
    }

    #[test]
    fn numbers_and_padded_names_grow() {
        assert!(grows(&[]) && grows(&["x"]));
        assert!(grows(&["8", "9", "10", "11"])); // by length
        assert!(grows(&["a", "aa", "b"])); // by bytes
        assert!(!grows(&["a", "b", "b"]) && !grows(&["9", "10", "9"]));
    }

    #[test]
    fn hashes_in_files_are_compared_with_those_in_memory() {
        let mut hashes = Hashes::default();
        for k in 0..100 {
            hashes.add(&format!("id{k}")).expect("room in memory");
            if k % 30 == 29 {
                hashes.write_run().expect("a temporary file");
            }
        }
        for id in ["id5", "id95", "id5"] {
            hashes.add(id).expect("room in memory");
        }
        let wanted: HashSet<u64> = ["id5", "id95"].map(hash_of).into();
        assert_eq!(hashes.repeated().expect("files to read"), wanted);
    }
}
