"""`fsvae-pipe report`: one page of a finished run, or of several side by side, that needs no network."""

from collections.abc import Sequence
from pathlib import Path

from data.stores.files import replacing
from pipeline.messages.errors import PipelineError
from pipeline.report.run_data import read_run
from pipeline.workspace.folder import Workspace


def report(workspace: Workspace, names: Sequence[str], output: Path | None = None) -> Path:
    """Write the report of the runs called `names` (or in those folders) to `output` and return its path.

    By default it is runs/NAME/report.html, or report.html of the workspace for several runs. Raises PipelineError or
    DataError when a run has no results, or when plotly is not installed.
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
