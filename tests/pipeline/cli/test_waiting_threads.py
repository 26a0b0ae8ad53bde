"""OpenMP's threads sleep early while they wait, unless the user says how they wait."""

import os
import subprocess
import sys

import pytest

from pipeline.cli.waiting_threads import SHORT_WAIT, wait_shortly


def test_it_sets_what_the_user_has_not_set() -> None:
    environment = {"GOMP_SPINCOUNT": "infinity", "OTHER": "1"}
    wait_shortly(environment)
    assert environment == {"GOMP_SPINCOUNT": "infinity", "KMP_BLOCKTIME": SHORT_WAIT["KMP_BLOCKTIME"], "OTHER": "1"}


@pytest.mark.parametrize("policy", ["ACTIVE", "PASSIVE"])
def test_a_policy_of_the_user_stays_alone(policy: str) -> None:
    environment = {"OMP_WAIT_POLICY": policy}
    wait_shortly(environment)
    assert environment == {"OMP_WAIT_POLICY": policy}


def test_a_command_sets_it_before_torch_is_loaded() -> None:
    code = (
        "import sys, os, pipeline.cli.main as m\n"
        "try: m.main(['--version'])\n"
        "except SystemExit: print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    )
    clean = {name: value for name, value in os.environ.items() if name not in (*SHORT_WAIT, "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == [SHORT_WAIT["GOMP_SPINCOUNT"], "False"]
