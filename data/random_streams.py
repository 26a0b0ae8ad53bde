"""All random streams of the program: one for each purpose. No other module makes a random generator.

A stream is a constant of this module. `NumpyStream.generator` returns a numpy generator, `TorchStream.torch_seed` the
seed for models/torch_generators.py. Both take the values of the stream's key. The order of clips in a backbone's
training has the key (seed, epoch), so that every epoch has another order.

Give a new stream the next free `number`. Then its generators start as no other generator does.

Streams without a number are older. They keep their entropy, because published results and trained backbones depend on
it. numpy pads entropy with zeros: (5,), (5, 0) and (5, 0, 0) give the same generator. Three of the older streams
therefore share a start with another one, and tests/whole/test_random_streams.py shows that no other pair does:
- the order of clips in epoch 0, and the choice of held-out clips;
- the augmentation of clip 0, and the order of clips in the same epoch;
- person n of the demo, and the order of clips in epoch n.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stream:
    """The stream of one purpose. `key` names the numbers that select a generator, from 0 up; the seed is the first."""

    key: tuple[str, ...]
    number: int | None = None
    word: int | None = None  # some older streams are seeded by this word, of 32 bits, of numpy's state of the key

    def _sequence(self, values: tuple[int, ...]) -> np.random.SeedSequence:
        if len(values) != len(self.key):
            raise ValueError(f"the key of this stream is ({', '.join(self.key)}), but its values are {values}")
        if self.number is None:
            return np.random.SeedSequence(values)
        seed, *others = values or (0,)
        return np.random.SeedSequence(seed, spawn_key=(self.number, *others))  # numpy puts it behind the padding


@dataclass(frozen=True)
class NumpyStream(Stream):
    """A stream of numpy's generators."""

    def generator(self, *values: int) -> np.random.Generator:
        """Return the generator for the `values` of the key. Raises ValueError when their number is wrong."""
        sequence = self._sequence(values)
        return np.random.default_rng(sequence if self.word is None else _word(sequence, self.word))


@dataclass(frozen=True)
class TorchStream(Stream):
    """A stream of torch's generators."""

    def torch_seed(self, *values: int) -> int:
        """Return the seed for the `values` of the key. Raises ValueError when their number is wrong."""
        sequence = self._sequence(values)
        return values[0] if self.number is None and self.word is None else _word(sequence, self.word or 0)


def _word(sequence: np.random.SeedSequence, place: int) -> int:
    return int(sequence.generate_state(place + 1)[place])


# Held out of training
PSEUDO_UNSEEN_ACTIONS = NumpyStream(("seed",), number=1)
HELD_OUT_CLIPS = NumpyStream(("seed",))
RANDOM_SPLITS = NumpyStream(("seed", "draw"), number=6)  # sets of unseen and pseudo-unseen actions; draws from 1

# Backbones; epochs count from 0, `clip` is the row in skeletons.h5
BACKBONE_WEIGHTS = TorchStream(("seed",))
BACKBONE_ORDER = NumpyStream(("seed", "epoch"))
BACKBONE_AUGMENTATION = NumpyStream(("seed", "epoch", "clip"))

# FS-VAE and the gate; `phase` is the index in PHASES, cycles count from 1
FSVAE_WEIGHTS = TorchStream(("seed", "phase"), word=0)
FSVAE_BATCHES = NumpyStream(("seed", "phase"), word=1)
FSVAE_NOISE = TorchStream(("seed", "phase"), word=2)
UNSEEN_CLASSIFIER = TorchStream(("seed", "phase", "cycle"), word=0)
GATE_HELD_OUT_CLIPS = NumpyStream(("seed", "cycle"), number=2)

# Initial weights that are overwritten before use
REPLACED_WEIGHTS = TorchStream((), number=3)

# Clips shown in the latent map of a report
LATENT_MAP_CLIPS = NumpyStream((), number=4)

# The clips of the call that is recorded as an ONNX graph
RECORDED_CLIPS = TorchStream((), number=5)

# Synthetic clips of the demo
DEMO_PERSON = NumpyStream(("seed", "subject"))
DEMO_CLIP = NumpyStream(("seed", "action", "subject", "replication"))
