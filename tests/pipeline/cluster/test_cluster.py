"""Work on a Dask cluster gives the same bytes as work here, and what can't work is a message before anything starts."""

import io
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from data.errors import DataError
from pipeline.cli.main import main
from pipeline.cluster import cluster as module
from pipeline.cluster import worker
from pipeline.cluster.cluster import active, connected
from pipeline.cluster.worker import Seen, Wanted, versions
from pipeline.messages.errors import PipelineError, WrongUsage
from pipeline.workspace.folder import Workspace
from tests.conftest import TinyRun
from tests.pipeline.cluster.by_hand import ByHand, command, contents, started

QUIET = Console(quiet=True)


def sum_of(number: int, rows: Any) -> float:
    sys.stderr.write(f"task {number}\n")
    return number + float(rows.sum())


def refuse(path: Path) -> None:
    raise DataError(f"{path}: refused")


def time_out() -> None:
    raise TimeoutError("the folder does not answer")


def double(number: int, folder: Path, rows: Any) -> int:
    """Say in `folder` that the task began, and end when the file `go` is beside it."""
    (folder / f"{number}-{os.getpid()}").touch()
    while not (folder.parent / "go").exists():
        time.sleep(0.05)
    return 2 * number * int(rows.mean())


@contextmanager
def at_the_first_task(folder: Path, act: Callable[[int], None]) -> Iterator[None]:
    """Meanwhile call `act` with the process that has begun a task, whichever Dask lets begin, and let all tasks end."""

    def wait_and_act() -> None:
        while not (begun := list(folder.iterdir())):
            time.sleep(0.05)
        act(int(begun[0].name.partition("-")[2]))
        (folder.parent / "go").touch()

    thread = Thread(target=wait_and_act, daemon=True)
    thread.start()
    yield
    thread.join()


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByHand]:
    with started(tmp_path_factory.mktemp("machines"), 2) as machines:
        yield machines


def test_results_come_in_order_and_large_arguments_go_by_file(
    tmp_path: Path, by_hand: ByHand, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = np.ones(200_000)
    console = Console(file=io.StringIO(), width=200)
    workspace = Workspace(tmp_path)
    with connected(by_hand.address, workspace, console):
        cluster = active()
        assert cluster is not None
        bounded = cluster.results(sum_of, ((number, rows[:1]) for number in range(5, 10)), ahead=2)
        assert list(bounded) == [6, 7, 8, 9, 10]
        results = cluster.results(sum_of, ((number, rows) for number in range(5)))
        assert next(results) == 200_000
        assert len(list(workspace.cluster.glob("*.pickle"))) == 1
        assert list(results) == [200_001.0, 200_002.0, 200_003.0, 200_004.0]
        assert not list(workspace.cluster.glob("*.pickle"))
        with pytest.raises(DataError, match=r"clip\.txt: refused"):
            list(cluster.results(refuse, [(tmp_path / "clip.txt",)]))
        with pytest.raises(TimeoutError, match="the folder does not answer"):  # and not waited for without end
            list(cluster.results(time_out, [()]))
    assert active() is None
    assert not workspace.cluster.exists()
    assert console.file.getvalue() == f"cluster: 2 workers at {by_hand.address}\n"  # type: ignore[attr-defined]
    shown = capfd.readouterr().err.splitlines()
    assert sorted(shown) == [f"task {number}" for number in range(10)]  # written by the workers, shown here, once


def test_stages_write_the_same_bytes_as_on_one_machine(tmp_path: Path, tiny_run: TinyRun, by_hand: ByHand) -> None:
    root = tmp_path / "work"
    shutil.copytree(tiny_run.root, root, symlinks=True)
    for stage in ("preprocess", "train", "evaluate"):
        printed = command(root, stage, "--force", "--cluster", by_hand.address)
        assert "cluster: 2 workers" in printed
    ours, theirs = Workspace(root), Workspace(tiny_run.root)
    for path in (ours.skeletons, ours.run("default").model, ours.run("default").predictions):
        earlier = theirs.root / path.relative_to(root)
        assert path.stat().st_mtime_ns > earlier.stat().st_mtime_ns
        assert contents(path) == contents(earlier)
    assert len(contents(ours.skeletons)) > 10


@pytest.mark.slow
def test_backbones_on_workers_and_rows_of_a_sweep_are_those_of_one_machine(
    tmp_path: Path, tiny_run: TinyRun, by_hand: ByHand
) -> None:
    roots = tmp_path / "here", tmp_path / "there"
    for root in roots:
        shutil.copytree(tiny_run.root, root, symlinks=True)
    short = ("--set", "backbone.epochs=1", "--set", "backbone.frames=8")
    rows = tmp_path / "alphas.toml"
    rows.write_text('[product]\n"train.alpha" = [0.1, 0.5]\n')
    for root, options in zip(roots, ((), ("--cluster", by_hand.address)), strict=True):
        printed = command(root, "extract", *short, *options)
        assert "epoch   1/1" in printed
        command(root, "sweep", str(rows), *short, *options)
    for name in ("features/test.h5", "features/val.h5", "backbones/val.safetensors"):
        assert contents(roots[0] / name) == contents(roots[1] / name)
    tables = [(root / "sweeps" / "alphas.csv").read_text() for root in roots]
    assert tables[0] == tables[1]


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_the_tasks_of_a_worker_that_is_killed_are_done_by_another(tmp_path: Path, shared: bool) -> None:
    told, hidden = tmp_path / "told", tmp_path / "hidden"
    told.mkdir()
    hidden.mkdir()
    with (
        started(tmp_path, 2, hidden=() if shared else (hidden,)) as machines,
        connected(machines.address, Workspace(hidden / "work"), QUIET),
    ):
        cluster = active()
        assert cluster is not None
        assert cluster.shared == shared
        rows = np.ones(200_000)  # which the killed worker may alone have

        def kill(process: int) -> None:
            next(worker for worker in machines.workers if worker.pid == process).kill()

        with at_the_first_task(told, kill):
            results = list(cluster.results(double, [(number, told, rows) for number in range(6)]))
    assert results == [0, 2, 4, 6, 8, 10]
    tasks = [path.name.partition("-")[0] for path in told.iterdir()]
    assert len(tasks) > 6, tasks  # the one at which the worker was began again


@pytest.mark.slow
def test_a_scheduler_that_ends_in_the_middle_is_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 2)
    told = tmp_path / "told"
    told.mkdir()
    with started(tmp_path, 1) as machines, connected(machines.address, Workspace(tmp_path / "work"), QUIET):
        cluster = active()
        assert cluster is not None
        with (
            at_the_first_task(told, lambda process: machines.scheduler.kill()),
            pytest.raises(PipelineError, match=rf"the scheduler at {machines.address} is gone"),
        ):
            list(cluster.results(double, [(number, told, np.ones(1)) for number in range(4)]))
    assert capfd.readouterr().err == ""


def test_workers_of_this_machine(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with connected("local:2", Workspace(tmp_path), QUIET):
        cluster = active()
        assert cluster is not None
        assert (cluster.workers, cluster.shared) == (2, True)
        assert list(cluster.results(sum_of, [(number, np.ones(2)) for number in range(3)])) == [2, 3, 4]
    assert sorted(capfd.readouterr().err.splitlines()) == ["task 0", "task 1", "task 2"]


@pytest.mark.parametrize("address", ["local:0", "local:x", "nowhere", "foo://here:1"])
def test_an_address_that_is_none_is_wrong_usage(tmp_path: Path, address: str) -> None:
    with pytest.raises(WrongUsage, match=r"as in .*local:2"), connected(address, Workspace(tmp_path), QUIET):
        pass


def test_accelerate_and_a_cluster_exclude_each_other(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = CliRunner().invoke(main, ["-w", str(work), "extract", "--cluster", "local:2"])
    assert done.exit_code == 2
    assert "--cluster and `accelerate launch` both divide the work" in " ".join(done.output.split())


def test_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 1)
    with (
        pytest.raises(PipelineError, match=r"no scheduler answers there .*`dask scheduler`"),
        connected("127.0.0.1:1", Workspace(tmp_path), QUIET),
    ):
        pass


def test_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORKER_SECONDS", 1)
    with (
        started(tmp_path, 0) as machines,
        pytest.raises(PipelineError, match=rf"no worker came .*`dask worker {machines.address} --nthreads 1`"),
        connected(machines.address, Workspace(tmp_path), QUIET),
    ):
        pass


class OtherWorkers:
    """A client whose only worker has `threads` threads and answers `seen`."""

    def __init__(self, seen: object, threads: int = 1) -> None:
        self.seen, self.threads = seen, threads

    def wait_for_workers(self, number: int, timeout: float) -> None:
        pass

    def nthreads(self) -> dict[str, int]:
        return {"tcp://there:1": self.threads}

    def run(self, function: object, token: Path, on_error: str) -> dict[str, object]:
        return {"tcp://there:1": self.seen}


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (Seen(versions() | {"torch": "1.0"}, "", ""), r"there:1 has torch 1\.0 where this program has .*same versions"),
        (ModuleNotFoundError("No module named 'pipeline'"), r"there:1 can't run this fsvae-pipe .*'pipeline'"),
    ],
)
def test_a_worker_that_is_not_alike_is_refused(tmp_path: Path, seen: object, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        module._require_alike(OtherWorkers(seen), "there:0", Workspace(tmp_path), QUIET)


def test_a_worker_with_several_threads_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"has 4 threads.*`dask worker there:0 --nthreads 1`"):
        module._require_workers(OtherWorkers(None, threads=4), "there:0")


def test_a_worker_that_comes_later_with_other_versions_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"has torch \S+ where this program has 1\.0"):
        worker.run_task(Wanted(versions() | {"torch": "1.0"}, Path(), ""), refuse, ())


def test_a_worker_that_comes_later_and_does_not_see_the_workspace_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "work" / ".cluster" / "token"
    with pytest.raises(PipelineError, match=r"came later and does not see \S+work, which the others share"):
        worker.run_task(Wanted(versions(), file, "written by the program"), refuse, ())
