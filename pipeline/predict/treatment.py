"""How clips are made ready for the backbone of a run: as those of skeletons.h5 were."""

from dataclasses import dataclass, replace

from data.errors import DataError
from data.recipes import RECIPES, Recipe, revision
from data.recordings.read_clip import Reading
from data.stores.skeleton_store import SkeletonStore
from pipeline.messages.errors import PipelineError
from pipeline.phases.raw_recordings import reading_of
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import IMPORT, RECIPE, Provenance, read_record, stored_fps


@dataclass(frozen=True)
class Treatment:
    """How clips are made ready for a backbone.

    reading: how files are read; arrays are taken to have the frame rate that it makes.
    recipe: which bodies are kept.
    frames: T, to which a clip is looped.
    longest_frames: of the clips that the backbone was trained on; None where they are not known.
    fps: the least and the most frames a second of these clips; None where all clips are brought to one rate.
    """

    reading: Reading
    recipe: Recipe
    frames: int
    longest_frames: int | None = None
    fps: tuple[float, float] | None = None


def stored_treatment(context: Context, frames: int) -> Treatment:
    """Return how the clips of skeletons.h5 were made ready. Raises PipelineError or DataError when it is not known."""
    recipe, path = stored_recipe(context), context.workspace.skeletons
    to_fps = stored_fps(path)
    with SkeletonStore(path) as store:
        longest_frames = int(store.frames.max(initial=0))
        fps = None if to_fps or not len(store) else (float(store.fps.min()), float(store.fps.max()))
    return Treatment(replace(reading_of(context), to_fps=to_fps), recipe, frames, longest_frames, fps)


def stored_recipe(context: Context) -> Recipe:
    """Return the recipe that made skeletons.h5. Raises PipelineError or DataError when it is not known."""
    path = context.workspace.skeletons
    if not path.is_file():
        raise PipelineError(
            f"{path} is missing; its record says how clips are cleaned. Put it back, or run `fsvae-pipe preprocess`"
        )
    record = read_record(path)
    made = Provenance.from_record(record)
    name = made.settings.get(RECIPE, record.get(RECIPE))
    for recipe in RECIPES:
        if recipe == name:
            if any(made.inputs.get(key) != current for key, current in revision(recipe).items()):
                advice = "import them again" if made.stage == IMPORT else "run `fsvae-pipe run` to make it again"
                raise PipelineError(
                    f"{path} was made by an earlier revision of the recipe {recipe}, which cleaned clips in another "
                    f"way, so that no raw clip can be treated like those; {advice}"
                )
            return recipe
    if name is None:
        raise DataError(
            f"{path} was imported without a record of how its clips were cleaned, so that no raw clip can be treated "
            f"like them; import it again, or name raw clips in {context.config_path} as dataset.raw and run "
            "`fsvae-pipe preprocess --force`, then `fsvae-pipe run`"
        )
    raise DataError(
        f"{path}: its record names the recipe {str(name)[:40]!r}, where {' or '.join(RECIPES)} is wanted; run "
        "`fsvae-pipe preprocess --force`, then `fsvae-pipe run`"
    )
