//! Read members of a shard by offset, many at a time.
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rayon::prelude::*;

use super::parse::{DecodedTile, decode_tile};
use super::tar::io_error;
use crate::{Error, Result};

/// Reads `length` bytes at `offset` of a file.
///
/// # Errors
/// [`Error::Malformed`] when the file is shorter, [`Error::Io`] when it cannot be read.
pub fn read_member(path: &Path, offset: u64, length: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|source| io_error(path, source))?;
    read_at(&file, path, offset, length)
}

/// Reads and decodes tiles of one shard in parallel, in the order asked for.
///
/// `members` are (offset, length) of the index; `bands` selects bands of each tile.
///
/// # Errors
/// The first error, by order of `members`, of those that [`read_member`] and [`decode_tile`] name.
pub fn read_tiles(
    path: &Path,
    members: &[(u64, u64)],
    bands: Option<&[usize]>,
) -> Result<Vec<DecodedTile>> {
    let file = File::open(path).map_err(|source| io_error(path, source))?;
    let one = |&(offset, length): &(u64, u64)| {
        let bytes = read_at(&file, path, offset, length)?;
        decode_tile(&bytes, bands).map_err(|error| located(error, path, offset))
    };
    members.par_iter().map(one).collect()
}

fn located(error: Error, path: &Path, offset: u64) -> Error {
    match error {
        Error::Malformed(text) => {
            Error::Malformed(format!("{} at byte {offset}: {text}", path.display()))
        }
        other => other,
    }
}

fn read_at(file: &File, path: &Path, offset: u64, length: u64) -> Result<Vec<u8>> {
    let fail = |source| io_error(path, source);
    let size = file.metadata().map_err(fail)?.len();
    let inside = offset.checked_add(length).is_some_and(|end| end <= size);
    let Some(length) = usize::try_from(length).ok().filter(|_| inside) else {
        return Err(Error::Malformed(format!(
            "{}: bytes {offset} to {offset} + {length} are beyond its {size} bytes",
            path.display()
        )));
    };
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset).map_err(fail)?;
    Ok(bytes)
}
