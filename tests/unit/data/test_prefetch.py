"""Batches made ahead: same order, errors at their place, a clean close."""

import threading
import time

import pytest

from gair_cli.data.prefetch import prefetch


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_in_order(threads):
    def slow_first(number):
        time.sleep(0.02 if number == 0 else 0)
        return number * number

    assert list(prefetch(slow_first, range(10), threads=threads)) == [n * n for n in range(10)]


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_is_raised_where_it_happened(threads):
    made = prefetch(lambda number: 1 // (3 - number), range(10), threads=threads)
    assert [next(made) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)


def test_closing_leaves_no_thread_and_makes_no_more():
    made = []
    batches = prefetch(lambda number: made.append(number) or number, range(10**6), threads=2)
    assert next(batches) == 0
    batches.close()
    assert len(made) < 20
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("gair-loader")]
