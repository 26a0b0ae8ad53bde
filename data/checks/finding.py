"""What a check says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that seems to be wrong with a clip."""

    check: str  # the name of the check, such as "size"; the same for all clips with this mistake
    evidence: str  # what was measured in this clip, and what a good clip has; a sentence
    advice: str  # what to do about it; a sentence

    def __str__(self) -> str:
        return f"{self.evidence} {self.advice}"
