"""Ctrl-C and SIGTERM end a command by KeyboardInterrupt, so that half-written files are removed.

In two places no exception may be raised. In a callback of weakref, which h5py uses whenever it closes something, Python
would drop it. In data/stores/steady_file.py, which HDF5 calls, HDF5 would crash. A signal that arrives in such a place
is sent again a moment later.
"""

import signal
import weakref
from _thread import interrupt_main
from threading import Timer
from types import FrameType

from data.stores import steady_file

RETRY_SECONDS = 0.01
UNSAFE_FILES = (steady_file.__file__, weakref.__file__)


def install_handlers() -> None:
    """Let SIGTERM and SIGINT raise KeyboardInterrupt with the signal's number.

    SIGINT stays ignored when the shell started the program so.
    """
    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Handle signal `number`, which arrived in `frame`: raise KeyboardInterrupt, or send the signal again later."""
    while frame is not None and frame.f_code.co_filename not in UNSAFE_FILES:
        frame = frame.f_back  # a function that unsafe code calls is unsafe too, and so is the timer started below
    if frame is None:
        raise KeyboardInterrupt(number)
    retry = Timer(RETRY_SECONDS, interrupt_main, (number,))
    retry.daemon = True
    retry.start()


def forget_interrupt() -> None:
    """Make CPython forget a KeyboardInterrupt that was caught, so that the command's own exit code counts.

    CPython notes when the exception leaves code that was compiled from a string; dataclasses and named tuples run such
    code when a library is imported. It then ends the program by SIGINT, whatever the exit code. Running another piece
    of such code clears the note.
    """
    exec("")
