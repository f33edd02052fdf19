//! Memory for decoded pixels: used again where it fits, given back to the system where it does not.
//!
//! Fresh pages cost time, and what an allocator keeps for later costs memory for good: so large
//! buffers are mappings of their own.
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use memmap2::MmapMut;

/// Smaller buffers are left to the allocator.
const MAPPED_BYTES: usize = 32 << 10;

/// Some bytes.
pub(crate) enum Buffer {
    Small(Vec<u8>),
    Mapped(MmapMut),
}

impl Buffer {
    fn new(length: usize) -> Self {
        if length >= MAPPED_BYTES
            && let Ok(map) = MmapMut::map_anon(length)
        {
            return Self::Mapped(map);
        }
        Self::Small(vec![0; length])
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

/// Buffers that nobody uses, found again by their length.
#[derive(Default)]
pub(crate) struct Buffers {
    idle: Mutex<Vec<Buffer>>,
}

impl Buffers {
    /// A buffer of exactly `length` bytes of any value.
    pub(crate) fn take(&self, length: usize) -> Buffer {
        let found = self.idle.lock().ok().and_then(|mut idle| {
            let place = idle.iter().rposition(|buffer| buffer.len() == length)?;
            Some(idle.swap_remove(place))
        });
        found.unwrap_or_else(|| Buffer::new(length))
    }

    /// Keeps a buffer for the next who takes one of its length.
    pub(crate) fn give_back(&self, buffer: Buffer) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(buffer);
        }
    }

    /// Frees the oldest until at most `bytes` are kept.
    pub(crate) fn keep(&self, bytes: usize) {
        if let Ok(mut idle) = self.idle.lock() {
            let mut kept = 0;
            let fits = |buffer: &&Buffer| {
                kept += buffer.len();
                kept <= bytes
            };
            let count = idle.iter().rev().take_while(fits).count();
            let oldest = idle.len() - count;
            idle.drain(..oldest);
        }
    }
}

/// Memory of tiles that are written, for the next ones.
#[derive(Default)]
pub(crate) struct Files {
    idle: Mutex<Vec<Vec<u8>>>,
}

impl Files {
    /// Bytes that were of use before, of any length, or none.
    pub(crate) fn take(&self) -> Vec<u8> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        idle.unwrap_or_default()
    }

    /// Keeps bytes for the next tile.
    pub(crate) fn give_back(&self, bytes: Vec<u8>) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(bytes);
        }
    }
}
