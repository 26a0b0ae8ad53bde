"""Worker processes: each works with one thread, and ends with the program that started it.

One thread a member means that its sums have one order: a result does not depend on the number of cores, or on which
other members are worked on.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from joblib import Parallel, delayed

from data.memory import keep_freed_memory

Result = TypeVar("Result")
WATCH_SECONDS = 0.5


def worked_on(function: Callable[..., Result], tasks: Sequence[tuple[object, ...]], workers: int) -> Iterator[Result]:
    """`function(*task)` for each of `tasks`, in the order of the tasks, each as soon as it and those before are done.

    `workers` processes, 0 = one a core; one worker works in this process.
    """
    number = min(len(tasks), workers or os.cpu_count() or 1)
    options = ending_with_this_process() if number > 1 else {}
    yield from Parallel(n_jobs=number, return_as="generator", **options)(
        delayed(_alone)(function, task) for task in tasks
    )


def _alone(function: Callable[..., Result], task: tuple[object, ...]) -> Result:
    keep_freed_memory()
    import torch  # here, since workers that use none of it shall start fast

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(*task)
    finally:
        torch.set_num_threads(threads)


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
