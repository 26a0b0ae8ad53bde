"""The stages, in order: what each depends on, what it writes, and which function runs it.

    raw .skeleton files -> preprocess -> skeletons.h5 -> extract -> features/ --+
                                                                                +-> train -> evaluate -> results.json
    descriptions -> embed-text -> text.h5 --------------------------------------+

A stage is up to date when its outputs were made by the same version of the stage, from the same settings and inputs.
Nothing here imports torch: `status` reads this table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from data.phase_names import PHASES
from pipeline.messages.errors import PipelineError
from pipeline.stages import inputs
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import Provenance

SPLIT_SETTINGS = ("dataset.split", "dataset.unseen", "dataset.val_unseen", "seed")
PROTOCOL_SETTINGS = (
    "dataset.protocol", "dataset.protocol_list", "dataset.train_subjects", "dataset.train_cameras",
    "dataset.train_setups",
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One step of the program. `settings` are dotted keys of config.toml or whole tables."""

    name: str
    version: int  # raised when the stage would write something else from the same settings and inputs
    help: str
    needs: tuple[str, ...]  # stages whose outputs it reads
    settings: tuple[str, ...]
    without: tuple[str, ...]  # keys of these tables that change no result
    inputs: Callable[[Context], Mapping[str, str]]
    outputs: Callable[[Context], tuple[Path, ...]]
    function: str  # "module:name", imported when the stage runs

    def provenance(self, context: Context) -> Provenance:
        """Return what the outputs would depend on if the stage ran now.

        Raises DataError, DescriptionError or PipelineError when an input is missing or broken.
        """
        chosen = {
            key: value
            for key, value in context.config.flat().items()
            if key not in self.without and any(key == name or key.startswith(f"{name}.") for name in self.settings)
        }
        return Provenance(self.name, self.version, chosen, self.inputs(context))

    def run(self, context: Context) -> None:
        """Do the stage's work, whatever its state."""
        module, _, name = self.function.partition(":")
        provenance = self.provenance(context)
        getattr(import_module(module), name)(context, provenance)


STAGES = (
    Stage(
        name="preprocess",
        version=1,
        help="Raw clips -> skeletons.h5, rejects.csv.",
        needs=(),
        settings=("dataset.name", "dataset.layout", "dataset.fps", "dataset.mirrored", "preprocess"),
        without=("preprocess.workers",),
        inputs=inputs.raw_clips,
        outputs=lambda context: (context.workspace.skeletons,),
        function="pipeline.stages.preprocess:preprocess",
    ),
    Stage(
        name="extract",
        version=3,
        help="skeletons.h5 -> features/test.h5, features/val.h5; trains a backbone for each phase if none is given.",
        needs=("preprocess",),
        settings=("dataset.name", *SPLIT_SETTINGS, *PROTOCOL_SETTINGS, "backbone"),
        without=(),
        inputs=inputs.skeletons_and_weights,
        outputs=lambda context: tuple(context.workspace.features(phase) for phase in PHASES),
        function="pipeline.stages.extract:extract",
    ),
    Stage(
        name="embed-text",
        version=1,
        help="Descriptions -> text.h5.",
        needs=(),
        settings=("text",),
        without=(),
        inputs=inputs.descriptions,
        outputs=lambda context: (context.workspace.text,),
        function="pipeline.stages.embed_text:embed_text",
    ),
    Stage(
        name="train",
        version=6,
        help="Features and text -> runs/NAME/; trains FS-VAE, or another aligner, for both phases.",
        needs=("extract", "embed-text"),
        settings=("dataset.name", *SPLIT_SETTINGS, *PROTOCOL_SETTINGS, "text.levels", "model", "train"),
        without=("train.workers",),
        inputs=inputs.features_and_text,
        outputs=lambda context: (context.run.model,),
        function="pipeline.stages.train:train",
    ),
    Stage(
        name="evaluate",
        version=8,
        help="runs/NAME/ -> results.json, and a table on the screen.",
        needs=("extract", "embed-text", "train"),
        settings=("evaluate",),
        without=(),
        inputs=inputs.model_features_and_text,
        outputs=lambda context: (context.run.results, context.run.predictions),
        function="pipeline.stages.evaluate:evaluate",
    ),
)


def stage_named(name: str) -> Stage:
    """The stage called `name`. Raises PipelineError when there is none."""
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise PipelineError(f'"{name}" is not a stage; the stages are {", ".join(stage.name for stage in STAGES)}')
