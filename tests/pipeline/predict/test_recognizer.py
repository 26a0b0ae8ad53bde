"""A trained run names clips as evaluate did, takes actions in words, and refuses files that are not its own."""

import csv
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline.predict.clip_stream as clip_stream
from data.errors import DataError
from data.raw.clip_of_joints import raw_clip
from data.raw.skeleton_file import format_clip, parse_clip
from data.raw.sources import list_source
from data.recipes import revision
from data.recordings.read_clip import Reading
from data.stores import h5
from descriptions.errors import DescriptionError
from descriptions.levels import LEVELS
from pipeline.messages.errors import PipelineError
from pipeline.predict.answers import Answer
from pipeline.predict.clip_stream import Unread, clip_batches
from pipeline.predict.recognizer import Recognizer
from pipeline.predict.treatment import Treatment
from pipeline.workspace.folder import Workspace
from pipeline.workspace.provenance import RECIPE, Provenance, read_record
from tests.conftest import TinyRun
from tests.shared.made_skeletons import moving_clip
from tests.shared.rewritten import rewrite_record


@pytest.fixture(scope="module")
def recognizer(tiny_run: TinyRun) -> Recognizer:
    return Recognizer.load(tiny_run.root / "runs" / "default")


@pytest.fixture
def copy(tiny_run: TinyRun, tmp_path: Path) -> Workspace:
    """The tiny workspace, to be spoilt."""
    shutil.copytree(tiny_run.root, tmp_path / "work", symlinks=True)
    return Workspace(tmp_path / "work")


def raw(run: TinyRun) -> list[str]:
    return [str(run.root / "raw" / "setup1"), str(run.root / "raw" / "setup2.zip")]


def texts_of(run: TinyRun, action: str) -> dict[str, str]:
    with (run.root / "descriptions.csv").open(encoding="utf-8", newline="") as file:
        return {level: row[level] for row in csv.DictReader(file) if row["action"] == action for level in LEVELS}


@pytest.mark.parametrize(("mode", "column"), [("gzsl", "gzsl_action"), ("zsl", "zsl_action")])
def test_clips_get_the_answers_of_evaluate(tiny_run: TinyRun, recognizer: Recognizer, mode: str, column: str) -> None:
    with h5py.File(tiny_run.root / "runs" / "default" / "predictions.h5") as file:
        group = file[f"{recognizer.run.seed}/{recognizer.run.selection}"]
        names = [name.decode() for name in file["name"]]
        wanted = dict(zip(names, group[column][()].tolist(), strict=True))
        gate = dict(zip(names, group["gate"][()].tolist(), strict=True))
    answers = [item for item in recognizer.stream(raw(tiny_run), recognizer.bank(mode)) if isinstance(item, Answer)]  # type: ignore[arg-type]
    found = {Path(answer.clip).stem: answer for answer in answers}
    assert set(wanted) <= set(found)
    for name, action in wanted.items():
        assert found[name].best.name == f"A{action:03d}"
        assert sum(ranked.probability for ranked in found[name].ranked) == pytest.approx(1)
        if mode == "gzsl":
            assert found[name].unseen_probability == pytest.approx(gate[name], abs=1e-6)
        else:
            assert found[name].unseen_probability is None


def test_the_unseen_actions_given_in_words_are_the_unseen_actions(tiny_run: TinyRun, recognizer: Recognizer) -> None:
    clips = sorted(str(path) for path in (tiny_run.root / "raw" / "setup1").glob("*P002*"))[:3]
    given_texts = [texts_of(tiny_run, action) for action in ("A001", "A007")]
    stored, given_ = recognizer.predict(clips, mode="zsl"), recognizer.predict(clips, given_texts, mode="given")
    for one, other in zip(stored, given_, strict=True):
        assert isinstance(one, Answer)
        assert isinstance(other, Answer)
        probabilities = {ranked.action.label: ranked.probability for ranked in other.ranked}
        assert {ranked.action.kind for ranked in other.ranked} == {"given"}
        for ranked in one.ranked:
            assert probabilities[ranked.action.label] == pytest.approx(ranked.probability, abs=1e-6)


def test_an_action_in_words_is_ranked_among_the_unseen_ones(tiny_run: TinyRun, recognizer: Recognizer) -> None:
    clips = sorted(str(path) for path in (tiny_run.root / "raw" / "setup1").glob("*P001*"))[:1]
    (answer,) = recognizer.predict(clips, [texts_of(tiny_run, "A014")], mode="zsl")
    assert isinstance(answer, Answer)
    assert {ranked.action.name for ranked in answer.ranked} == {"A001", "A007", "new-1"}


def test_arrays_are_clips_too(tiny_run: TinyRun, recognizer: Recognizer) -> None:
    path = next((tiny_run.root / "raw" / "setup1").glob("*P001*R001A004*"))
    joints = parse_clip(path.read_bytes(), "clip").joints  # (T, M, 25, 3)
    from_file, from_array, wrong = recognizer.predict([path, joints, joints[:, :, :20]])
    assert isinstance(from_file, Answer)
    assert isinstance(from_array, Answer)
    assert from_array.ranked == from_file.ranked
    assert isinstance(wrong, Unread)
    assert "25" in wrong.reason


@pytest.fixture(scope="module")
def joints(tiny_run: TinyRun) -> np.ndarray:
    path = next((tiny_run.root / "raw" / "setup1").glob("*P001*R001A004*"))
    return parse_clip(path.read_bytes(), "clip").joints  # (T, 1, 25, 3)


def test_a_clip_without_a_list_is_one_clip(tiny_run: TinyRun, recognizer: Recognizer, joints: np.ndarray) -> None:
    path = next((tiny_run.root / "raw" / "setup1").glob("*P001*R001A004*"))
    wanted = [answer.ranked for answer in recognizer.predict([path]) if isinstance(answer, Answer)]
    for clips in (path, str(path), joints, joints[:, 0], torch.from_numpy(joints), joints[None], [joints.tolist()]):
        found = recognizer.predict(clips)
        assert [answer.ranked for answer in found if isinstance(answer, Answer)] == wanted
    (unread,) = recognizer.predict("no such file")
    assert isinstance(unread, Unread)
    assert (unread.clip, unread.reason) == ("no such file", "no such file or folder")
    for other in (None, 7, {"clip": path}):
        with pytest.raises(PipelineError, match="where a list is wanted of paths"):
            recognizer.predict(other)  # type: ignore[arg-type]


def test_arrays_whose_axes_are_exchanged_are_not_answered(recognizer: Recognizer, joints: np.ndarray) -> None:
    exchanged = [joints[:, 0][None], joints.transpose(1, 0, 2, 3), joints.transpose(3, 0, 2, 1)]
    for answer in [*recognizer.predict(exchanged), *recognizer.predict(joints.tolist())]:
        assert isinstance(answer, Unread)
        assert "(frames, bodies, 25, 3)" in answer.reason
        assert "shape" in answer.reason


@pytest.mark.parametrize(("unit", "told"), [(1, False), (100, True), (1000, True), (0.001, True)])
def test_units_that_are_not_metres_are_told_in_the_answer(
    recognizer: Recognizer, joints: np.ndarray, unit: float, told: bool
) -> None:
    (answer,) = recognizer.predict([unit * joints])
    assert isinstance(answer, Answer)
    assert any("not to be in metres" in warning for warning in answer.warnings) == told


@pytest.mark.parametrize("shape", [(3, 8, 25, 2), (1, 8, 2, 25, 3), (1, 3, 8, 20, 2), (1, 3, 0, 25, 2)])
def test_features_are_of_prepared_clips_alone(recognizer: Recognizer, shape: tuple[int, ...]) -> None:
    with pytest.raises(PipelineError, match=r"where \(clips, 3, frames, 25, 2\) is wanted") as error:
        recognizer.features(np.zeros(shape, np.float32))
    assert str(shape) in str(error.value)


def test_features_of_nan_are_refused(recognizer: Recognizer) -> None:
    with pytest.raises(PipelineError, match="NaN or infinite"):
        recognizer.features(np.full((1, 3, 8, 25, 2), np.nan, np.float32))


def test_one_action_in_words_needs_no_list(tiny_run: TinyRun, recognizer: Recognizer, joints: np.ndarray) -> None:
    texts = texts_of(tiny_run, "A014")
    one, listed = recognizer.predict(joints, texts, "zsl"), recognizer.predict(joints, [texts], "zsl")
    assert one == listed
    for actions in ("wave | a hand | a person", [["wave"]], [{"label": 3}]):
        with pytest.raises(DescriptionError, match="a dictionary of texts by level is wanted"):
            recognizer.predict(joints, actions, "zsl")  # type: ignore[arg-type]


def test_a_run_that_is_not_there_names_those_that_are(tiny_run: TinyRun) -> None:
    with pytest.raises(PipelineError, match="no trained run; there is default"):
        Recognizer.load(tiny_run.root / "runs" / "other")
    with pytest.raises(PipelineError, match=r"has no seed 99; it has 5"):
        Recognizer.load(tiny_run.root / "runs" / "default", seed=99)


def test_a_backbone_that_is_gone_or_another_one_is_said_so(copy: Workspace) -> None:
    path = copy.backbone("test")
    shutil.copy(copy.backbone("val"), path)
    with pytest.raises(PipelineError, match="is not the backbone that made"):
        Recognizer.load(copy.root / "runs" / "default")
    path.unlink()
    with pytest.raises(PipelineError, match=r"test\.safetensors is missing.*extract --force"):
        Recognizer.load(copy.root / "runs" / "default")


def test_files_that_changed_since_the_run_are_refused(copy: Workspace) -> None:
    with h5py.File(copy.text, "a") as file:
        file.attrs["fingerprint"] = "another"
    with pytest.raises(PipelineError, match=r"text\.h5 is not the file that .* was made from"):
        Recognizer.load(copy.root / "runs" / "default")
    copy.text.unlink()
    with pytest.raises(PipelineError, match=r"text\.h5 is missing"):
        Recognizer.load(copy.root / "runs" / "default")


def test_the_encoder_is_set_up_as_text_h5_says_and_not_config_toml(copy: Workspace) -> None:
    wanted = {"prompt": "do: ", "dimensions": 3, "dtype": "bfloat16"}
    recorded = json.loads(h5.read_record(copy.text)["settings"])
    recorded |= {f"text.{key}": value for key, value in wanted.items()}
    rewrite_record(copy.text, {"settings": json.dumps(recorded)})
    text = Recognizer.load(copy.root / "runs" / "default").run.config.text
    assert {key: getattr(text, key) for key in wanted} == wanted


def test_the_recipe_must_be_known(copy: Workspace) -> None:
    copy.skeletons.unlink()
    with pytest.raises(PipelineError, match=r"skeletons\.h5 is missing"):
        Recognizer.load(copy.root / "runs" / "default")


@pytest.mark.parametrize(("stage", "advice"), [("preprocess", "run `fsvae-pipe run`"), ("import", "import them again")])
def test_clips_of_an_earlier_revision_of_the_recipe_are_no_model_for_others(
    copy: Workspace, stage: str, advice: str
) -> None:
    made = Provenance.from_record(read_record(copy.skeletons))
    settings = json.dumps({**made.settings, RECIPE: "denoised"})
    rewrite_record(copy.skeletons, {"stage": stage, "settings": settings})
    with pytest.raises(PipelineError, match=f"made by an earlier revision of the recipe denoised.*{advice}"):
        Recognizer.load(copy.root / "runs" / "default")
    rewrite_record(copy.skeletons, {"inputs": json.dumps({**made.inputs, **revision("denoised")})})
    assert Recognizer.load(copy.root / "runs" / "default").treatment.recipe == "denoised"


def test_imported_features_have_no_backbone(copy: Workspace) -> None:
    rewrite_record(copy.features("test"), {"stage": "import"})
    with pytest.raises(PipelineError, match="was imported, so there is no backbone"):
        Recognizer.load(copy.root / "runs" / "default")


def test_a_run_that_is_not_evaluated_says_so(copy: Workspace) -> None:
    copy.run("default").results.unlink()
    with pytest.raises(PipelineError, match="trained but not evaluated"):
        Recognizer.load(copy.root / "runs" / "default")


def test_two_actions_of_one_label_are_refused(recognizer: Recognizer) -> None:
    texts = {"label": "wave", "local": "a hand swings", "global": "a person waves"}
    with pytest.raises(DescriptionError, match='called "wave"'):
        recognizer.predict([], [texts, texts])
    with pytest.raises(PipelineError, match="at least two"):
        recognizer.predict([], [texts], mode="given")


def test_a_mode_that_does_not_exist_names_those_that_do(recognizer: Recognizer) -> None:
    with pytest.raises(PipelineError, match="mode 'bogus': gzsl, zsl or given is wanted"):
        recognizer.predict([], mode="bogus")  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_joints_become_the_raw_clip_that_their_file_would_be(frames: int, bodies: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    joints = moving_clip(generator, frames, bodies) * generator.integers(0, 2, (frames, bodies, 1, 1))
    joints[0] = moving_clip(generator, 1, bodies)[0]  # so that bodies appear in their order
    found, wanted = raw_clip(joints, "clip"), parse_clip(format_clip(joints), "clip")
    assert np.array_equal(found.joints, wanted.joints)
    assert np.array_equal(found.listed(4), wanted.listed(4))


@pytest.mark.parametrize("joints", [np.zeros((2, 1, 20, 3)), np.full((2, 1, 25, 3), np.nan)])
def test_joints_of_another_shape_or_not_finite_are_refused(joints: np.ndarray) -> None:
    with pytest.raises(DataError):
        raw_clip(joints, "clip")


def test_batches_keep_the_order_and_tell_what_can_not_be_read(
    tiny_raw: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(clip_stream, "BATCH_CLIPS", 5)
    folder = tiny_raw / "setup1"
    wanted = sorted(str(source) for source in list_source(folder))
    batches = list(clip_batches([folder, tmp_path], Treatment(Reading(), "shift-gcn", 8)))
    order = [item.clip if isinstance(item, Unread) else item for batch in batches for item in batch.order]
    assert order == [*wanted, str(tmp_path)]
    assert all(len(batch.order) <= 5 for batch in batches)
    assert all(batch.joints.shape[1:] == (3, 8, 25, 2) for batch in batches)
    unread = [item for batch in batches for item in batch.order if isinstance(item, Unread)]
    assert len(unread) == 5
    assert sum(len(batch.joints) for batch in batches) == len(wanted) - 4
