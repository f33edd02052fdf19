"""Keep BLAS to one thread while probes are fitted.

Their matrices are small: more threads cost more in waiting for each other than they save, tenfold
on a busy machine, and the last digits of a score would depend on the number of cores.
"""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS uses one thread.

    It needs `threadpoolctl`, which scikit-learn brings (`pip install 'gair[eval]'`); without it
    BLAS stays as it is, and `OMP_NUM_THREADS=1` does the same from outside.
    """
    if find_spec("threadpoolctl") is None:
        return nullcontext()
    limits: AbstractContextManager[Any] = import_module("threadpoolctl").threadpool_limits(
        limits=1, user_api="blas"
    )
    return limits
