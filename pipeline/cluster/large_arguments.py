"""Large arguments of tasks, each of which several tasks have, such as the features of a phase.

Where workers share the workspace, an argument is written once into its folder .cluster/, and the tasks name its file.
Otherwise it is sent as a task of its own, whose result Dask hands from worker to worker, and makes again when the
workers that had it have died.
"""

import pickle
import uuid
from collections.abc import Callable
from pathlib import Path

from pipeline.cluster.worker import InFile, Sent

LARGE_BYTES = 1 << 16  # a smaller argument goes with each task


class LargeArguments:
    """The large arguments of one call of `Cluster.results`. `send` hands over one; None = they go by files in `folder`.

    num_bytes: how much all arguments take, each counted once.
    """

    def __init__(self, send: Callable[[Sent], object] | None, folder: Path) -> None:
        self.num_bytes = 0
        self._send, self._folder = send, folder
        self._places: dict[int, tuple[object, object]] = {}  # by the id of the argument, which must live as long

    def place_of(self, argument: object) -> object:
        """What a task gets in place of `argument`: the argument itself when it is small.

        Without a shared folder, the path of a file counts as its contents.
        """
        if id(argument) not in self._places:
            self._places[id(argument)] = argument, self._placed(argument)
        return self._places[id(argument)][1]

    def remove(self) -> None:
        """Remove the files."""
        for _, place in self._places.values():
            if isinstance(place, InFile):
                place.path.unlink(missing_ok=True)

    def _placed(self, argument: object) -> object:
        if self._send and isinstance(argument, Path) and argument.is_file():
            sent = Sent(argument.read_bytes(), argument.name)
            self.num_bytes += len(sent.content)
            return self._send(sent)
        content = pickle.dumps(argument, protocol=5)
        self.num_bytes += len(content)
        if len(content) < LARGE_BYTES:
            return argument
        if self._send:
            return self._send(Sent(content))
        file = InFile(self._folder / f"{uuid.uuid4().hex}.pickle")
        file.path.write_bytes(content)
        return file
