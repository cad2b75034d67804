"""SIGTERM closes the window instead of raising where nobody hears it."""

import os
import signal
import sys

import pytest

from viz.told_to_end import told_to_end


class Closable:
    closed = False

    def request_close(self):
        self.closed = True


def hearing(number, frame):
    raise SystemExit(128 + number)


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process there")
def test_the_window_closes_and_the_handler_of_before_is_back():
    original = signal.signal(signal.SIGTERM, hearing)
    window = Closable()
    try:
        with told_to_end(window) as told:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.getsignal(signal.SIGTERM)  # a bytecode or two, in which it is heard
        assert window.closed and told == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is hearing
    finally:
        signal.signal(signal.SIGTERM, original)


def test_where_nobody_listened_nobody_does():
    original = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with told_to_end(Closable()):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, original)
