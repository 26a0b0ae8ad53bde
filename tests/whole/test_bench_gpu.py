"""A short run of tests/benchmarks/bench_gpu.py on the CPU. Its figures for a GPU need a GPU."""

import re
import sys

import numpy as np
import pytest
import torch

from tests.benchmarks import bench_fsvae, bench_gpu
from tests.benchmarks.bench_gpu import DATA_SETS, TOLERANCE, Speed, compared, hours

TINY = ("--clips", "8", "--frames", "4", "--seconds", "0.02")
NUMBER = r"\d+\.\d+"


def bench(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_gpu", *arguments])
    bench_gpu.main()


def test_every_speed_is_measured_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ((200, 9), (150, 7))  # clips and actions
    monkeypatch.setattr(bench_fsvae, "PHASES_OF_NTU60", small)
    monkeypatch.setattr(bench_gpu, "COMPARED_FSVAE_SIZES", small)
    monkeypatch.setattr(bench_gpu, "COMPARED_FSVAE_STEPS", 3)
    bench(monkeypatch, "--device", "cpu", *TINY, "--peak-tflops", "1", "2")
    shown = capsys.readouterr().out
    for work in ("backbone training, fp32", "extraction, fp32, batches of 8"):
        row = re.search(
            rf"^\| {work} \| ({NUMBER}) \| ({NUMBER}) \| \d+% \| {NUMBER} \| {NUMBER}% \|$", shown, re.MULTILINE
        )
        assert row
        assert all(float(speed) > 0 for speed in row.groups())
    assert "| backbone training, bf16 | not measured: " in shown
    one = re.search(rf"^FS-VAE on cpu, one seed in one phase: ({NUMBER}) steps/s$", shown, re.MULTILINE)
    at_once = re.search(rf"^FS-VAE on cpu, 5 seeds .* at once: ({NUMBER}) steps/s, ({NUMBER}) times", shown, re.M)
    assert one
    assert at_once
    assert float(at_once[2]) == pytest.approx(10 * float(at_once[1]) / float(one[1]), rel=0.05)
    for name in DATA_SETS:
        parts = rf"backbones {NUMBER}, features {NUMBER}, FS-VAE {NUMBER}"
        assert re.search(rf"^{name}, backbones in fp32, hours: {NUMBER} \({parts}\)$", shown, re.MULTILINE)
        assert f"{name}, backbones in bf16, hours: not measured: " in shown
    for values in ("features", "backbone losses", "FS-VAE losses"):
        assert f"{values}: agree; largest difference from the CPU's 0.0e+00" in shown  # it was the CPU itself
    assert re.search("^FS-VAE losses, all members at once: agree; largest difference", shown, re.MULTILINE)


def test_without_a_gpu_it_says_so_and_names_the_cpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        bench(monkeypatch)
    assert re.search("can't use 'cuda' on this machine.* --device cpu", capsys.readouterr().err)


def test_other_results_than_the_cpus_end_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_gpu, "speeds", lambda given, store: None)
    monkeypatch.setattr(bench_gpu, "comparisons", lambda *_: iter([("features", [[1.0, 2.0], [1.0, 2.1]])]))
    with pytest.raises(SystemExit, match="not the CPU's"):
        bench(monkeypatch, "--device", "cpu", *TINY)


@pytest.mark.parametrize(
    ("value", "agrees"), [(4 + 3.9 * TOLERANCE, True), (4 + 4.1 * TOLERANCE, False), (np.nan, False)]
)
def test_what_agrees(value: float, agrees: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert compared("losses", [[1.0, value], [1.0, 4.0]]) == agrees
    assert capsys.readouterr().out.startswith("losses: agree" if agrees else "losses: DIFFER")


def test_memory_that_is_too_small_is_told() -> None:
    def too_large() -> Speed:
        raise torch.OutOfMemoryError

    assert bench_gpu.measured(too_large).row("training", None).endswith("it does not fit into the device's memory |")


def test_hours_are_those_of_two_backbones_and_all_their_features() -> None:
    training, extraction = Speed(loaded=2 * 140 * 40_091 / 3600), Speed(loaded=2 * 56_578 / 7200)
    assert hours("NTU-60", training, extraction, 3400 / 1800) == "3.50 (backbones 1.00, features 2.00, FS-VAE 0.50)"
