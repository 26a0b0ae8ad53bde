"""`fsvae-pipe app`: a page in the browser that answers while actions are edited."""

import os
import socket
import tempfile
import webbrowser
from threading import Event

from pipeline.app.engine import Engine
from pipeline.messages.errors import PipelineError
from pipeline.predict.modes import Seed
from pipeline.predict.trained_run import open_run, print_warnings
from pipeline.workspace.context import Context

LOCAL = ("127.0.0.1", "localhost", "::1")
ENVIRONMENT = {  # read by gradio when it is imported
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ALLOWED_PATHS": "",
}


def require_free(host: str, port: int) -> None:
    """Raise PipelineError when nobody can listen at `port` of `host`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PipelineError(
                f"port {port} of {host} can't be used ({error.strerror or error}); another program may have it, or "
                "another `fsvae-pipe app`: name another with --port"
            ) from error


def app(context: Context, *, host: str, port: int, browser: bool, seed: Seed | None = None) -> None:
    """Serve the page until Ctrl-C. Uploads lie in a folder that is removed then.

    Raises PipelineError when the port is taken, when gradio is not installed, and as `predict` does for the run.
    """
    require_free(host, port)
    run = open_run(context.run.root, seed, context)
    with tempfile.TemporaryDirectory(prefix="fsvae-app-") as uploads:
        os.environ |= {**ENVIRONMENT, "GRADIO_TEMP_DIR": uploads}
        try:
            from pipeline.app.page import page, serve
        except ModuleNotFoundError as error:
            raise PipelineError(f"the app needs gradio ({error}): `pip install 'fsvae-pipe[app]'`") from error

        print_warnings(run)
        context.console.print("app: loading the run", highlight=False)
        blocks = page(Engine(run))
        try:
            serve(blocks, host, port)
            url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
            context.console.print(f"app: {url} (Ctrl-C ends it)", highlight=False, markup=False)
            if host not in LOCAL:
                context.console.print(
                    f"warning: everyone who reaches this machine at port {port} can use the app, and see the clips of "
                    "the workspace",
                    style="yellow",
                    highlight=False,
                )
            if browser:
                webbrowser.open(url)
            Event().wait()
        finally:
            blocks.close(verbose=False)
