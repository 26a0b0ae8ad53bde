"""What the page shows of a reply, as HTML. Every text is escaped."""

import base64
from dataclasses import dataclass
from html import escape

from pipeline.app.engine import Reply
from pipeline.app.loaded_clip import LoadedClip
from pipeline.pages.html_page import page_file, render_page, render_part
from pipeline.predict.answers import Answer
from pipeline.predict.clip_stream import Unread
from pipeline.predict.timeline import Timeline
from pipeline.predict.timeline_output import Drawn, drawn
from pipeline.predict.trained_run import TrainedRun

LIST_NAME = "actions.csv"
MOST_COLUMNS = 5  # actions beside the limbs
PLAYER_PX = 800  # height of the frame until it tells its own


@dataclass(frozen=True)
class Shown:
    """The parts of the page that follow from a reply."""

    answer: str
    motion: str
    limbs: str
    pairs: str


def shown(clip: LoadedClip, reply: Reply, run: TrainedRun) -> Shown:
    """Return what the page says about `clip`."""
    ranked = reply.answer.ranked[:MOST_COLUMNS] if isinstance(reply.answer, Answer) else ()
    columns = [(one.action, one.probability) for one in ranked]
    parts = (
        render_part("app_reply.html", "answer", clip.name, reply, run.warnings, clip.remarks),
        _motion(clip, reply.timeline),
        render_part("app_reply.html", "limbs", reply, columns),
        render_part("app_reply.html", "pairs", reply),
    )
    return Shown(*(f'<div class="said">{part}</div>' for part in parts))


def problem(text: str) -> str:
    """Return an error as the page shows it; "" shows nothing."""
    return f'<div class="said" role="alert"><p class="warning">{escape(text)}</p></div>' if text else ""


def saved_list(content: str) -> str:
    """Return a link that saves the list, a CSV, from the page itself; without `content` there is nothing to save."""
    if not content:
        return '<div class="said"><span class="save" aria-disabled="true">Save as CSV</span></div>'
    data = base64.b64encode(content.encode()).decode()
    link = f'<a class="save" download="{LIST_NAME}" href="data:text/csv;charset=utf-8;base64,{data}">Save as CSV</a>'
    return f'<div class="said">{link}</div>'


def _motion(clip: LoadedClip, timeline: Timeline | Unread) -> str:
    """The moving skeleton above its timeline, in a frame of its own, which may request nothing."""
    item: Drawn | None = drawn(timeline, names=False) if isinstance(timeline, Timeline) else None
    names = ("skeleton_player.js", *(("timeline.js",) if item else ()), "app_frame.js")
    page = render_page(
        "app_clip.html", [page_file(name) for name in names], title=clip.name, item=item, moving=clip.recording.moving
    )
    reason = f'<p class="warning">No timeline: {escape(timeline.reason)}</p>' if isinstance(timeline, Unread) else ""
    return (
        f"<h2>When it shows what</h2>{reason}"
        f'<iframe title="moving skeleton and timeline" sandbox="allow-scripts" style="height:{PLAYER_PX}px" '
        f'srcdoc="{escape(page)}"></iframe>'
    )
