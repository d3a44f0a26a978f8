"""Stopping a command by a signal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """Let SIGTERM, which schedulers send, and SIGHUP, of a closed terminal, stop the block as Ctrl-C does.

    By default they end the process at once, and its temporary files stay. One that is ignored, as SIGHUP under
    ``nohup``, stays ignored.

    No signal is lost: Python only reports an exception that a signal raises inside a destructor (of a lock or a
    socket), and continues. In that case the signal is sent again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    timers: list[threading.Timer] = []

    def on_unraisable(error: sys.UnraisableHookArgs) -> None:
        if error.exc_type is not KeyboardInterrupt:
            previous_hook(error)
        else:  # after the destructor has returned; not SIGINT, which shells make background processes ignore
            timers.append(threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)))
            timers[-1].daemon = True
            timers[-1].start()

    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    previous_hook = sys.unraisablehook
    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    sys.unraisablehook = on_unraisable
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        sys.unraisablehook = previous_hook
        for number, handler in previous.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, handler)
