"""The tables of a study: the paper's Tables 1 and 2 with the published rows and our own, and what stands below them."""

from collections.abc import Iterator, Sequence

from pipeline.stages.comparison import other_publications, percent, published
from pipeline.stages.result_tables import Table
from pipeline.study.outcomes import ORACLE, Group, Measure, Outcome
from pipeline.study.study_file import Preset, Study
from pipeline.workspace.evaluate_settings import Rule

MOST_NAMED = 3  # runs named in a warning
MOST_GROUPS = 4  # columns of a table, as the paper has them
ZSL, GZSL = "ZSL, top-1", "GZSL, S / U / H, fitted gate"
PUBLISHED_COLUMNS = {ZSL: ("zsl",), GZSL: ("seen", "unseen", "h")}
OWN_COLUMNS = {ZSL: ("zsl_top1",), GZSL: ("seen", "unseen", "h")}
ABOUT_ORACLE = "oracle picks the cycle of training on the test classes, as most published figures do: do not report it"


def paper_tables(study: Study, groups: Sequence[Group]) -> Iterator[tuple[str, Table]]:
    """Yield the title and the table of ZSL, then of GZSL; several of each where there are many groups."""
    for start in range(0, len(groups), MOST_GROUPS):
        for title in (ZSL, GZSL):
            yield title, _table(study, groups[start : start + MOST_GROUPS], title)


def _table(study: Study, groups: Sequence[Group], title: str) -> Table:
    methods = _methods(groups, PUBLISHED_COLUMNS[title])
    differs = _others(groups)
    newer = [method for method in methods if method in differs]
    methods = [*(method for method in methods if method not in differs), *newer]
    rows = [[method, *(_printed(group, method, title) for group in groups)] for method in methods]
    if title == ZSL:
        guesses = [group.chance() for group in groups]
        rows.append(["chance", *("-" if guess is None else f"{guess:.1f}" for guess in guesses)])
    for preset in study.presets:
        for rule in _rules(groups, preset):
            label = f"here: {preset}, {rule}" if rule else f"here: {preset}"
            rows.append([label, *(_own(group, preset, rule, title) for group in groups)])
    return Table(
        ["percent", *(group.title for group in groups)],
        rows,
        f"{_spread(groups)}. {ABOUT_ORACLE}.",
        groups=(len(methods) - len(newer), len(methods)) if methods else (),
    )


def _others(groups: Sequence[Group]) -> dict[str, str]:
    return {method: text for group in groups for method, text in other_publications(group.name).items()}


def about_rows(groups: Sequence[Group]) -> list[str]:
    """What differs from the paper in the published rows that are from other publications, a sentence for each."""
    return [f"{method}: {differs}." for method, differs in _others(groups).items()]


def _methods(groups: Sequence[Group], columns: Sequence[str]) -> list[str]:
    """The published methods with a number in one of `columns` on any of the splits."""
    rows = [row for group in groups for row in published(group.name).items()]
    return list(dict.fromkeys(method for method, row in rows if any(column in row for column in columns)))


def _printed(group: Group, method: str, title: str) -> str:
    row = published(group.name).get(method, {})
    numbers = [percent(row.get(column)) for column in PUBLISHED_COLUMNS[title]]
    misprint = " (misprinted)" if row.get("misprinted") and title == GZSL else ""
    return "-" if set(numbers) == {"-"} else " / ".join(numbers) + misprint


def _rules(groups: Sequence[Group], preset: Preset) -> list[Rule | None]:
    """The rules of the headlines, then the oracle; [None] when no run of the preset has results."""
    rules: dict[Rule | None, None] = dict.fromkeys(rule for group in groups if (rule := group.rule(preset)))
    return [*rules, *([] if ORACLE in rules else [ORACLE])] if rules else [None]


def _own(group: Group, preset: Preset, rule: Rule | None, title: str) -> str:
    measures = group.measures(preset, rule) if rule else {}
    if not measures:
        return "-"
    *first, last = (measures[column] for column in OWN_COLUMNS[title])
    cell = " / ".join([*(f"{measure.mean:.1f}" for measure in first), with_spread(last)])
    finished = len(group.finished(preset))
    return cell if finished == group.sets else f"{cell} ({finished} of {group.sets} sets)"


def with_spread(measure: Measure) -> str:
    """ "57.2 ± 1.3", or without a spread "57.2"."""
    return f"{measure.mean:.1f}" + ("" if measure.spread is None else f" ± {measure.spread:.1f}")


def _spread(groups: Sequence[Group]) -> str:
    """What ± means in the columns of `groups`."""
    of_one = "the standard deviation over the seeds" if any(group.sets == 1 for group in groups) else ""
    of_many = "the standard error of the mean over the sets of unseen actions"
    if all(group.sets == 1 for group in groups):
        return f"Mean ± {of_one}"
    return f"Mean ± {of_many}" + (f"; of a single split, {of_one}" if of_one else "")


def run_table(groups: Sequence[Group]) -> Table:
    """A row for each run, under the rule of its headline and under the oracle."""
    rows = []
    for outcome in (outcome for group in groups for outcome in group.outcomes):
        if outcome.results is None:
            rows.append([outcome.name, "-", "-", "-", "-", "-"])
            continue
        rule, mean = outcome.results["selection"], outcome.results["mean"]
        numbers = [
            f"{mean[r][table][key]:.1f}" for r in (rule, ORACLE) for table, key in (("zsl", "top1"), ("gzsl", "h"))
        ]
        rows.append([outcome.name, f"{mean[rule]['zsl']['chance']:.1f}", *numbers])
    return Table(["run", "chance", "ZSL", "H", "ZSL, oracle", "H, oracle"], rows, "Percent, mean over the seeds.")


def differences(groups: Sequence[Group]) -> list[str]:
    """What is not as in the paper, in groups with published rows: each sentence once, with the presets it holds for."""
    presets: dict[str, dict[str, None]] = {}
    everywhere: dict[str, None] = {}
    for outcome in (outcome for group in groups if published(group.name) for outcome in group.outcomes):
        for sentence in outcome.results["differences"] if outcome.results else ():
            presets.setdefault(sentence, {})[outcome.preset] = None
            everywhere[outcome.preset] = None
    return [
        sentence if of.keys() == everywhere.keys() else f"{', '.join(of)}: {sentence}"
        for sentence, of in presets.items()
    ]


def warnings(outcomes: Sequence[Outcome]) -> list[str]:
    """The runs without results, and the caveats of the others: each once, with the runs it holds for."""
    runs: dict[str, list[str]] = {}
    for outcome in outcomes:
        for caveat in outcome.results.get("caveats", ()) if outcome.results else [f"no result: {outcome.missing}"]:
            runs.setdefault(caveat, []).append(outcome.name)
    return [f"{_listed(names)}: {caveat}" for caveat, names in runs.items()]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
