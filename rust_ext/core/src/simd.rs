//! Which instruction set a loop runs with, chosen once when the program runs.
//!
//! A [`Kernel`] is plain Rust that the compiler vectorises; [`run`] calls the copy of it that was
//! compiled for the best instruction set this processor has. No kernel fuses a multiplication with
//! an addition, so every copy gives the same bits: outputs do not depend on the machine.
//!
//! This file is the crate's only one with unsafe code: calling a function that was compiled for
//! instructions which the processor may lack is sound only after asking it.
#![allow(unsafe_code)]
use std::sync::OnceLock;

/// Instruction sets that loops are compiled for, the plainest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// What every processor of the target has: SSE2 on x86-64, NEON on aarch64.
    Baseline,
    /// 256-bit vectors: AVX2.
    Avx2,
    /// 512-bit vectors: AVX-512 F, DQ, BW and VL.
    Avx512,
}

/// A loop over arrays; mark `run` and all it calls `#[inline(always)]`.
pub trait Kernel {
    /// Runs the loop.
    fn run(self);
}

impl InstructionSet {
    /// The best instruction set of this processor.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<InstructionSet> = OnceLock::new();
        *BEST.get_or_init(|| {
            let there = |set: &&Self| set.is_available();
            let sets = [Self::Avx512, Self::Avx2];
            sets.iter().find(there).copied().unwrap_or(Self::Baseline)
        })
    }

    /// Tells whether this processor has the instruction set.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Baseline => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }
}

/// Runs a kernel with an instruction set, or with the plainest where the processor lacks it.
pub fn run<K: Kernel>(set: InstructionSet, kernel: K) {
    if !set.is_available() {
        return kernel.run();
    }
    match set {
        InstructionSet::Baseline => kernel.run(),
        // SAFETY: `is_available` has just found every feature that these two are compiled for.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { run_avx2(kernel) },
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { run_avx512(kernel) },
        #[cfg(not(target_arch = "x86_64"))]
        InstructionSet::Avx2 | InstructionSet::Avx512 => kernel.run(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<K: Kernel>(kernel: K) {
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2")]
fn run_avx512<K: Kernel>(kernel: K) {
    kernel.run();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_instruction_set_is_available() {
        assert!(InstructionSet::best().is_available());
        assert!(InstructionSet::Baseline.is_available());
    }
}
