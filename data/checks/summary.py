"""What the checks found in many clips: how many, the first of each kind, and whether it is worth a word."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from data.checks.finding import Finding

FEW_CLIPS = 0.02  # of those checked; 0.7 % of MSR-Action3D get a finding that is not right

ClipFinding = tuple[str, str, Finding]  # clip, file, what seems wrong with it


@dataclass
class Summary:
    """Counts of findings. It keeps one of each kind, whatever the number of clips."""

    checked: int = 0
    clips: Counter[str] = field(default_factory=Counter)  # by check
    first: dict[str, ClipFinding] = field(default_factory=dict)

    def add(self, findings: Iterable[ClipFinding], checked: int) -> None:
        """Count the findings of `checked` clips."""
        self.checked += checked
        for found in findings:
            check = found[2].check
            self.clips[check] += 1
            self.first.setdefault(check, found)

    def suspected(self) -> list[str]:
        """A sentence for each check that speaks of more than a few clips: it is wrong about some good ones."""
        return [
            f"{number} of {self.checked} clips that were checked, {check}: the first is {clip}. {finding}"
            for check, number in self.clips.items()
            if number > FEW_CLIPS * self.checked
            for clip, _, finding in (self.first[check],)
        ]
