"""Name the action in a clip, from Python:

    recognizer = Recognizer.load("fsvae-work/runs/default")
    answers = recognizer.predict(["clip.skeleton"])
    print(answers[0].best.label)

Letters: B clips of a batch, T frames, V = 25 joints, M = 2 bodies, S seen actions, D numbers of a feature.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.joints import NUM_JOINTS
from data.recordings.windows import Windows
from pipeline.messages.errors import PipelineError
from pipeline.phases.raw_recordings import named_layout, reading_with
from pipeline.predict.action_bank import ActionBank, make_bank
from pipeline.predict.answers import Answer, FeaturedBatch, answers_of
from pipeline.predict.clip_stream import BATCH_CLIPS, ClipBatch, ClipLike, Unread, clip_batches
from pipeline.predict.free_text import GivenAction, given_action, used_levels
from pipeline.predict.modes import Mode, Seed
from pipeline.predict.timeline import Timeline, timelines
from pipeline.predict.trained_run import TrainedRun, open_run, print_warnings
from pipeline.predict.treatment import Treatment, stored_treatment
from pipeline.workspace.context import Context


class Recognizer:
    """A trained run, ready to name the actions in clips."""

    def __init__(self, run: TrainedRun) -> None:
        """Load the backbone of `run`. Raises PipelineError when it is gone or not the one that made the features."""
        from models.devices import torch_device

        self.run = run
        self.backbone = run.backbone()
        self.treatment = stored_treatment(run.context, run.config.backbone.frames)
        self.backbone.network.to(torch_device(run.config.device))

    @classmethod
    def load(cls, run_folder: Path | str, seed: Seed | None = None, context: Context | None = None) -> Self:
        """The run in `run_folder`, WORKSPACE/runs/NAME: its first seed unless `seed` names another, or "all".

        Prints the warnings of the run. Raises PipelineError, DataError or ModelError when the run is not whole or its
        files do not belong together.
        """
        run = open_run(Path(run_folder), seed, context)
        print_warnings(run)
        return cls(run)

    @property
    def frames(self) -> int:
        """T: clips are looped, or sampled down, to this length."""
        return self.run.config.backbone.frames

    def bank(self, mode: Mode = "gzsl", given: Sequence[GivenAction] = (), reject: float | None = None) -> ActionBank:
        """What decides between the actions of `mode` and `given` ones; made once, it serves any number of clips.

        With `reject` it tells clips of none of them: it is the share (0 to 1) of right answers that may be lost by it.
        """
        return make_bank(self.run, mode, given, reject)

    def predict(
        self,
        clips: ClipLike | Iterable[ClipLike],
        actions: Mapping[str, str] | Iterable[Mapping[str, str]] = (),
        mode: Mode = "gzsl",
        *,
        reject: float | None = None,
        layout: str = "",
        fps: float = 0,
        mirrored: bool = False,
    ) -> list[Answer | Unread]:
        """Name the action in each of `clips`; those that can't be read come back as `Unread` with the reason.

        clips: .skeleton files (or those of `layout`), folders or zip archives of them, or joints in metres: arrays,
            tensors or nested lists (frames, bodies, 25, 3), or (frames, 25, 3) for one body. One clip may stand
            without a list.
        actions: actions in words, {"label": ..., "local": ..., "global": ...} each, beside those of the run.
        mode: "gzsl" all actions, "zsl" those that no one trained on, "given" those of `actions` alone.
        reject: the share of right answers that may be lost so that clips of none of the actions are told, as 0.05.
        layout, fps, mirrored: how files are read, as `treated` takes them. Arrays have 25 joints at 30 frames a second,
            or at the rate that preprocess.fps says.

        Raises PipelineError when `clips` or `mode` is something else, DescriptionError when `actions` are.
        """
        bank = self.bank(mode, self._given(actions), reject)
        return list(self.stream(clips, bank, self.treated(layout, fps, mirrored)))

    def timeline(
        self,
        recording: ClipLike,
        window_s: float = 2,
        stride_s: float | None = None,
        actions: Mapping[str, str] | Iterable[Mapping[str, str]] = (),
        mode: Mode = "gzsl",
        *,
        reject: float | None = None,
        layout: str = "",
        fps: float = 0,
        mirrored: bool = False,
    ) -> Timeline:
        """Say when which action is shown in a recording of any length: a file, or joints as `predict` takes them.

        window_s, stride_s: seconds of a window, and from one window to the next; a quarter of the window unless given.
        Every window is answered as a clip of its own. The other arguments are those of `predict`; with `reject`,
        segments that show none of the actions have the action NONE_OF_THESE.

        Raises DataError when the recording can't be read to its end or the seconds are impossible, PipelineError when
        `recording` names several recordings, and as `predict` does.
        """
        windows = Windows(window_s, window_s / 4 if stride_s is None else stride_s)
        bank = self.bank(mode, self._given(actions), reject)
        found = list(timelines(self, recording, bank, self.treated(layout, fps, mirrored), windows))
        if len(found) != 1:
            raise PipelineError(f"{len(found)} recordings, where one is wanted; name a single file")
        if isinstance(found[0], Unread):
            raise DataError(f"{found[0].clip}: {found[0].reason}")
        return found[0]

    def _given(self, actions: Mapping[str, str] | Iterable[Mapping[str, str]]) -> list[GivenAction]:
        levels = used_levels(self.run.config.text)
        actions = [actions] if isinstance(actions, Mapping) else actions
        return [given_action(texts, number, levels) for number, texts in enumerate(actions, start=1)]

    def treated(self, layout: str = "", fps: float = 0, mirrored: bool = False) -> Treatment:
        """How clips are read: by the layout of this name, or of this TOML file, else by that of the workspace.

        fps: frames a second of the recordings; 0 = as they or the layout say. mirrored: they are from mirrored films.
        Raises DataError when there is no such layout.
        """
        stored = self.treatment.reading
        if layout:
            reading = reading_with(named_layout(layout, Path()), fps, stored.to_fps, mirrored)
        else:
            reading = replace(stored, fps=fps or stored.fps, mirrored=mirrored or stored.mirrored)
        return replace(self.treatment, reading=reading)

    def stream(
        self, clips: ClipLike | Iterable[ClipLike], bank: ActionBank, treatment: Treatment | None = None
    ) -> Iterator[Answer | Unread]:
        """As `predict`, one answer after another, with memory that does not grow with the number of clips."""
        for batch in clip_batches(clips, treatment or self.treatment):
            yield from self.answers(batch, bank)

    def answers(self, batch: ClipBatch, bank: ActionBank) -> Iterator[Answer | Unread]:
        """Answer the clips of a batch, in its order."""
        return answers_of(self.featured(batch), bank)

    def featured(self, batch: ClipBatch) -> FeaturedBatch:
        """Compute what a bank needs of a batch, so that several banks can answer it."""
        size = len(batch.joints)
        features, logits = self.features(batch.joints) if size else (np.zeros((0, 0), np.float32),) * 2
        return FeaturedBatch(batch.order, features, logits, batch.warnings, batch.notes)

    def features(self, joints: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Clips (B, 3, T, 25, 2) as preprocess makes them -> features (B, D) and seen logits (B, S).

        Raises PipelineError when they have another shape, or are not finite.
        """
        from models.backbone.features import clip_features

        joints = np.asarray(joints, np.float32)
        if joints.ndim != 5 or joints.shape[1::2] != (3, NUM_JOINTS) or joints.shape[4] != 2 or not joints.shape[2]:
            raise PipelineError(
                f"clips of shape {joints.shape}, where (clips, 3, frames, {NUM_JOINTS}, 2) is wanted, normalised as "
                "preprocess does it; `predict` and `stream` take raw clips"
            )
        if not np.isfinite(joints).all():
            raise PipelineError("clips hold NaN or infinite numbers, to which a network gives any answer")
        network = self.backbone.network
        features, _ = clip_features(network, np.arange(len(joints)), lambda rows: joints[rows], BATCH_CLIPS)
        return features, self.backbone.seen_logits(features)
