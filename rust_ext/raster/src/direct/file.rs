//! Reads at an offset, which threads that share a file may do at once.
use std::fs::File;
use std::io;

/// Fills `out` from byte `offset` on, without moving a cursor that threads share.
#[cfg(unix)]
pub(super) fn read_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

/// Fills `out` from byte `offset` on; every read here names its own offset.
#[cfg(windows)]
pub(super) fn read_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    let (mut out, mut offset) = (out, offset);
    while !out.is_empty() {
        let read = file.seek_read(out, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (out, offset) = (&mut out[read..], offset + read as u64);
    }
    Ok(())
}
