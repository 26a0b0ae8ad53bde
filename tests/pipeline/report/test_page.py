"""The page of a report in a browser: it draws, answers to mouse and keyboard, and asks for nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared.chromium import CHROMIUM, MISSING, Page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with Page(tmp_path_factory.mktemp("profile")) as page:
        yield page


def opened(browser: Page, report_page: Path, width: int, dark: bool) -> Page:
    browser.open(report_page, width, dark=dark)
    browser.until("window.drawn !== undefined")
    assert browser.run("drawn") is True
    return browser


def drawing(title: str) -> str:
    """A JavaScript expression: the drawing of the figure that is called `title`."""
    return f"drawings.find((one) => one.place.closest('figure').querySelector('h4').textContent === {title!r})"


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_draws_everything_in_any_window_and_asks_for_nothing(
    browser: Page, report_page: Path, width: int, dark: bool
) -> None:
    browser.problems.clear()
    browser.requests.clear()
    opened(browser, report_page, width, dark)
    drawn = browser.run(
        "[...document.querySelectorAll('.plot')].map((one) => !!one.querySelector('.cartesianlayer .subplot'))"
    )
    assert len(drawn) == 10
    assert all(drawn)
    assert browser.run("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('.plot svg.main-svg')].every((one) => one.clientWidth <= innerWidth)"
    assert browser.run(wide) is True
    text, paper = browser.run(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        ".map((colour) => colour.match(/[0-9]+/g).reduce((sum, part) => sum + Number(part), 0))"
    )
    assert (text > paper) == dark
    font = browser.run("drawings[0].place._fullLayout.font.color")
    assert (font == "#e6e9ed") == dark
    assert browser.problems == []
    assert {url.partition(":")[0] for url in browser.requests} <= {"file", "data"}
    assert [url for url in browser.requests if url.startswith("file")] == [report_page.resolve().as_uri()]


@pytest.mark.slow
def test_following_the_system_to_dark_draws_again(browser: Page, report_page: Path) -> None:
    opened(browser, report_page, 1280, dark=False)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.until("drawings.every((one) => one.place._fullLayout.font.color === '#e6e9ed')")


@pytest.mark.slow
def test_pointing_at_figures_names_clips_and_actions(browser: Page, report_page: Path) -> None:
    opened(browser, report_page, 1280, dark=False)
    for title, expected in (
        ("Skeleton and text latents", r"S001C001P001R0\d\dA0\d\d; A0\d\d action number \d+"),
        (
            "ZSL: unseen clips among unseen actions",
            r"A003 <img src=x onerror=alert\(1\)></script> & co, taken for A003",
        ),
        ("Unseen against seen accuracy", r"seed 1: "),
    ):
        place = drawing(title) + ".place"
        browser.run(f"{place}.scrollIntoView({{block: 'center'}})")
        x, y = browser.run(
            f"(() => {{ const gd = {place}, box = gd.getBoundingClientRect(), full = gd._fullLayout, xa = full.xaxis,"
            " ya = full.yaxis, point = gd.calcdata[0][Math.floor(0.75 * gd.calcdata[0].length)];"
            " const [x, y] = gd.data[0].type === 'heatmap' ? [0, 0] : [point.x, point.y];"
            " return [box.left + xa._offset + xa.c2p(x), box.top + ya._offset + ya.c2p(y)]; })()"
        )
        browser.move(x + 30, y + 30)
        browser.move(x, y)
        readout = f"{place}.closest('figure').querySelector('.readout').textContent"
        browser.until(f"new RegExp({json.dumps(expected)}).test({readout})")
        assert browser.run(f"{place}.querySelectorAll('.hovertext').length") > 0


@pytest.mark.slow
def test_figures_answer_to_the_keyboard(browser: Page, report_page: Path) -> None:
    opened(browser, report_page, 1280, dark=False)
    one = drawing("GZSL: all clips among all actions")
    readout = f"{one}.place.closest('figure').querySelector('.readout').textContent"
    browser.run(f"{one}.place.focus()")
    browser.press("ArrowRight", 39)
    browser.until(f"{readout}.startsWith('A001 action number 1, taken for A001 action number 1: ')")
    browser.press("ArrowDown", 40)
    browser.until(f"{readout}.startsWith('A002 action number 2, taken for A001')")
    for title in ("GZSL: all clips among all actions", "Unseen against seen accuracy", "FS-VAE, test phase"):
        one = drawing(title)
        width = f"Math.abs({one}.place._fullLayout.xaxis.range[1] - {one}.place._fullLayout.xaxis.range[0])"
        whole = browser.run(width)
        browser.run(f"{one}.place.focus()")
        browser.press("+", 187, "+")
        browser.until(f"{width} < {whole}")
        browser.press("0", 48, "0")
        browser.until(f"Math.abs({width} - {whole}) < 1e-6")
    labels = browser.run("[...document.querySelectorAll('.modebar-btn')].map((one) => one.dataset.title || one.title)")
    assert labels
    assert not [label for label in labels if "cloud" in label.lower() or "studio" in label.lower()]


@pytest.mark.slow
def test_mistakes_play_in_the_page(browser: Page, report_page: Path) -> None:
    opened(browser, report_page, 1280, dark=False)
    assert browser.run("players.length > 0 && players.every((player) => !player.empty)") is True
    assert browser.run("players.some((player) => player.playing)") is False
    before = browser.run("players[0].canvas.toDataURL()")
    browser.run("players[0].control.play.click()")
    browser.until("players[0].frame > 3")
    browser.run("players[0].control.play.click()")
    assert browser.run("players[0].canvas.toDataURL()") != before
    assert browser.problems == []
