"""Times small pieces of a study's work on this machine, to estimate how long the whole takes.

Each function returns seconds for a unit of work: a clip, a step, a cycle. The numbers that go through the networks are
made up, since only their shapes matter for the time.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from data.clean.cleaning import clean_batch
from data.clip_name import ClipName
from data.recordings.read_clip import RawPart
from models.aligners.protocol import fit_members
from models.aligners.registry import make_aligner
from models.backbone.features import clip_features
from models.backbone.training import TrainingClips, train_backbone
from models.devices import make_accelerator, torch_device
from models.fsvae.batches import TrainingData
from models.fsvae.training import Member
from pipeline.phases.raw_recordings import reading_of
from pipeline.phases.scores import PhaseScoring, member_scores
from pipeline.stages.embed_text import load_encoder_of
from pipeline.stages.parallel import worked_on
from pipeline.workspace.config import Config
from pipeline.workspace.context import Context

CLIPS = 32  # read and cleaned, after as many that do not count
CPU_CLIPS, GPU_BATCHES = 8, 4  # a backbone trains on
EPOCHS = 2
STEPS = (5, 25)  # of FS-VAE; two numbers, because a fit has a part that does not depend on them
MOST_ROWS = 4000  # clips that are made up
FEATURES, TEXT = 256, 1536  # numbers in a feature of Shift-GCN, and in three levels of CLIP's
JOINTS, BODIES = 25, 2


def seconds_to(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def cleaning(context: Context, clips: Sequence[tuple[ClipName, RawPart]]) -> float:
    """Seconds for a clip in preprocess, in one process."""
    chosen = [clips[place] for place in np.unique(np.linspace(0, len(clips) - 1, 2 * CLIPS).astype(int))]
    half = max(1, len(chosen) // 2)
    reading, recipe = reading_of(context), context.config.preprocess.recipe
    clean_batch(chosen[:half], recipe, reading)
    measured = chosen[half:] or chosen
    return seconds_to(lambda: clean_batch(measured, recipe, reading)) / len(measured)


def embedding(context: Context) -> tuple[float, float]:
    """Seconds to load the text encoder, and for a text. Raises ModelError when it is not to be had."""
    started = time.perf_counter()
    encoder = load_encoder_of(context)
    loading = time.perf_counter() - started
    texts = [f"A person raises the arm number {number} slowly and lowers it again." for number in range(8)]
    return loading, seconds_to(lambda: encoder.encode(texts)) / len(texts)


def backbone(config: Config, classes: int) -> tuple[float, float]:
    """Seconds for a clip in one epoch of training, and in the computation of features."""
    accelerator = make_accelerator(config.device, config.backbone.precision)
    on_cpu = accelerator.device.type == "cpu"
    batch = min(config.backbone.batch_size, CPU_CLIPS) if on_cpu else config.backbone.batch_size
    settings = config.backbone.model_copy(update={"epochs": EPOCHS, "batch_size": batch, "keep": "last"})
    places = np.arange(CPU_CLIPS if on_cpu else GPU_BATCHES * batch)
    clips = TrainingClips(
        fit=places,
        fit_class=places % classes,
        held_out=places[:1],
        held_out_class=places[:1] % classes,
        num_classes=classes,
        load_batch=lambda some: _made_up_clips(some, settings.frames),
    )
    ends: list[float] = []
    network, _ = train_backbone(clips, settings, 0, accelerator, None, lambda state: ends.append(time.perf_counter()))
    training = min(np.diff(ends)) / len(places)  # the first epoch takes longer, and does not count
    return float(training), seconds_to(lambda: clip_features(network, places, clips.load_batch, batch)) / len(places)


def _made_up_clips(places: NDArray[np.int64], frames: int) -> NDArray[np.float32]:
    """Clips of one body, and every fifth one of two, as in NTU RGB+D: an empty body costs nearly nothing."""
    clips = made_up(len(places), 3, frames, JOINTS, BODIES)
    clips[places % 5 > 0, ..., 1] = 0
    return clips


def aligner(config: Config, clips: int, seen: int, at_once: int) -> tuple[float, float]:
    """Seconds to train `at_once` seeds and phases at once: what does not depend on the steps, and a step of all."""
    device = torch_device(config.device)
    rows = min(clips, MOST_ROWS)
    data = TrainingData(made_up(rows, FEATURES), np.arange(rows) % seen, made_up(seen, TEXT))
    members = [Member(data, (number, 0)) for number in range(at_once)]

    def fit(steps: int) -> None:
        settings = config.train.model_copy(update={"cycles": 1, "steps_per_cycle": steps})
        fit_members(make_aligner(config.model, settings, config.evaluate.classifier), members, device)

    fit(STEPS[0])  # the first time takes longer, and does not count
    short, long = (_in_one_thread(lambda steps=steps: fit(steps)) for steps in STEPS)  # type: ignore[misc]
    step = max(0.0, (long - short) / (STEPS[1] - STEPS[0]))
    return max(0.0, short - step * STEPS[0]), step


def scoring(config: Config, clips: int, seen: int, unseen: int) -> float:
    """Seconds to score one cycle of one seed in one phase."""
    rows = min(clips, MOST_ROWS)
    train = config.train.model_copy(update={"cycles": 1, "steps_per_cycle": STEPS[0]})
    made = make_aligner(config.model, train, config.evaluate.classifier)
    data = TrainingData(made_up(rows, FEATURES), np.arange(rows) % seen, made_up(seen, TEXT))
    states, _ = made.fit(data, (0, 0), torch.device("cpu"), lambda *_: None)
    actions = np.arange(1, seen + unseen + 1)
    phase = PhaseScoring(
        name="test",
        seen=tuple(actions[:seen].tolist()),
        unseen=tuple(actions[seen:].tolist()),
        clip_name=np.array(["clip"] * rows, np.str_),
        action=actions[np.arange(rows) % len(actions)],
        features=data.skeletons,
        seen_logits=made_up(rows, seen),
        seen_texts=data.texts,
        unseen_texts=made_up(unseen, TEXT),
        distance=made_up(rows).astype(np.float64),
    )
    gate = config.evaluate.gate.kind
    seconds = _in_one_thread(lambda: member_scores(phase, made, states, (0, 0), gate))
    return seconds * max(1.0, clips / rows) / 2  # it scores the cycle, and the mean of all


def _in_one_thread(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes in a worker of `worked_on`."""
    [seconds] = worked_on(seconds_to, [(work,)], 1)
    return seconds


def made_up(*shape: int) -> NDArray[np.float32]:
    """Numbers between -1 and 1 that do not repeat."""
    return np.sin(np.arange(int(np.prod(shape))) % 99_991).astype(np.float32).reshape(shape)
