import io
from typing import Any, get_args

from rich.console import Console

from pipeline.stages.result_tables import ENSEMBLE_WAYS, Table, number, on_screen, results_table
from pipeline.workspace.evaluate_settings import GZSL_WAYS, RULES, Rule, Way


def tree(value: float) -> dict[str, Any]:
    ways: dict[str, Any] = {way: {"seen": value + 1, "unseen": value + 2, "h": value + 3} for way in GZSL_WAYS}
    return {
        "first_cycle": 6.0 if value == 50 else value,
        "cycle": 10.0 if value == 50 else value,
        "zsl": {"top1": value, "per_class": value, "chance": 20.0 if value > 1 else 0.0},
        "auroc": {"gate": value + 4, "entropy": value + 5, "distance": value + 6},
        **ways,
    }


RESULTS = {
    "mean": {rule: tree(50.0 + place) for place, rule in enumerate(RULES)},
    "std": {rule: tree(0.5) for rule in RULES},
    "seeds": {"5": {}, "6": {}},
    "selection": "last",
}


def test_every_rule_and_every_way_has_a_name() -> None:
    assert tuple(RULES) == get_args(Rule)
    assert tuple(GZSL_WAYS) == get_args(Way)


def test_a_number_has_its_spread_where_seeds_differ() -> None:
    assert number(RESULTS, "val", "zsl.top1") == "51.0 ± 0.5"
    assert number(RESULTS, "val", "zsl.top1", spread=False) == "51.0"
    assert number(RESULTS, "oracle", "zsl.chance") == "20.0"
    assert number(RESULTS, "val", "gzsl_of_another_program.h") == "-"


def test_the_table_has_a_column_a_rule_and_a_row_a_way() -> None:
    table = results_table(RESULTS)
    assert list(table.head) == ["percent", "mean", "val", "last *", "oracle"]
    rows = {row[0]: list(row[1:]) for row in table.rows}
    assert rows["S / U / H, perfect gate"][1] == "52.0 / 53.0 / 54.0 ± 3.5"
    aurocs = "AUROC: gate / entropy / distance / text"
    assert rows[aurocs][1] == "55.0 / 56.0 / 57.0 / -"
    assert rows["cycle"] == ["6 to 10", "51.0 ± 0.5", "52.0 ± 0.5", "53.0 ± 0.5"]
    assert len(rows) == 3 + len(GZSL_WAYS) + 2
    assert [table.rows[place][0] for place in table.groups] == ["S / U / H, fitted gate", aurocs]
    assert table.note == "mean ± standard deviation of 2 seeds"


def test_the_ensemble_has_rows_of_its_own_at_the_end() -> None:
    table = results_table({**RESULTS, "ensemble": {rule: tree(70.0 + place) for place, rule in enumerate(RULES)}})
    assert table.rows[: -len(ENSEMBLE_WAYS) - 2] == results_table(RESULTS).rows
    assert table.groups[-1] == len(results_table(RESULTS).rows)
    rows = {row[0]: list(row[1:]) for row in table.rows}
    assert rows["ensemble: ZSL top-1"] == ["70.0", "71.0", "72.0", "73.0"]
    assert rows["ensemble: S / U / H, perfect gate"][1] == "72.0 / 73.0 / 74.0"
    assert rows["ensemble: AUROC of the gate"][0] == "74.0"


def test_the_screen_shows_what_the_table_holds() -> None:
    screen = Console(file=io.StringIO(), width=60)
    screen.print(
        on_screen(Table(["row", "H"], [["[red]", "1.0"], ["b", "2.0"]], "of made clips", groups=(1,)), "title")
    )
    assert isinstance(screen.file, io.StringIO)
    printed = screen.file.getvalue()
    assert "[red]" in printed
    assert printed.index("1.0") < printed.index("├") < printed.index("2.0") < printed.index("of made clips")


def test_no_name_is_cut_in_a_narrow_terminal() -> None:
    """Two rows of a grid may differ at the end of their names alone."""
    screen = Console(file=io.StringIO(), width=30)
    names = ("train.calibrated=one-sided", "train.calibrated=one-sidedly")
    screen.print(on_screen(Table(["row", "H"], [[name, "1.0 / 2.0 / 3.0"] for name in names]), "title"))
    assert isinstance(screen.file, io.StringIO)
    lines = [line.split("│")[1].strip() for line in screen.file.getvalue().splitlines() if line.startswith("│")]
    assert "".join(lines) == "".join(names)
