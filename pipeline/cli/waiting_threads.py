"""How the threads of OpenMP wait, set before torch is loaded.

By default they spin for long while they wait for each other. A core that spins does no work for others, so that beside
another busy program both get a small part of what one gets alone. tests/benchmarks/bench_busy_machine.py measures it.
"""

from collections.abc import MutableMapping

# GNU's library (torch on Linux) spins so many turns, some microseconds, before it sleeps; LLVM's and Intel's (macOS,
# Windows, builds with MKL) wait so many milliseconds. Of small training steps, 1000 turns cost a sixth of the speed of
# a program that is alone, 3000 less than a tenth, 10 000 nothing; two at once then do 1.2, 0.9 and 0.5 times as much as
# one alone, and 0.3 by default.
SHORT_WAIT = {"GOMP_SPINCOUNT": "3000", "KMP_BLOCKTIME": "1"}
POLICY = "OMP_WAIT_POLICY"  # the standard's own name for it; who sets it has chosen


def wait_shortly(environment: MutableMapping[str, str]) -> None:
    """Let waiting threads sleep early, in this process and those that it starts. What the user has set stays."""
    if POLICY not in environment:
        for name, value in SHORT_WAIT.items():
            environment.setdefault(name, value)
