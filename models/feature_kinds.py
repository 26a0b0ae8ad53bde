"""The names of the spaces that clips can be compared with texts in. models/feature_space.py says what each is."""

from typing import Literal

FeatureKind = Literal["given", "standardised", "half-whitened", "whitened"]
