"""Work on members (one seed in one phase each), in processes of one thread.

One thread a member means that its sums have one order: a result does not depend on the number of cores, or on which
other members are worked on.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from joblib import Parallel, delayed

from data.memory import keep_freed_memory
from pipeline.stages.worker import ending_with_this_process

Result = TypeVar("Result")


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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(*task)
    finally:
        torch.set_num_threads(threads)
