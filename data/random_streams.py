"""Every random stream of the program, by what it is drawn for. No other module of the program makes a generator.

A stream is a constant of this module, and `generator` gives the numpy generator of one draw; torch's generators come
from models/generators.py, which takes the seed that `torch_seed` gives. Draws of one stream differ in the numbers of
its key: a backbone's order of clips goes by the seed and the epoch.

A new stream gets the next free `number`: nothing else of this module can start as it does. Streams without a number
are older. They stay as they are, since published results and trained backbones are drawn from them, although numpy
fills short entropy up with zeros, so that (5,), (5, 0) and (5, 0, 0) start alike. Therefore the first epoch's order of
clips starts as the choice of held-out clips does, the augmentation of clip 0 starts as the epoch's order does, and the
demo's person number 3 as the order of epoch 3. tests/whole/test_random_streams.py shows that these are all.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stream:
    """One purpose. A draw goes by the numbers that `key` names, none negative; the first is the seed, if any is."""

    key: tuple[str, ...]
    number: int | None = None
    word: int | None = None  # of an older stream that is seeded by one 32-bit word of the state of its key

    def _sequence(self, values: tuple[int, ...]) -> np.random.SeedSequence:
        if len(values) != len(self.key):
            raise ValueError(f"a stream that goes by {', '.join(self.key) or 'nothing'} was given {values}")
        if self.number is None:
            return np.random.SeedSequence(values)
        seed, *others = values or (0,)
        return np.random.SeedSequence(seed, spawn_key=(self.number, *others))  # behind the words that are filled up


@dataclass(frozen=True)
class NumpyStream(Stream):
    """A stream that numpy draws."""

    def generator(self, *values: int) -> np.random.Generator:
        """The generator of one draw; `values` are the numbers of the key."""
        sequence = self._sequence(values)
        return np.random.default_rng(sequence if self.word is None else _word(sequence, self.word))


@dataclass(frozen=True)
class TorchStream(Stream):
    """A stream that torch draws."""

    def torch_seed(self, *values: int) -> int:
        """What seeds the generator of one draw; `values` are the numbers of the key."""
        sequence = self._sequence(values)
        return values[0] if self.number is None and self.word is None else _word(sequence, self.word or 0)


def _word(sequence: np.random.SeedSequence, place: int) -> int:
    return int(sequence.generate_state(place + 1)[place])


# Which actions and clips are held out of training
PSEUDO_UNSEEN_ACTIONS = NumpyStream(("seed",), number=1)
HELD_OUT_CLIPS = NumpyStream(("seed",))

# The backbone; epochs count from 0, a clip is its row in skeletons.h5
BACKBONE_WEIGHTS = TorchStream(("seed",))
BACKBONE_ORDER = NumpyStream(("seed", "epoch"))
BACKBONE_AUGMENTATION = NumpyStream(("seed", "epoch", "clip"))

# FS-VAE; a phase is its place among the phases, cycles count from 1
FSVAE_WEIGHTS = TorchStream(("seed", "phase"), word=0)
FSVAE_BATCHES = NumpyStream(("seed", "phase"), word=1)
FSVAE_NOISE = TorchStream(("seed", "phase"), word=2)
UNSEEN_CLASSIFIER = TorchStream(("seed", "phase", "cycle"), word=0)
GATE_HELD_OUT_CLIPS = NumpyStream(("seed", "cycle"), number=2)

# The first weights of a network that is given others before it is used
REPLACED_WEIGHTS = TorchStream((), number=3)

# The clips that a report's map of latents shows
LATENT_MAP_CLIPS = NumpyStream((), number=4)

# The demo's recordings
DEMO_PERSON = NumpyStream(("seed", "subject"))
DEMO_CLIP = NumpyStream(("seed", "action", "subject", "replication"))
