"""Worker processes that end with the program that started them."""

import os
import threading
import time
from collections.abc import Mapping
from typing import Any

WATCH_SECONDS = 0.5


def ending_with_this_process() -> Mapping[str, Any]:
    """Options for `joblib.Parallel` with two workers or more, by which none of them outlives a killed program.

    joblib's own workers may wait for ever to be rid of a result: they hold both ends of the pipe it goes into.
    """
    return {"initializer": end_with, "initargs": (os.getpid(),)}


def end_with(parent: int) -> None:
    """End this process soon after `parent`, which started it, is gone.

    Where the system tells a process nothing of that (Windows), it finishes its work.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    if os.name != "nt":
        threading.Thread(target=watch, daemon=True).start()
