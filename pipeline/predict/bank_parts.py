"""What every bank of a run is made of: the states of its aligner, and the encoder of given actions."""

from functools import cached_property
from typing import TYPE_CHECKING

from data.stores.prediction_store import Decision, SeedName, read_decisions
from pipeline.predict.free_text import GivenTexts
from pipeline.predict.trained_run import TrainedRun

if TYPE_CHECKING:
    from models.aligners.protocol import State


class BankParts:
    """Loads each part when it is first asked for. Who makes many banks keeps one object for all."""

    def __init__(self, run: TrainedRun) -> None:
        self._run = run

    def load(self) -> None:
        """Load every part now, so that no first bank waits for it. Raises as the parts do."""
        _ = self.states, self.decisions, self.texts

    @cached_property
    def states(self) -> dict[int, dict[int, "State"]]:
        """Seed -> cycle -> state, of the cycles that the run's rule took. Raises DataError when a file is damaged."""
        from pipeline.workspace.tensor_store import read_state, require_as_written

        model = self._run.context.run.model
        require_as_written(model)
        return {
            seed: {cycle: read_state(model, seed, "test", cycle) for cycle in cycles}
            for seed, cycles in self._run.cycles.items()
        }

    @cached_property
    def decisions(self) -> dict[SeedName, Decision]:
        """What evaluate fitted for each seed. Raises DataError when predictions.h5 is damaged."""
        run = self._run
        return read_decisions(run.context.run.predictions, list({*run.cycles, run.seed}), run.selection)

    @cached_property
    def texts(self) -> GivenTexts:
        """The encoder of given actions. Raises PipelineError as `GivenTexts` does."""
        return GivenTexts(self._run.context)
