"""`fsvae-pipe report`: a page of one finished run, or of several side by side. The page needs no network."""

from collections.abc import Sequence
from pathlib import Path

from data.stores.files import replacing
from pipeline.messages.errors import PipelineError
from pipeline.report.run_data import read_run
from pipeline.workspace.folder import Workspace


def report(workspace: Workspace, names: Sequence[str], output: Path | None = None) -> Path:
    """Write the report of the runs `names` to `output` and return its path.

    A name is a folder in runs/, or the path of a run in another workspace. `output` defaults to runs/NAME/report.html
    for one run, and to report.html in the first run's workspace for several. Raises PipelineError when a run has no
    results or plotly is not installed, DataError when results are damaged.
    """
    runs = [read_run(name, workspace) for name in names]
    try:
        from pipeline.report.page import default_path, write_page
    except ModuleNotFoundError as error:
        raise PipelineError(f"the report needs plotly ({error}): `pip install 'fsvae-pipe[report]'`") from error
    path = output or default_path(runs)
    with replacing(path) as partial:
        partial.write_text(write_page(runs), "utf-8")
    return path
