//! A deterministic ustar writer: no times, no owners, members where the index says they are.
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crate::{Error, Result};

const BLOCK: u64 = 512;
/// Headers and padding are gathered; tiles, being larger, go to the file as they are.
const BUFFER: usize = 1 << 14;
/// The disk begins to take what was written when it is so much, while more is written.
const SYNC_EVERY: u64 = 32 << 20;
const SIZE_LIMIT: u64 = 0o77_777_777_777;

/// Writes members one after the other and says where each one's bytes are.
///
/// The same members give the same bytes: mtime, uid and gid are 0 and the mode is 0644.
pub struct TarWriter {
    file: BufWriter<File>,
    path: PathBuf,
    position: u64,
    sync: Sync,
}

/// Syncs a file beside its writer, so that little is left to wait for in the end.
#[derive(Default)]
struct Sync {
    running: Option<JoinHandle<std::io::Result<()>>>,
    /// Where the file ended when it was begun.
    begun_at: u64,
}

impl Sync {
    /// Begins, if enough was written and the one before has ended.
    fn go_on(&mut self, file: &File, position: u64) -> std::io::Result<()> {
        if position < self.begun_at + SYNC_EVERY {
            return Ok(());
        }
        if self.running.as_ref().is_none_or(JoinHandle::is_finished) {
            self.wait()?;
            let file = file.try_clone()?;
            self.running = Some(std::thread::spawn(move || file.sync_data()));
            self.begun_at = position;
        }
        Ok(())
    }

    /// Waits for its end; a failure shows here only, since the system reports it once.
    fn wait(&mut self) -> std::io::Result<()> {
        match self.running.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(std::io::Error::other("a thread panicked")),
            None => Ok(()),
        }
    }
}

impl TarWriter {
    /// Starts a new archive, replacing what is at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|source| io_error(path, source))?;
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER, file),
            path: path.to_owned(),
            position: 0,
            sync: Sync::default(),
        })
    }

    /// Goes on behind the first `position` bytes of an archive, dropping what follows them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when `position` is no member boundary of this file, [`Error::Io`]
    /// when the file cannot be opened.
    pub fn resume(path: &Path, position: u64) -> Result<Self> {
        let fail = |source| io_error(path, source);
        let mut file = OpenOptions::new().write(true).open(path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        if position > length || !position.is_multiple_of(BLOCK) {
            return Err(Error::InvalidArgument(format!(
                "{}: {position} is not a member boundary of its {length} bytes",
                path.display()
            )));
        }
        file.set_len(position).map_err(fail)?;
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER, file),
            path: path.to_owned(),
            position,
            sync: Sync {
                running: None,
                begun_at: position,
            },
        })
    }

    /// Bytes written so far: where the next member's header begins.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Appends a member; returns the offset of its first data byte.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the name does not fit ustar's 100 (or 155 + 100) bytes or
    /// the data its 8 GiB, [`Error::Io`] when the system refuses the write.
    pub fn add(&mut self, name: &str, data: &[u8]) -> Result<u64> {
        let length = data.len() as u64;
        let header = header(name, length)?;
        let padding = (BLOCK - length % BLOCK) % BLOCK;
        self.write(&header)?;
        self.write(data)?;
        self.write(&[0; 512][..usize::try_from(padding).unwrap_or(0)])?;
        let begun = self.sync.go_on(self.file.get_ref(), self.position);
        begun.map_err(|source| io_error(&self.path, source))?;
        Ok(self.position - padding - length)
    }

    /// Drops every member behind `position`, as returned by [`TarWriter::position`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when `position` lies ahead, [`Error::Io`] from the system.
    pub fn rewind(&mut self, position: u64) -> Result<()> {
        if position > self.position || !position.is_multiple_of(BLOCK) {
            return Err(Error::InvalidArgument(format!(
                "{position} is not a member boundary behind {}",
                self.position
            )));
        }
        let path = self.path.clone();
        let fail = |source| io_error(&path, source);
        self.file.flush().map_err(fail)?;
        self.file.get_ref().set_len(position).map_err(fail)?;
        self.file.seek(SeekFrom::Start(position)).map_err(fail)?;
        self.position = position;
        self.sync.begun_at = self.sync.begun_at.min(position);
        Ok(())
    }

    /// Writes the end mark and syncs the file to disk; returns its length.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses the write.
    pub fn finish(mut self) -> Result<u64> {
        self.write(&[0; 1024])?;
        let path = self.path.clone();
        let fail = |source| io_error(&path, source);
        self.file.flush().map_err(fail)?;
        self.sync.wait().map_err(fail)?;
        self.file.get_ref().sync_all().map_err(fail)?;
        Ok(self.position)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|source| io_error(&self.path, source))?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

pub(super) fn io_error(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.display().to_string(),
        source,
    }
}

fn header(name: &str, length: u64) -> Result<[u8; 512]> {
    let (prefix, base) = split_name(name)?;
    if length > SIZE_LIMIT {
        return Err(Error::InvalidArgument(format!(
            "member {name} has {length} bytes, above 8 GiB"
        )));
    }
    let mut header = [0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, base.as_bytes());
    put(100, b"0000644\x000000000\x000000000\x00");
    put(124, format!("{length:011o}\0").as_bytes());
    put(136, b"00000000000\0        0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

fn split_name(name: &str) -> Result<(&str, &str)> {
    if !name.is_empty() && name.len() <= 100 {
        return Ok(("", name));
    }
    name.match_indices('/')
        .map(|(at, _)| (&name[..at], &name[at + 1..]))
        .find(|(prefix, base)| prefix.len() <= 155 && (1..=100).contains(&base.len()))
        .ok_or_else(|| Error::InvalidArgument(format!("member name {name:?} does not fit a tar")))
}

#[cfg(test)]
mod tests {
    use super::{TarWriter, header, split_name};

    fn scratch(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("gair-core-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_header_holds_name_size_and_checksum() {
        let bytes = header("a.tif", 5).unwrap();
        assert_eq!(&bytes[..6], b"a.tif\0");
        assert_eq!(&bytes[124..136], b"00000000005\0");
        let mut blank = bytes;
        blank[148..156].fill(b' ');
        let sum: u32 = blank.iter().map(|b| u32::from(*b)).sum();
        assert_eq!(&bytes[148..154], format!("{sum:06o}").as_bytes());
    }

    #[test]
    fn offsets_point_at_the_data() {
        let path = scratch("offsets.tar");
        let mut tar = TarWriter::create(&path).unwrap();
        assert_eq!(tar.add("a", b"hello").unwrap(), 512);
        assert_eq!(tar.add("b", &[7; 512]).unwrap(), 1536);
        let mark = tar.position();
        tar.add("c", b"gone").unwrap();
        tar.rewind(mark).unwrap();
        assert_eq!(tar.finish().unwrap(), 2048 + 1024);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            (&bytes[512..517], &bytes[1536..2048]),
            (&b"hello"[..], &[7_u8; 512][..])
        );
        assert!(bytes[2048..].iter().all(|b| *b == 0));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_resumed_archive_equals_an_undisturbed_one() {
        let (one, two) = (scratch("one.tar"), scratch("two.tar"));
        let mut tar = TarWriter::create(&one).unwrap();
        tar.add("a", b"hello").unwrap();
        let mark = tar.position();
        tar.add("x", b"lost").unwrap();
        tar.finish().unwrap();
        let mut tar = TarWriter::resume(&one, mark).unwrap();
        tar.add("b", b"world").unwrap();
        tar.finish().unwrap();
        let mut tar = TarWriter::create(&two).unwrap();
        tar.add("a", b"hello").unwrap();
        tar.add("b", b"world").unwrap();
        tar.finish().unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        assert!(TarWriter::resume(&one, 5).is_err());
        std::fs::remove_file(one).unwrap();
        std::fs::remove_file(two).unwrap();
    }

    #[test]
    fn long_names_are_split_at_a_slash_or_refused() {
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(90));
        assert_eq!(split_name(&long).unwrap().0.len(), 120);
        assert!(split_name(&"f".repeat(101)).is_err());
        assert!(split_name("").is_err());
    }
}
