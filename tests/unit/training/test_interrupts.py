"""Signals wait for the end of a step."""

import os
import signal

import pytest

from gair_cli.training.interrupts import deferred_interrupts


def test_ctrl_c_is_held_back_and_delivered_after_the_body():
    done = []

    def work():
        with deferred_interrupts() as interrupt:
            os.kill(os.getpid(), signal.SIGINT)
            done.append("rest of the step")
            assert interrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["rest of the step"]


def test_without_a_signal_handlers_are_as_before():
    before = signal.getsignal(signal.SIGTERM)
    with deferred_interrupts() as interrupt:
        assert not interrupt
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_error_in_the_body_wins_and_restores_the_handlers():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), deferred_interrupts():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) == before
