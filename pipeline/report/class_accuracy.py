"""The accuracy of each action in a report, and its plot against the distance between texts.

Letters: c actions, D text features.
"""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from data.stores.prediction_store import Predictions, Task
from pipeline.phases.features_and_texts import text_matrix
from pipeline.report.plot_style import SEEN, UNSEEN, Plot, axis, hover_text, layout
from pipeline.report.run_data import RunData


def class_accuracy(predictions: Predictions, task: Task) -> dict[int, NDArray[np.float64]]:
    """Action -> the percentage of its clips that are right, one number for each seed."""
    predicted = [seed.predicted(task) for seed in predictions.seeds]
    actions = np.unique(predictions.action[predictions.scored_clips(task)]).tolist()
    of_action = {action: predictions.action == action for action in actions}
    return {
        action: np.array([100 * np.mean(of_seed[clips] == action) for of_seed in predicted])
        for action, clips in of_action.items()
    }


def nearest_texts(run: RunData, actions: list[int]) -> dict[int, tuple[int, float]]:
    """Return action -> the one of the other `actions` whose text is nearest, and the cosine distance to it.

    Needs at least two actions. Raises DataError when text.h5 lacks one of them, or can't be read.
    """
    rows = text_matrix(run.context, run.config.text.levels, actions).astype(np.float64)  # (c, D), unit length
    distance = 1 - rows @ rows.T  # (c, c)
    np.fill_diagonal(distance, np.inf)
    nearest = distance.argmin(axis=1)
    return {
        action: (actions[other], float(distance[row, other]))
        for row, (action, other) in enumerate(zip(actions, nearest, strict=True))
    }


def accuracy_against_texts(
    run: RunData, predictions: Predictions, task: Task, nearest: dict[int, tuple[int, float]]
) -> Plot:
    """Draw the accuracy of each action against the distance to the nearest text. `nearest` is from `nearest_texts`."""
    figure = go.Figure(layout=layout(400))
    accuracies = class_accuracy(predictions, task)
    unseen = set(predictions.unseen_actions.tolist())
    seen_accuracies = {action: values for action, values in accuracies.items() if action not in unseen}
    unseen_accuracies = {action: values for action, values in accuracies.items() if action in unseen}
    _add_actions(figure, run, seen_accuracies, nearest, name="seen actions", colour=SEEN, symbol="circle")
    _add_actions(figure, run, unseen_accuracies, nearest, name="unseen actions", colour=UNSEEN, symbol="diamond")
    figure.update_xaxes(axis("distance to the nearest text", rangemode="tozero"))
    figure.update_yaxes(axis("accuracy, %", range=[-4, 104]))
    rivals = "another unseen action" if task == "ZSL" else "another action"
    caption = (
        "Each point is an action: the mean over the seeds, with a bar for the standard deviation. The distance is the "
        f"cosine distance to the text of {rivals} ({' + '.join(run.config.text.levels)})."
    )
    return Plot(f"{task} accuracy against the nearest text", caption, figure)


def _add_actions(
    figure: go.Figure,
    run: RunData,
    accuracies: dict[int, NDArray[np.float64]],
    nearest: dict[int, tuple[int, float]],
    *,
    name: str,
    colour: str,
    symbol: str,
) -> None:
    """Add a point for each action, with a bar of the standard deviation when there are several seeds."""
    if not accuracies:
        return
    several_seeds = all(len(values) > 1 for values in accuracies.values())
    spread = {action: float(np.std(values, ddof=1)) if several_seeds else 0.0 for action, values in accuracies.items()}
    text = [
        hover_text(
            run.named(action),
            f"{np.mean(values):.1f} % right" + (f" ± {spread[action]:.1f}" if several_seeds else ""),
            f"nearest text: {run.named(nearest[action][0])}, {nearest[action][1]:.3f} away",
        )
        for action, values in accuracies.items()
    ]
    figure.add_scatter(
        x=[nearest[action][1] for action in accuracies],
        y=[float(np.mean(values)) for values in accuracies.values()],
        error_y={
            "type": "data",
            "array": list(spread.values()),
            "thickness": 1,
            "width": 2,
            "visible": several_seeds,
        },
        mode="markers",
        name=name,
        text=text,
        hovertemplate="%{text}<extra></extra>",
        marker={"color": colour, "symbol": symbol, "size": 9},
    )
