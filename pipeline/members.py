"""Work on members (one seed in one phase each), in processes of one thread.

One thread a member means that its sums have one order: a result does not depend on the number of cores, or on which
other members are worked on.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TypeVar

import torch
from joblib import Parallel, delayed

Result = TypeVar("Result")
WATCH_SECONDS = 0.5


def worked_on(function: Callable[..., Result], tasks: Sequence[tuple[object, ...]], workers: int) -> Iterator[Result]:
    """`function(*task)` for each of `tasks`, in the order of the tasks, each as soon as it and those before are done.

    `workers` processes, 0 = one a core; one worker works in this process.
    """
    number = min(len(tasks), workers or os.cpu_count() or 1)
    yield from Parallel(n_jobs=number, return_as="generator")(
        delayed(_alone)(os.getpid(), function, task) for task in tasks
    )


def _alone(parent: int, function: Callable[..., Result], task: tuple[object, ...]) -> Result:
    if os.getpid() != parent:
        _end_with(parent)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(*task)
    finally:
        torch.set_num_threads(threads)


@cache
def _end_with(parent: int) -> None:
    """End this process when `parent` is gone: what a killed program started must not go on writing beside a new one.

    Where the system tells a process nothing of that (Windows), the worker finishes its member.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    if os.getppid() == parent:
        threading.Thread(target=watch, daemon=True).start()
