"""The first Ctrl-C is a wish, the second one an end."""

import os
import signal
import threading

import pytest

from vsadmin.lib import stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_sets_the_event(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stopping.on_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(30)
    assert signal.getsignal(number) is before


def test_something_else_comes_first() -> None:
    seen: list[bool] = []
    with stopping.on_signals(lambda: seen.append(stop.is_set())) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(30)
    assert seen == [False]


def test_a_second_one_interrupts() -> None:
    def work() -> None:
        with stopping.on_signals() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.wait(30)
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(30)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping.on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with stopping.on_signals():
        pass
    assert threading.active_count() == before


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    before, inside = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with stopping.on_signals() as stop:
            inside.append((signal.getsignal(signal.SIGINT), stop.is_set()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [(before, False)]
