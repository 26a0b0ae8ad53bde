"""fsvae-pipe app in a browser: upload, edit, answer, timeline, save; what it refuses, and what it requests."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page, expect, sync_playwright

from data.raw.skeleton_file import format_clip
from pipeline.app.action_list import rows_of
from pipeline.cli.main import main
from tests.conftest import TinyRun
from tests.shared.chromium import CHROMIUM, MISSING

WAIT_MS = 120_000  # a busy machine draws slowly
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def hear_sigint() -> None:
    """Let the command hear Ctrl-C although this process may ignore it, as one in the background does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Served:
    """Where the command serves, the folder of its temporary files, and what it wrote."""

    url: str
    temporary: Path
    log: Path


@pytest.fixture(scope="module")
def served(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    command = [sys.executable, "-m", "pipeline", "-w", str(tiny_run.root), "app", "--no-browser", "--port", str(port)]
    (folder / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(folder / "tmp")}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, env=environment, text=True, preexec_fn=hear_sigint)
    end = time.monotonic() + 300
    while "Ctrl-C" not in (folder / "log").read_text() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    if process.poll() is not None:
        pytest.fail((folder / "log").read_text())
    yield Served(f"http://127.0.0.1:{port}", folder / "tmp", folder / "log")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130, (folder / "log").read_text()
    assert not list((folder / "tmp").glob("fsvae-app-*"))  # the uploads


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        expect.set_options(timeout=WAIT_MS)
        yield chromium
        chromium.close()


@dataclass
class Window:
    """A browser window with the page, what it asked for, and what went wrong in it."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def open_window(browser: Browser, url: str, width: int = 1280, dark: bool = False) -> Window:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    window = Window(page)
    page.set_default_timeout(WAIT_MS)
    page.on("request", lambda request: window.requests.append(request.url))
    page.on("pageerror", lambda error: window.errors.append(str(error)))
    page.on("console", lambda line: window.errors.append(line.text) if line.type == "error" else None)
    page.goto(url)
    page.wait_for_selector("#answer ol")
    return window


def close(window: Window, served: Served) -> None:
    asked = [address for address in window.requests if not address.startswith(("data:", "about:", "blob:"))]
    assert asked
    assert all(address.startswith(served.url) for address in asked)
    assert window.errors == []
    assert "Traceback" not in served.log.read_text()
    window.page.close()


def edit(page: Page, row: int, column: int, text: str) -> None:
    """Write into a cell by the keyboard."""
    page.get_by_test_id(f"cell-{row}-{column}").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#actions textarea:focus")).to_be_visible()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


@needs_browser
def test_upload_edit_answer_timeline_and_save(served: Served, browser: Browser, tmp_path: Path) -> None:
    window = open_window(browser, served.url)
    page = window.page
    stored = page.inner_text("#answer")
    page.get_by_role("tab", name="A file of yours").click()
    wrong = tmp_path / "notes.txt"
    wrong.write_text("hello")
    page.set_input_files("#recording input[type=file]", wrong)
    expect(page.locator("#problem [role=alert]")).to_contain_text("notes.txt: text that no built-in layout fits")
    assert str(served.temporary) not in page.inner_text("#problem")
    assert page.inner_text("#answer") == ""

    steps = np.linspace(0, 9, 90)[:, None, None]
    person = np.random.default_rng(1).normal(size=(1, 25, 3)) * 0.3
    clip = tmp_path / "wave.skeleton"
    clip.write_bytes(format_clip((person + 0.1 * np.sin(steps) + [0, 0, 3]).astype(np.float32)[:, None]))
    page.get_by_role("button", name="Clear").click()
    page.set_input_files("#recording input[type=file]", clip)
    page.wait_for_selector("#answer ol")
    assert page.inner_text("#answer") != stored
    assert "wave.skeleton" in page.inner_text("#answer")
    assert page.inner_text("#problem") == ""
    frame = page.frame_locator("#motion iframe")
    expect(frame.locator(".track button").first).to_be_visible()
    expect(frame.locator("figure.player canvas")).to_be_visible()
    assert page.locator("#limbs tbody tr").count() == 6

    before = page.inner_text("#answer ol")
    edit(page, 0, 1, "Nothing moves but the head, which nods.")
    page.wait_for_function("before => document.querySelector('#answer ol').innerText !== before", arg=before)
    edit(page, 0, 0, "nod")
    expect(page.locator("#answer ol")).to_contain_text("nod")
    expect(page.locator("#pairs")).to_contain_text("nod")
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save as CSV").click()
    saved = tmp_path / saving.value.suggested_filename
    saving.value.save_as(saved)
    assert saved.name == "actions.csv"
    assert rows_of(saved)[0][:2] == ["nod", "Nothing moves but the head, which nods."]

    edit(page, 0, 0, " ")
    expect(page.locator("#problem")).to_contain_text("Row 1 has no label")
    expect(page.locator("#problem")).to_contain_text("The answer below is that to the list before.")
    page.set_input_files("input[type=file][accept='.csv']", saved)
    expect(page.get_by_test_id("cell-0-0")).to_contain_text("nod")
    expect(page.locator("#problem")).to_have_text("")
    close(window, served)


@needs_browser
def test_two_windows_keep_their_own_lists(served: Served, browser: Browser) -> None:
    one, other = open_window(browser, served.url), open_window(browser, served.url)
    first = other.page.inner_text("#answer")
    edit(one.page, 0, 0, "mine alone")
    expect(one.page.locator("#answer ol")).to_contain_text("mine alone")
    edit(other.page, 1, 0, "of the other")
    expect(other.page.locator("#answer ol")).to_contain_text("of the other")
    assert "mine alone" not in other.page.inner_text("body")
    assert "of the other" not in one.page.inner_text("body")
    action = one.page.locator("input[aria-label=Action]")
    action.click()
    one.page.keyboard.press("Control+A")
    one.page.keyboard.type("A007")
    one.page.keyboard.press("Enter")
    expect(one.page.locator("#answer")).to_contain_text("A007. A percentage")
    expect(one.page.locator("#answer ol")).to_contain_text("mine alone")
    assert "A007. A percentage" not in other.page.inner_text("#answer")
    other.page.get_by_role("button", name="The run's unseen actions").click()
    expect(other.page.locator("#answer")).to_have_text(first, use_inner_text=True)
    for window in (one, other):
        close(window, served)


@needs_browser
@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_the_page_fits_its_window(served: Served, browser: Browser, width: int, dark: bool) -> None:
    window = open_window(browser, served.url, width, dark)
    assert window.page.evaluate("document.documentElement.scrollWidth") <= width
    frame = window.page.frame_locator("#motion iframe")
    for body in (window.page.locator("body"), frame.locator("body")):
        colour = body.evaluate("body => getComputedStyle(body).backgroundColor")
        assert (sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) < 200) == dark, colour
    assert frame.locator("body").evaluate("body => body.scrollWidth <= window.innerWidth")
    close(window, served)


def test_no_file_of_the_machine_is_served(served: Served, tiny_run: TinyRun) -> None:
    for path in ("/etc/passwd", tiny_run.root / "config.toml", Path(__file__), tiny_run.root / "text.h5"):
        for form in ("file=", "file/"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{served.url}/gradio_api/{form}{path}", timeout=60)
            assert refused.value.code in (403, 404)
            refused.value.close()
    with urllib.request.urlopen(f"{served.url}/config", timeout=60) as answer:
        config = json.load(answer)
    assert config["max_file_size"] == 200 * 2**20
    (number,) = [one["id"] for one in config["dependencies"] if "upload" in str(one["targets"])][:1]
    forged = {"path": str(tiny_run.root / "config.toml"), "meta": {"_type": "gradio.FileData"}}
    body = {"fn_index": number, "data": [forged, "auto", 2, None], "session_hash": "forged"}
    request = urllib.request.Request(
        f"{served.url}/gradio_api/queue/join", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60):
        pass
    with urllib.request.urlopen(f"{served.url}/gradio_api/queue/data?session_hash=forged", timeout=60) as answer:
        told = "".join(line.decode() for line in answer)
    assert '"success":false' in told
    assert "descriptions" not in told  # what config.toml holds


def test_what_the_command_refuses(tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def app(*options: str) -> str:
        done = CliRunner().invoke(main, ["-w", str(tiny_run.root), "app", "--no-browser", *options])
        assert done.exit_code == 1, done.output
        return done.output

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1 can't be used" in app("--port", str(port))
    assert "no trained run; there is default" in app("--run", "other", "--port", str(free_port()))
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "pip install 'fsvae-pipe[app]'" in app("--port", str(free_port()))
