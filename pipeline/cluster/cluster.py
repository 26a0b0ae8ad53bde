"""Work on several machines: `--cluster ADDRESS` sends the tasks of a command to the workers of a Dask cluster.

Where workers share the workspace's folder with this program, under the same path, a task is settings and paths. Without
a shared folder, tasks bring what they need: arrays, and the contents of files. Results come back through Dask. Every
task is the same as on one machine, and so is its result. Dask gives the tasks of a worker that died to others.
"""

import logging
import re
import shutil
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from rich.console import Console

from pipeline.cluster.large_arguments import LargeArguments
from pipeline.cluster.worker import (
    SAME_ADVICE,
    Seen,
    Sent,
    Wanted,
    different,
    keep,
    look,
    processor,
    run_task,
    versions,
)
from pipeline.messages.errors import PipelineError, WrongUsage
from pipeline.workspace.folder import Workspace

Result = TypeVar("Result")
LOCAL = "local:"
CONNECT_SECONDS = 10
WORKER_SECONDS = 30  # to wait for the first worker
LOOK_SECONDS = 20  # between two looks at whether any worker is left
MEGABYTE = 1_000_000
TASK_LIMIT = {"distributed.admin.large-graph-warning-threshold": "1GB"}  # clips that a task brings are several MB
ADDRESS = re.compile(r"((tcp|tls|ws|wss)://)?[^\s/]+:\d+")


class Cluster:
    """A cluster that this program is connected to, with at least one worker."""

    def __init__(self, client: Any, address: str, workspace: Workspace, wanted: Wanted, console: Console) -> None:
        self._client, self._address, self._workspace, self._console = client, address, workspace, console
        self._wanted = wanted
        self._said: set[str] = set()

    @property
    def workers(self) -> int:
        """The number of workers now."""
        return len(self._client.nthreads())

    @property
    def shared(self) -> bool:
        """Whether all workers see the workspace. Otherwise tasks can neither read nor write there."""
        return bool(self._wanted.token)

    def say_not_shared(self, consequence: str) -> None:
        """Say what follows from a workspace that workers do not see. The same line is shown once."""
        if consequence not in self._said:
            self._said.add(consequence)
            line = f"cluster: not every worker sees {self._workspace.root}, so {consequence}"
            self._console.print(line, highlight=False, markup=False)

    def results(
        self,
        function: Callable[..., Result],
        tasks: Iterable[tuple[object, ...]],
        ahead: int | None = None,
        sent: str = "what the tasks need",
    ) -> Iterator[Result]:
        """Yield `function(*task)` for each of `tasks`, in their order, each as soon as it and those before are done.

        At most `ahead` tasks are under way, or wait to be yielded, and each brings its own arguments. Without `ahead`,
        all are under way, and a large argument is sent once, for all tasks that have it; `sent` says what that is.
        Where the workspace is not shared, the path of a file becomes the path of a copy.

        Raises what a task raises, and PipelineError when the cluster can't go on.
        """
        large = LargeArguments(None if self.shared else self._send, self._workspace.cluster)
        waiting: deque[Any] = deque()
        try:
            for task in tasks:
                arguments = list(task) if ahead else [large.place_of(argument) for argument in task]
                waiting.append(self._client.submit(run_task, self._wanted, function, arguments, pure=False))
                if len(waiting) == ahead:
                    yield self._result(waiting.popleft())
            if not ahead and not self.shared:
                size, workers = megabytes(large.num_bytes), self.workers
                to = f"to each of {workers} workers" if workers > 1 else "to the worker"
                self.say_not_shared(f"arrays are sent: {sent}, {size} {to}")
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            self._client.cancel(list(waiting), force=True)
            large.remove()

    def _send(self, argument: Sent) -> object:
        return self._client.submit(keep, argument, pure=False)

    def _result(self, future: Any) -> Any:
        """Wait for the result of one task. Say so when no worker is left to work on it."""
        from distributed import CancelledError, KilledWorker

        told = False
        while True:
            try:
                return future.result(timeout=LOOK_SECONDS)
            except TimeoutError:
                if future.status == "error" and isinstance(future.exception(), TimeoutError):
                    raise  # the task's own, as from a network folder: waiting again would never end
                if self._client.status == "running" and not self.workers and not told:
                    told = True
                    line = f"cluster: no worker is left at {self._address}; the work goes on when one is started"
                    self._console.print(line, highlight=False, markup=False)
            except KilledWorker as error:
                raise PipelineError(
                    f"several workers at {self._address} ended while they worked on the same task, perhaps because "
                    "memory ran out; their logs say more. Run the same command again without --cluster, or on larger "
                    "machines"
                ) from error
            except (CancelledError, OSError) as error:
                if isinstance(error, OSError) and self._client.status == "running":
                    raise  # the task's own
                raise PipelineError(
                    f"the scheduler at {self._address} is gone; start it and its workers again, then run the same "
                    "command again: it goes on from there"
                ) from error


def megabytes(num_bytes: int) -> str:
    """A size for the screen, as "58 MB"."""
    size = num_bytes / MEGABYTE
    return f"{size:.0f} MB" if size >= 10 else f"{size:.1f} MB"


_active: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


def active() -> Cluster | None:
    """The cluster that work is sent to; None when it is done on this machine."""
    return _active.get()


@contextmanager
def connected(address: str, workspace: Workspace, console: Console) -> Iterator[None]:
    """Send all work inside the block to the cluster at `address`, or to N processes here when it is "local:N".

    The workspace must be locked and its path absolute. Raises PipelineError before anything is sent when there is no
    scheduler or no worker at the address, or when a worker has more than one thread or other versions than this
    program.
    """
    try:
        import dask
        import distributed
    except ImportError as error:
        raise PipelineError(f'--cluster {address} needs the extra: `pip install "fsvae-pipe[cluster]"`') from error
    for name in ("distributed", "distributed.client"):  # it logs what it also raises, with tracebacks
        logging.getLogger(name).setLevel(logging.CRITICAL)
    shutil.rmtree(workspace.cluster, ignore_errors=True)  # of a command that was killed
    try:
        with dask.config.set(TASK_LIMIT), _client(distributed, address) as client:
            _require_workers(client, address)
            wanted = _require_alike(client, address, workspace, console)
            cluster = Cluster(client, address, workspace, wanted, console)
            line = f"cluster: {cluster.workers} worker{'s' if cluster.workers > 1 else ''} at {address}"
            console.print(line, highlight=False, markup=False)
            before = _active.set(cluster)
            try:
                yield
            finally:
                _active.reset(before)
    finally:
        shutil.rmtree(workspace.cluster, ignore_errors=True)


@contextmanager
def _client(distributed: Any, address: str) -> Iterator[Any]:
    """Yield a client of the scheduler at `address`, or of one with workers that are started here."""
    if address.startswith(LOCAL):
        number = address.removeprefix(LOCAL)
        if not number.isdigit() or int(number) < 1:
            raise WrongUsage(f"--cluster {address}: give the number of workers, as in local:2")
        # without a limit of memory, as the workers of a command without a cluster
        with (
            distributed.LocalCluster(
                int(number),
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # a port that is free
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            yield client
        return
    if not ADDRESS.fullmatch(address):
        raise WrongUsage(f"--cluster {address}: give the address of a Dask scheduler, as in 10.0.0.5:8786, or local:2")
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except OSError as error:
        raise PipelineError(
            f"--cluster {address}: no scheduler answers there ({' '.join(str(error).split())[:200]}); start one with "
            "`dask scheduler`, which prints its address, or use --cluster local:2"
        ) from error
    with client:
        yield client


def _require_workers(client: Any, address: str) -> None:
    """Raise PipelineError unless there is a worker, and each has one thread."""
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError as error:
        raise PipelineError(
            f"--cluster {address}: no worker came within {WORKER_SECONDS} seconds; start some, on any machine that has "
            f"the workspace under the same path, with `dask worker {address} --nthreads 1`"
        ) from error
    for worker, threads in client.nthreads().items():
        if threads > 1:
            raise PipelineError(
                f"--cluster {address}: the worker {worker} has {threads} threads, which share what must be each task's "
                f"own; start it with one: `dask worker {address} --nthreads 1`"
            )


def _require_alike(client: Any, address: str, workspace: Workspace, console: Console) -> Wanted:
    """Raise PipelineError unless every worker has the same versions as this program.

    Returns what tasks demand of their worker: these versions, and if all see the workspace now, that it sees it too.
    That is shown by a file with a random text, written now; a folder of the same name elsewhere does not have it.
    """
    token = uuid.uuid4().hex
    workspace.cluster.mkdir(parents=True)
    file = workspace.cluster / "token"
    file.write_text(token)
    shared = True
    for worker, seen in client.run(look, file, on_error="return").items():
        if not isinstance(seen, Seen):
            raise PipelineError(
                f"--cluster {address}: the worker {worker} can't run this fsvae-pipe ({type(seen).__name__}: {seen}); "
                f"{SAME_ADVICE}"
            )
        if differences := different(versions(), seen.versions):
            raise PipelineError(f"--cluster {address}: the worker {worker} has {differences}; {SAME_ADVICE}")
        shared = shared and seen.token == token
        if seen.processor != processor():
            line = f"cluster: {worker} has another processor ({seen.processor}), so last bits of results may differ"
            console.print(line, style="yellow", highlight=False, markup=False)
    return Wanted(versions(), file, token if shared else "")
