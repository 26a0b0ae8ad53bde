"""The engine of the app: answers to an edited list, without any web library."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from data.clip_name import ClipName
from data.errors import DataError
from data.joints import JOINT_NAMES
from data.raw.skeleton_file import format_clip
from data.recordings.windows import Windows
from descriptions.errors import DescriptionError
from pipeline.app.action_list import actions_of, csv_of, rows_of
from pipeline.app.engine import Engine
from pipeline.app.limbs import LIMBS, held_still
from pipeline.app.loaded_clip import AS_THE_RUN
from pipeline.app.view import shown
from pipeline.cli.main import main
from pipeline.demo.made_clips import clip_joints
from pipeline.predict.answers import Answer, FeaturedBatch
from pipeline.predict.clip_stream import Unread
from pipeline.predict.timeline import Timeline
from pipeline.predict.trained_run import open_run
from tests.conftest import TINY, TinyRun

WINDOWS = Windows(1.0, 0.25)
ACTIONS = [
    ["swing", "the right arm swings up and down at the side", "a person swings one arm"],
    ["circle", "the left arm draws large circles in the air", "a person circles one arm"],
    ["squat", "both knees bend deeply and straighten again", "a person squats"],
]


@pytest.fixture(scope="module")
def engine(tiny_run: TinyRun) -> Engine:
    return Engine(open_run(tiny_run.root / "runs" / "default"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made clip of the right arm, 4 s long, as a .skeleton file."""
    made = replace(TINY, frames=(40, 40))
    joints = clip_joints(ClipName(1, 2, 1, 5, 2), made, np.random.default_rng(3)).astype(np.float32)[:, None]
    path = tmp_path_factory.mktemp("recording") / "S001C001P001R001A001.skeleton"
    path.write_bytes(format_clip(joints))
    return path


def test_a_saved_list_gives_predict_the_answer_of_the_app(
    engine: Engine, tiny_run: TinyRun, recording: Path, tmp_path: Path
) -> None:
    reply = engine.reply(engine.load_file(recording, AS_THE_RUN, WINDOWS), ACTIONS)
    saved = tmp_path / "list.csv"
    saved.write_text(csv_of(actions_of(ACTIONS)), "utf-8")
    assert rows_of(saved) == ACTIONS
    options = ["predict", str(recording), "--mode", "given", "--actions", str(saved), "--csv"]
    done = CliRunner().invoke(main, ["-w", str(tiny_run.root), *options])
    assert done.exit_code == 0, done.output
    rows = [line.split(",") for line in done.stdout.splitlines()[1:]]
    assert isinstance(reply.answer, Answer)
    assert [row[3] for row in rows] == [ranked.action.label for ranked in reply.answer.ranked]
    assert [float(row[5]) for row in rows] == pytest.approx([r.probability for r in reply.answer.ranked], abs=1e-6)


def test_a_reply_says_all_that_the_page_shows(engine: Engine, recording: Path) -> None:
    reply = engine.reply(engine.load_file(recording, AS_THE_RUN, WINDOWS), ACTIONS)
    assert isinstance(reply.timeline, Timeline)
    assert reply.timeline.moving is not None
    assert reply.timeline.duration_s == 4
    assert reply.timeline.clip == recording.name  # not where it lies
    assert {part.action.label for part in reply.timeline.segments} <= {row[0] for row in ACTIONS}
    assert [pair.cosine for pair in reply.pairs] == sorted((pair.cosine for pair in reply.pairs), reverse=True)
    assert len(reply.pairs) == 3
    assert [limb.limb for limb in reply.limbs] == ["left arm", "left leg", "right arm", "right leg", "head"]
    assert all(limb.probabilities.sum() == pytest.approx(1) for limb in reply.limbs)


def test_a_stored_clip_is_answered_as_evaluate_saw_it(engine: Engine, tiny_run: TinyRun) -> None:
    from data.stores.feature_store import read_features

    stored = read_features(tiny_run.root / "features" / "test.h5")
    name = next(name for name in engine.stored["A001"] if name in stored.name)
    clip = engine.load_stored(name, WINDOWS)
    row = stored.name.tolist().index(name)
    np.testing.assert_allclose(clip.whole.features[0], stored.features[row], atol=1e-4)
    reply = engine.reply(clip, engine.unseen)
    assert isinstance(reply.answer, Answer)
    assert {ranked.action.label for ranked in reply.answer.ranked} == {row[0] for row in engine.unseen}
    assert not reply.answer.warnings
    assert isinstance(reply.timeline, Timeline)
    assert reply.timeline.warnings == ()
    assert reply.timeline.moving is not None
    assert reply.timeline.moving.up == "z"
    with pytest.raises(DataError, match="no clip of this name"):
        engine.load_stored("../config.toml", WINDOWS)


def test_an_edit_encodes_only_what_changed(engine: Engine, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = engine.load_file(recording, AS_THE_RUN, WINDOWS)
    engine.reply(clip, ACTIONS)
    encoded: list[str] = []
    encoder = engine._parts.texts._encoder
    encode = encoder.encode

    def noted(texts: list[str]) -> NDArray[np.float32]:
        encoded.extend(texts)
        return encode(texts)

    monkeypatch.setattr(encoder, "encode", noted)
    monkeypatch.setattr(engine._recognizer, "features", None)  # the clip went through the backbone already
    engine.reply(clip, [*ACTIONS[:2], ["squat", "both knees bend a little", "a person squats"]])
    assert encoded == ["both knees bend a little"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([ACTIONS[0], ["wave", "", " "]], r"Row 2 \(wave\) has no local and no global"),
        ([ACTIONS[0], ["", "", ""]], "The list has 1 action. Write at least two"),
        ([["", "", ""]], "The list has no actions"),
        ([ACTIONS[0], ["wave", "a\0", "b"]], "Row 2 has a character that is no text"),
        ([ACTIONS[0]] * 201, "at most 200"),
        ([["swing", "a"], ["wave", "b"]], "has 2 columns, where label, local, global are wanted"),
        ([ACTIONS[0], ACTIONS[0]], 'called "swing"'),
    ],
)
def test_a_faulty_list_is_told_by_row(engine: Engine, recording: Path, rows: list[list[str]], words: str) -> None:
    clip = engine.load_file(recording, AS_THE_RUN, WINDOWS)
    with pytest.raises(DescriptionError, match=words):
        engine.reply(clip, rows)


def test_the_page_escapes_texts_and_says_what_numbers_mean(engine: Engine, recording: Path) -> None:
    clip = engine.load_file(recording, AS_THE_RUN, WINDOWS)
    rows = [["<script>alert(1)</script>", *ACTIONS[0][1:]], *ACTIONS[1:]]
    page = shown(clip, engine.reply(clip, rows), engine.run)
    for part in (page.answer, page.motion, page.limbs, page.pairs):
        assert "<script" not in part  # the frame has its own, inside of an attribute
    assert "&lt;script&gt;alert(1)" in page.answer
    assert "guessing would give each 33 %" in " ".join(page.answer.split())
    assert 'sandbox="allow-scripts"' in page.motion
    assert page.limbs.count("<tr>") == 1 + 1 + len(LIMBS)


def test_a_clip_that_could_not_be_read_as_one_has_the_reason(engine: Engine, recording: Path) -> None:
    clip = engine.load_file(recording, AS_THE_RUN, WINDOWS)
    none = np.zeros((0, 0), np.float32)
    unread = FeaturedBatch([Unread("clip", "it is too <long>")], none, none, [], [])
    page = shown(clip, engine.reply(replace(clip, whole=unread, still=None), ACTIONS), engine.run)
    assert "No answer for the clip as a whole: it is too &lt;long&gt;" in page.answer
    assert "no limb was held still" in page.limbs
    assert "<iframe" in page.motion


def test_a_held_limb_goes_along_and_does_nothing_itself() -> None:
    rng = np.random.default_rng(0)
    clip: NDArray[np.float32] = rng.normal(size=(3, 6, 25, 2)).astype(np.float32)
    clip[:, :, :, 1] = 0
    for limb in LIMBS:
        held = held_still(clip, limb)
        away = held[:, :, list(limb.joints), 0] - held[:, :, [limb.root], 0]
        np.testing.assert_allclose(away, np.repeat(away[:, :1], 6, axis=1), atol=1e-6)
        others = [joint for joint in range(25) if joint not in limb.joints]
        np.testing.assert_array_equal(held[:, :, others], clip[:, :, others])
        assert not held[..., 1].any()
    moved = sorted(joint for limb in LIMBS for joint in limb.joints)
    assert {JOINT_NAMES[joint] for joint in set(range(25)) - set(moved)} == {
        "spine_base", "spine_mid", "spine_shoulder", "left_shoulder", "right_shoulder", "left_hip", "right_hip"
    }  # fmt: skip


def test_a_file_that_is_no_recording_is_told_without_its_path(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "notes.skeleton"
    path.write_text("hello")
    with pytest.raises(DataError, match="notes"):
        engine.load_file(path, "auto", WINDOWS)
