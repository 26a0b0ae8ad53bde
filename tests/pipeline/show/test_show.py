"""`fsvae-pipe show`: which clips it shows, what the page and the GIF hold, and that the page plays."""

import base64
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from data.clip_name import ClipName
from data.joints import JOINT_NAMES
from data.layouts.layout import load_layout
from data.raw.skeleton_file import format_clip, parse_clip
from pipeline.cli.main import main
from pipeline.demo.made_clips import MadeDataset, clip_joints, raw_name
from pipeline.pages.html_page import json_for_page
from pipeline.pages.skeleton_player import MovingSkeleton
from tests.data.layouts.made_recordings import person, points_of, recording_of
from tests.shared.chromium import CHROMIUM, MISSING, Page

DATASET = MadeDataset((1, 6), subjects=3, replications=1, frames=(20, 24), seed=3)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def raw_clip(name: ClipName, bodies: int = 1) -> bytes:
    joints = clip_joints(name, DATASET, np.random.default_rng(name.subject))  # (T, V, 3)
    return format_clip(np.stack([joints + body for body in range(bodies)], axis=1).astype(np.float32))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with raw clips in a folder and an archive, preprocessed."""
    root = tmp_path_factory.mktemp("show")
    raw, archive = root / "raw", root / "more.zip"
    raw.mkdir()
    with zipfile.ZipFile(archive, "w") as file:
        for clip in DATASET.clips():
            content = raw_clip(clip, bodies=2 if clip.subject == 2 else 1)
            if clip.subject == 3:
                file.writestr(f"deep/{raw_name(clip)}", content)
            else:
                (raw / raw_name(clip)).write_bytes(content)
    work = root / "work"
    made = call("-w", work, "init", "custom", "--name", "made", "--raw", raw, "--raw", archive)
    assert made.exit_code == 0, made.output
    done = call("-w", work, "preprocess", "--set", "preprocess.workers=1")
    assert done.exit_code == 0, done.output
    return work


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gif", "-o", "x.html"], "--gif writes a .gif, but -o names x.html"),
        (["-o", "x.txt"], "-o x.txt: the name must end in .html or .gif"),
        (["-o", "x"], "-o x: the name must end in .html or .gif"),
        (["--gif", "-o", "x"], "-o x: the name must end in .html or .gif"),
    ],
)
def test_an_ending_that_does_not_say_what_is_written_is_wrong_usage(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("-w", work, "show", "A001", *options)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def clip_names(page: Path) -> list[str]:
    return [str(clip["name"]) for clip in clips_in(page)]


def clips_in(page: Path) -> Iterator[dict[str, object]]:
    for text in re.findall(r'<script type="application/json">(.*?)</script>', page.read_text("utf-8"), re.DOTALL):
        yield json.loads(text)


def test_a_raw_file_needs_no_workspace_and_comes_back_to_the_millimetre(work: Path, tmp_path: Path) -> None:
    source = next((work.parent / "raw").glob("*P002*A001.skeleton"))
    page = tmp_path / "clip.html"
    assert call("-w", tmp_path / "none", "show", source, "-o", page).stdout == f"wrote {page}\n"
    (clip,) = clips_in(page)
    steps = np.frombuffer(base64.b64decode(str(clip["joints"])), "<i2").reshape(-1, 2, 25, 3)
    raw = parse_clip(source.read_bytes(), "")
    np.testing.assert_allclose(steps * np.float64(str(clip["unit_m"])), raw.joints, atol=0.0005001)
    assert "metres from the camera" in page.read_text("utf-8")


def test_a_clip_in_an_archive_is_shown_by_its_path(work: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(work.parent / "more.zip") as archive:
        member = archive.namelist()[0]
    assert call("show", work.parent / "more.zip" / member, "-o", tmp_path / "clip.html").exit_code == 0
    assert clip_names(tmp_path / "clip.html") == [Path(member).stem]


def test_no_other_clip_of_an_archive_is_shown_in_place_of_one(tmp_path: Path) -> None:
    first, second = list(DATASET.clips())[:2]
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as file:
        for member, clip in (("day1/old_a", first), ("day1/a", first), ("day2/a", second)):
            file.writestr(f"{member}.skeleton", raw_clip(clip))
    shown = call("show", tmp_path / "clips.zip" / "day2" / "a.skeleton", "-o", tmp_path / "a.html")
    assert shown.exit_code == 0, shown.output
    assert "clips.zip/day2/a.skeleton" in (tmp_path / "a.html").read_text("utf-8")
    refused = call("show", tmp_path / "clips.zip" / "a.skeleton", "-o", tmp_path / "b.html")
    assert "name more of its folders" in refused.stderr
    assert call("show", tmp_path / "clips.zip" / "y1" / "a.skeleton", "-o", tmp_path / "b.html").exit_code == 1


def test_names_and_actions_are_found_in_the_store_and_in_the_raw_files(work: Path, tmp_path: Path) -> None:
    page = tmp_path / "clips.html"
    for extra in ([], ["--from-raw"]):
        assert call("-w", work, "show", "A006", "-o", page, *extra).exit_code == 0
        names = clip_names(page)
        assert len(names) == 3
        assert all(name.endswith("A006") for name in names)
        assert call("-w", work, "show", names[1], "-o", page, *extra).exit_code == 0
        assert clip_names(page) == [names[1]]
    assert call("-w", work, "show", "A006", "--clips", 2, "-o", page).exit_code == 0
    assert len(clip_names(page)) == 2


def test_the_default_output_is_named_after_the_clip(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("-w", work, "show", "A001", "--gif").stdout == "wrote A001.gif\n"
    assert [path.name for path in tmp_path.iterdir()] == ["A001.gif"]


@pytest.mark.parametrize("labels", [[], ["--joint-labels", "--body-labels"]])
def test_a_gif_moves_at_the_clips_pace(work: Path, tmp_path: Path, labels: list[str]) -> None:
    source = next((work.parent / "raw").glob("*P002*A001.skeleton"))
    frames = int(source.read_bytes().split(None, 1)[0])
    assert call("show", source, "-o", tmp_path / "clip.gif", *labels).exit_code == 0
    with Image.open(tmp_path / "clip.gif") as gif:
        assert getattr(gif, "n_frames", 1) == frames
        duration_ms, pictures = 0, set()
        for frame in range(frames):
            gif.seek(frame)
            duration_ms += gif.info["duration"]
            pictures.add(gif.convert("RGB").tobytes())
    assert duration_ms == pytest.approx(1000 * frames / 30, abs=10)
    assert len(pictures) == frames


@pytest.mark.parametrize(
    ("clip_or_action", "message"),
    [
        ("A014", "no clip of A014; there are clips of A001, A006"),
        ("S001C001P001R001A099", "is called S001C001P001R001A099"),
        ("nothing.skeleton", "neither an existing raw file"),
        ("A1", "neither an existing raw file"),
    ],
)
def test_a_clip_that_does_not_exist_is_named(work: Path, clip_or_action: str, message: str) -> None:
    result = call("-w", work, "show", clip_or_action)
    assert result.exit_code == 1
    assert message in result.stderr


def test_without_a_store_the_stage_that_makes_it_is_named(tmp_path: Path) -> None:
    result = call("-w", tmp_path, "show", "A001")
    assert result.exit_code == 1
    assert f"`fsvae-pipe -w {tmp_path} preprocess`" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_clip_without_a_body_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "empty.skeleton").write_bytes(b"2\n0\n0\n")
    result = call("show", tmp_path / "empty.skeleton", "-o", tmp_path / "empty.html")
    assert result.exit_code == 1
    assert "none of its 2 frames holds a body" in result.stderr
    assert not (tmp_path / "empty.html").exists()


def test_names_can_not_end_the_script_or_bring_one_in(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)></script><b>"
    (tmp_path / "a").mkdir()
    source = tmp_path / "a" / "<b>&.skeleton"
    source.write_bytes(raw_clip(next(DATASET.clips())))
    assert call("show", source, "-o", tmp_path / "page.html").exit_code == 0
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "<b>&" not in text
    assert "&lt;b&gt;&amp;" in text
    clip = MovingSkeleton(name, "", np.ones((1, 1, 25, 3), np.float32), "y")
    assert "<" not in json_for_page(clip.packed())
    assert json.loads(json_for_page(clip.packed()))["name"] == name


def test_the_front_view_shows_nobody_mirrored() -> None:
    left, right = JOINT_NAMES.index("left_shoulder"), JOINT_NAMES.index("right_shoulder")
    joints = clip_joints(ClipName(1, 2, 1, 1, 1), DATASET, np.random.default_rng(0))[:, None].astype(np.float32)
    view = MovingSkeleton("", "", joints, "y").view()
    seen = joints @ view.T
    assert np.linalg.det(view) == pytest.approx(1)  # a turn, no mirror
    assert (seen[..., left, 0] > seen[..., right, 0]).all()  # who faces the viewer has the left on the viewer's right
    assert np.linalg.det(MovingSkeleton("", "", joints, "z").view()) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
def test_the_page_plays_steps_turns_and_names_joints(work: Path, tmp_path: Path) -> None:
    file = tmp_path / "clips.html"
    assert call("-w", work, "show", "A001", "-o", file).exit_code == 0
    with Page(tmp_path / "profile") as page:
        page.open(file)
        figure = "document.querySelector('figure.player')"
        page.until(f"{figure}.dataset.playing === 'true' && Number({figure}.dataset.frame) > 2")
        page.run(f"{figure}.querySelector('[data-control=play]').click()")
        page.run("players[0].step(3)")
        page.run(f"{figure}.focus()")
        page.press("ArrowRight", 39)
        assert page.run(f"{figure}.dataset.frame") == "4"
        page.press("End", 35)
        assert page.run("players[0].frame === players[0].clip.frames - 1")
        before = page.run("players[0].canvas.toDataURL()")
        page.press("j", 74, "j")
        assert page.run("players[0].canvas.toDataURL()") != before
        page.press(" ", 32, " ")
        page.until(f"{figure}.dataset.playing === 'true'")
        page.press(" ", 32, " ")
        page.until(f"{figure}.dataset.playing === 'false'")
        joint = JOINT_NAMES.index("head")
        x, y = page.run(
            f"(() => {{ const p = players[0], box = p.canvas.getBoundingClientRect(), at = p.drawn[0][{joint}];"
            " return [box.left + at[0], box.top + at[1]]; })()"
        )
        page.move(x, y)
        page.until(f"{figure}.querySelector('[data-control=joint]').textContent.includes('head: x')")
        page.open(file, width=390, dark=True)
        assert page.run("document.documentElement.scrollWidth") <= 390
        assert page.problems == []
        assert {url.partition(":")[0] for url in page.requests} == {"file"}
        assert len(set(page.requests)) == 1


def test_the_page_says_whose_view_the_front_view_is(work: Path, tmp_path: Path) -> None:
    skeleton = next((work.parent / "raw").iterdir())
    layout = load_layout("azure-kinect")
    recording = tmp_path / "walk.csv"
    recording.write_bytes(recording_of(layout, points_of(person(10), layout)))
    for clip, options, said in (
        (skeleton, [], "The front view is the camera&#39;s"),
        (recording, ["--layout", "azure-kinect"], "turned about the vertical so that the first body shown faces you"),
    ):
        shown = call("show", clip, *options, "-o", tmp_path / "page.html")
        assert shown.exit_code == 0, shown.output
        assert said in (tmp_path / "page.html").read_text("utf-8")


def test_a_few_files_of_a_folder_or_an_archive_are_shown(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source, subjects in ((work.parent / "raw", ["P001", "P002"]), (work.parent / "more.zip", ["P003", "P003"])):
        shown = call("show", source, "--clips", 2, "-o", tmp_path / "page.html")
        assert shown.exit_code == 0, shown.output
        assert sorted(name[8:12] for name in clip_names(tmp_path / "page.html")) == subjects
    monkeypatch.chdir(work.parent / "raw")
    assert call("show", ".").stdout == "wrote clips.html\n"
