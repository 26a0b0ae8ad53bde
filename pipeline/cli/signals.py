"""Ctrl-C and SIGTERM end a command by KeyboardInterrupt, so that half-written files are taken away.

Where Python would lose the exception (a callback of weakref, which h5py uses for all that it closes) or HDF5 would not
survive it (data/stores/steady_file.py, which HDF5 calls), the signal comes again a moment later.
"""

import signal
import weakref
from _thread import interrupt_main
from threading import Timer
from types import FrameType

from data.stores import steady_file

AGAIN_SECONDS = 0.01
NOT_IN = (steady_file.__file__, weakref.__file__)


def hear_signals() -> None:
    """Let SIGTERM, and SIGINT unless the shell has it ignored, raise KeyboardInterrupt with the signal's number."""
    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop)


def stop(number: int, frame: FrameType | None) -> None:
    """What a signal does; `frame` is where it came."""
    while frame is not None and frame.f_code.co_filename not in NOT_IN:
        frame = frame.f_back  # one that is called from there is no better, as what starts the timer below
    if frame is None:
        raise KeyboardInterrupt(number)
    again = Timer(AGAIN_SECONDS, interrupt_main, (number,))
    again.daemon = True
    again.start()


def take_interrupt() -> None:
    """To be called once KeyboardInterrupt was caught, so that the command's own exit code counts.

    CPython ends a program by SIGINT, whatever its exit code, when the exception has gone through code that was compiled
    from a string, as dataclasses and named tuples are when a library is imported; the next such code makes it forget.
    """
    exec("")
