"""The lock on a workspace, so that two commands do not write in it at the same time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.messages.errors import PipelineError
from pipeline.workspace.folder import Workspace


@contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """Lock the workspace while a command writes in it.

    Raises PipelineError when another command has locked it, or when it can't be written in.
    """
    from filelock import FileLock, Timeout

    if int(os.environ.get("RANK", "0")) > 0:  # one of several processes of `accelerate launch`: the first locks for all
        yield
        return
    lock = FileLock(workspace.lock)
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise PipelineError(
            f"another fsvae-pipe command is running in {workspace.root}; wait until it has ended"
        ) from error
    except OSError as error:
        raise PipelineError(
            f"{workspace.root}: can't be written in ({error.strerror or error}); change its permissions, or name "
            "another workspace with -w"
        ) from error
    try:
        yield
    finally:
        lock.release()
