"""Make batches in threads ahead of the step that needs them, in order, and close cleanly."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

In = TypeVar("In")
Out = TypeVar("Out")


def prefetch(
    make: Callable[[In], Out], inputs: Iterable[In], *, threads: int, ahead: int = 2
) -> Generator[Out]:
    """Yield make(input) for each input, in order, made by threads ahead of time.

    Args:
        make: A function that depends on its argument only.
        inputs: What to make; taken lazily.
        threads: Worker threads; 0 makes each in the caller's thread when it is asked for.
        ahead: Results held beyond those in the making.

    Yields:
        The results; an error of `make` is raised at its place. Closing the generator (or an
        error in its consumer) cancels what has not begun and waits for the rest.
    """
    if threads == 0:
        yield from map(make, inputs)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="gair-loader")
    waiting: deque[Future[Out]] = deque()
    try:
        for one in inputs:
            waiting.append(pool.submit(make, one))
            if len(waiting) >= threads + ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
