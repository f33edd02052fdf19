//! Undo the compression of one block at a time, with buffers and contexts that a thread keeps.
use std::cell::RefCell;
use std::fs::File;

use super::file::read_at;

/// A buffer that grew beyond this is given back after its block.
const KEPT_BYTES: usize = 4 << 20;

/// How the bytes of a block are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    /// Not at all.
    Plain,
    /// Deflate in a zlib wrapper.
    Deflate,
    /// A ZSTD frame.
    Zstd,
}

impl Codec {
    /// Finds a codec by TIFF's number.
    pub(super) fn from_code(code: u64) -> Option<Self> {
        match code {
            1 => Some(Self::Plain),
            8 | 32946 => Some(Self::Deflate),
            50000 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Whether `packed` bytes may be a block of `plain` ones: damage is seen before memory is taken.
    fn believes(self, packed: usize, plain: usize) -> bool {
        match self {
            Self::Plain => packed == plain,
            // stored bytes cost little more than themselves; deflate packs 1032 : 1 at best
            Self::Deflate => packed / 2 <= plain + 512 && packed >= plain / 1032,
            Self::Zstd => packed / 2 <= plain + 512,
        }
    }
}

/// What a thread keeps from block to block.
#[derive(Default)]
struct Workspace {
    deflate: Option<libdeflater::Decompressor>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    packed: Vec<u8>,
    plain: Vec<u8>,
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// Reads `length` bytes at `offset` and unpacks them to exactly fill `out`.
///
/// `None` where the file or the block is damaged; `out` then holds nothing of use.
pub(super) fn unpack(
    file: &File,
    codec: Codec,
    (offset, length): (u64, usize),
    out: &mut [u8],
) -> Option<()> {
    if !codec.believes(length, out.len()) {
        return None;
    }
    if codec == Codec::Plain {
        return read_at(file, out, offset).ok();
    }
    WORKSPACE.with_borrow_mut(|space| {
        let packed = lengthen(&mut space.packed, length);
        read_at(file, packed, offset).ok()?;
        let written = match codec {
            Codec::Zstd => unzstd(&mut space.zstd, packed, out)?,
            _ => inflate(&mut space.deflate, packed, out)?,
        };
        give_back(&mut space.packed);
        (written == out.len()).then_some(())
    })
}

fn inflate(
    context: &mut Option<libdeflater::Decompressor>,
    packed: &[u8],
    out: &mut [u8],
) -> Option<usize> {
    let context = context.get_or_insert_with(libdeflater::Decompressor::new);
    context.zlib_decompress(packed, out).ok()
}

fn unzstd(
    context: &mut Option<zstd::bulk::Decompressor<'static>>,
    packed: &[u8],
    out: &mut [u8],
) -> Option<usize> {
    if context.is_none() {
        *context = zstd::bulk::Decompressor::new().ok();
    }
    context.as_mut()?.decompress_to_buffer(packed, out).ok()
}

/// Lends this thread's buffer of `length` bytes of any content.
pub(super) fn with_plain<T>(length: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut plain = WORKSPACE.with_borrow_mut(|space| std::mem::take(&mut space.plain));
    let result = work(lengthen(&mut plain, length));
    give_back(&mut plain);
    WORKSPACE.with_borrow_mut(|space| space.plain = plain);
    result
}

/// The first `length` bytes of a buffer, which only ever grows: old bytes are not cleared.
fn lengthen(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    &mut buffer[..length]
}

fn give_back(buffer: &mut Vec<u8>) {
    if buffer.len() > KEPT_BYTES {
        *buffer = Vec::new();
    }
}
