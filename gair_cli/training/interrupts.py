"""Let signals wait until a step is whole: Ctrl-C and SIGTERM end a run, SIGUSR1 only saves it.

A batch system that will take the machine away sends one of them some seconds before.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM)
_SAVING = signal.SIGUSR1


class Interrupt:
    """Whether a signal has arrived.

    Attributes:
        number: Of the signal that asks to stop, or None.
        save: Whether a checkpoint is asked for.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.save = False

    def __bool__(self) -> bool:
        """Tell whether to stop."""
        return self.number is not None

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Remember a signal."""
        if number == _SAVING:
            self.save = True
        else:
            self.number = number


@contextmanager
def deferred_interrupts() -> Iterator[Interrupt]:
    """Hold back SIGINT and SIGTERM while the body runs, and deliver them after it.

    The body looks at the interrupt between steps, saves, and leaves. Then the handlers of before
    are back and get the signal, so the caller sees what it would have seen. SIGUSR1 is noted and
    not delivered. Outside the main thread, where Python allows no handlers, nothing is held back.

    Yields:
        True in a condition once a signal that ends the run has arrived.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.signal(number, interrupt.note) for number in (*_STOPPING, _SAVING)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if interrupt.number is not None:
        signal.raise_signal(interrupt.number)
