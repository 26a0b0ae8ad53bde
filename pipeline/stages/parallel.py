"""Worker processes. Each works with one thread, and ends when the program that started it ends.

With one thread, a sum has one order. So a result does not depend on the number of cores, or on the other tasks.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from joblib import Parallel, delayed

from data.memory import keep_freed_memory
from pipeline.cluster.cluster import active

Result = TypeVar("Result")
WATCH_SECONDS = 0.5


def worked_on(
    function: Callable[..., Result],
    tasks: Sequence[tuple[object, ...]],
    workers: int,
    *,
    sent: str = "what the tasks need",
    writes: bool = False,
) -> Iterator[Result]:
    """Yield `function(*task)` for each of `tasks`, in their order, each as soon as it and those before are done.

    `workers` is the number of processes, 0 = one for each core. One worker works in this process. With --cluster, all
    workers of the cluster take part. Where they do not see the workspace, `sent` says on the screen what is sent to
    them, and tasks that write in the workspace (`writes`) are done here, one after another; those may send tasks of
    their own.
    """
    cluster = active()
    if cluster and writes and not cluster.shared:
        for task in tasks:
            yield _alone(function, *task)
        return
    if cluster:
        yield from cluster.results(partial(_alone, function), tasks, sent=sent)
        return
    number = min(len(tasks), workers or os.cpu_count() or 1)
    options = ending_with_this_process() if number > 1 else {}
    yield from Parallel(n_jobs=number, return_as="generator", **options)(
        delayed(_alone)(function, *task) for task in tasks
    )


def _alone(function: Callable[..., Result], *task: object) -> Result:
    keep_freed_memory()
    import torch  # here, so that workers that do not use it start fast

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(*task)
    finally:
        torch.set_num_threads(threads)


def ending_with_this_process() -> Mapping[str, Any]:
    """Return options for `joblib.Parallel` with two workers or more, so that no worker outlives a killed program.

    Without them, a worker may wait for ever to hand over a result, because it holds both ends of the result's pipe.
    """
    return {"initializer": end_with, "initargs": (os.getpid(),)}


def end_with(parent: int) -> None:
    """End this process soon after `parent`, which started it, is gone.

    On Windows a process can't see that, so it finishes its work.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    if os.name != "nt":
        threading.Thread(target=watch, daemon=True).start()
