"""The losses of one training step for several members at once. A member is one seed in one phase.

A step of one member is about a hundred small operations, which keep a GPU busy for a small part of the time. So the
parameters of M members are stacked, (M, ...), and torch.vmap makes each operation one for all members. The losses
(losses.py) are written for one member, and know nothing of this. Members share no parameter, so the gradient of the sum
of their totals is for each what it is alone.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from models.fsvae.batches import Batch
from models.fsvae.losses import weighted_sum
from models.fsvae.model import FSVAE
from models.fsvae.step import ForwardPass

Losses = tuple[Tensor, dict[str, Tensor]]  # the total, and by name each loss that is in it


class StepOfMembers:
    """Computes the losses of one step of M members. One member alone takes the plain way, without torch.vmap."""

    def __init__(self, models: Sequence[FSVAE], forward: ForwardPass, tell: Callable[[str], None]) -> None:
        """`forward` is that of the first of `models`. `tell` is called with the reason if torch.vmap can't be used."""
        self._models, self._step, self._tell = models, _Step(forward), tell
        self._together = len(models) > 1
        self._stacked: dict[str, Tensor] = stack_module_state(models)[0] if self._together else {}  # (M, ...) each

    def parameters(self) -> list[Tensor]:
        """What the optimiser changes."""
        return list(self._stacked.values() or self._models[0].parameters())

    def states(self) -> list[dict[str, Tensor]]:
        """The state of each member, copied to main memory."""
        states = ({**model.state_dict(), **self._parameters_of(m)} for m, model in enumerate(self._models))
        return [{name: tensor.detach().cpu().clone() for name, tensor in state.items()} for state in states]

    def __call__(self, cycle: int, number: int, batch: Batch) -> Losses:
        """The losses of step `number` (from 0) of `cycle` (from 1), (M,) each. Tensors of `batch` have M in front.

        Only the totals can be differentiated.
        """
        if self._together:
            try:
                return self._all_at_once(cycle, number, batch)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:  # the other way raises it too, unless torch.vmap alone is its cause
                self._together = False
                self._tell(
                    f"a loss can't be computed for {len(self._models)} members at once, so they take turns in every "
                    f"step, which is slower ({str(error).strip().splitlines()[0]})"
                )
        return self._one_after_another(cycle, number, batch)

    def _all_at_once(self, cycle: int, number: int, batch: Batch) -> Losses:
        def losses(parameters: dict[str, Tensor], of_member: dict[str, Tensor]) -> Losses:
            return self._step.called_with(parameters, cycle, number, Batch(**of_member))

        mapped: Losses = torch.vmap(losses)(self._stacked, dict(vars(batch)))
        return mapped

    def _one_after_another(self, cycle: int, number: int, batch: Batch) -> Losses:
        parts = [
            self._step.called_with(self._parameters_of(m), cycle, number, batch.of_member(m))
            for m in range(len(self._models))
        ]
        totals, losses = zip(*parts, strict=True)
        return torch.stack(totals), {name: torch.stack([part[name].detach() for part in losses]) for name in losses[0]}

    def _parameters_of(self, m: int) -> dict[str, Tensor]:
        return {name: tensor[m] for name, tensor in self._stacked.items()}


class _Step(nn.Module):
    """The losses of one member, as a module: torch can call a module with other parameters than its own."""

    def __init__(self, forward: ForwardPass) -> None:
        super().__init__()
        self.model, self._forward_pass = forward.model, forward

    def forward(self, cycle: int, number: int, batch: Batch) -> Losses:
        return weighted_sum(self._forward_pass(cycle, number, batch))

    def called_with(self, parameters: dict[str, Tensor], cycle: int, number: int, batch: Batch) -> Losses:
        """The losses with `parameters` in place of the model's own, or with its own when there are none."""
        if not parameters:
            return self.forward(cycle, number, batch)
        named = {f"model.{name}": tensor for name, tensor in parameters.items()}
        losses: Losses = functional_call(self, named, (cycle, number, batch))
        return losses
