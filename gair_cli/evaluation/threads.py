"""Keep BLAS to one thread while probes are fitted.

Their matrices are small: more threads cost more in waiting for each other than they save, tenfold
on a busy machine, and the last digits of a score would depend on the number of cores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS uses one thread."""
    limits: AbstractContextManager[Any] = threadpool_limits(limits=1, user_api="blas")
    return limits
