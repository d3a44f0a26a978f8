"""Stopping a run by a signal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """Let SIGTERM, which schedulers send, stop the block as Ctrl-C does, and make sure that neither is lost.

    Python only reports an exception that a signal raises inside a destructor (of a lock or a socket), and continues.
    In that case the signal is sent again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # after the destructor has returned; not SIGINT, which shells make background processes ignore
    resend = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
    resend.daemon = True

    def on_unraisable(error: sys.UnraisableHookArgs) -> None:
        if error.exc_type is not KeyboardInterrupt:
            previous_hook(error)
        elif not resend.is_alive():
            resend.start()

    previous_handler, previous_hook = signal.signal(signal.SIGTERM, interrupt), sys.unraisablehook
    sys.unraisablehook = on_unraisable
    try:
        yield
    finally:
        resend.cancel()
        sys.unraisablehook = previous_hook
        signal.signal(signal.SIGTERM, previous_handler)
