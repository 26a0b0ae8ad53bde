"""The page of the app, built on Gradio. Each browser window has a clip and a list of actions of its own.

Nothing on the page is fetched from another machine: no fonts, no scripts, no usage statistics.
"""

from html import escape
from typing import Any

import gradio as gr

from data.layouts.layout import layout_names, load_layout
from data.splits import action_label
from descriptions.levels import LEVELS
from pipeline.app.engine import Engine
from pipeline.app.handlers import Handlers
from pipeline.app.loaded_clip import AS_THE_RUN
from pipeline.pages.html_page import page_file
from pipeline.phases.raw_recordings import AUTO

CLEAN_EVERY_S, KEEP_UPLOADS_S = 600, 3600
MOST_UPLOAD_MB = 200
MOST_WINDOWS = 100  # whose clips are kept in memory; of more, those that were opened first start again
COLUMN_WIDTHS = ["165px", "290px", "255px"]  # a narrow window scrolls the table
WINDOW_S = 2.0
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
LOADING: dict[str, Any] = {"api_visibility": "private", "show_progress": "full"}


def page(engine: Engine) -> gr.Blocks:
    """Lay the page out, and join its parts to what they do."""
    do = Handlers(engine)
    with gr.Blocks(title="fsvae-pipe", delete_cache=(CLEAN_EVERY_S, KEEP_UPLOADS_S)) as blocks:
        gr.HTML(_heading(engine))
        clip, fault = gr.State(None), gr.State("")
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                upload, layout, action, stored, window_s = _recording_parts(engine)
            with gr.Column(scale=3, min_width=300):
                rows, add, unseen, opened, saved = _list_parts(engine)
        said = gr.HTML(elem_id="problem")
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                answer, pairs = gr.HTML(elem_id="answer"), gr.HTML(elem_id="pairs")
            with gr.Column(scale=3, min_width=300):
                motion, limbs = gr.HTML(elem_id="motion"), gr.HTML(elem_id="limbs")

        parts = [said, saved, answer, motion, limbs, pairs]
        replied = {"fn": do.reply, "inputs": [clip, fault, rows], "outputs": parts}
        from_file = {"fn": do.load_file, "inputs": [upload, layout, window_s, clip], "outputs": [clip, fault]}
        from_store = {"fn": do.load_stored, "inputs": [stored, window_s, clip], "outputs": [clip, fault]}
        loading = {**LOADING, "show_progress_on": answer}
        for event in (upload.upload, layout.input):
            event(**from_file, **loading).then(**replied, **QUIET)
        for event in (blocks.load, stored.input):
            event(**from_store, **loading).then(**replied, **QUIET)
        action.input(do.clips_of, action, stored, **QUIET).then(**from_store, **loading).then(**replied, **QUIET)
        rows.input(**replied, **QUIET, trigger_mode="always_last")  # an edit during an answer is answered after it
        add.click(do.with_a_row, rows, rows, **QUIET)
        unseen.click(lambda: engine.unseen, None, rows, **QUIET).then(**replied, **QUIET)
        opened.upload(do.open_list, opened, [rows, said], **QUIET).success(**replied, **QUIET)
    return blocks


def _heading(engine: Engine) -> str:
    return (
        '<div class="said"><h1>Which action does a clip show?</h1><p class="quiet">Describe actions in words; no '
        f"example of them is needed. Answered by {escape(engine.run.model_name)}. Recordings and texts stay on the "
        "machine that runs this page.</p></div>"
    )


def _recording_parts(engine: Engine) -> tuple[gr.File, gr.Dropdown, gr.Dropdown, gr.Dropdown, gr.Slider]:
    """What says which recording is shown."""
    with gr.Tab("A clip of the workspace"):
        actions = [(_named(engine, name), name) for name in _unseen_first(engine)]
        first = actions[0][1]
        action = gr.Dropdown(actions, value=first, label="Action")
        names = engine.stored[first]
        stored = gr.Dropdown(names, value=names[0], label="Clip", elem_id="stored")
    with gr.Tab("A file of yours"):
        upload = gr.File(label=f"Recording, at most {MOST_UPLOAD_MB} MB", height=150, elem_id="recording")
        layout = gr.Dropdown(
            [AUTO, AS_THE_RUN, *(name for name in layout_names() if not load_layout(name).refused)],
            value=AUTO,
            label="Layout: which sensor or program wrote it",
            info="auto guesses it by the file",
        )
    window_s = gr.Slider(
        0.5, 10, WINDOW_S, step=0.5, label="Window of the timeline, seconds", info="for the next clip", buttons=[]
    )
    return upload, layout, action, stored, window_s


def _list_parts(engine: Engine) -> tuple[gr.Dataframe, gr.Button, gr.Button, gr.UploadButton, gr.HTML]:
    """The list of actions, and what changes all of it."""
    rows = gr.Dataframe(
        engine.unseen,
        headers=list(LEVELS),
        column_count=len(LEVELS),
        type="array",
        label="Actions. local: how the joints move; global: what the whole person does",
        interactive=True,
        wrap=True,
        column_widths=COLUMN_WIDTHS,
        max_height=430,
        buttons=[],
        elem_id="actions",
    )
    with gr.Row():
        add = gr.Button("Add an action", size="sm", min_width=120)
        unseen = gr.Button("The run's unseen actions", size="sm", min_width=120)
        opened = gr.UploadButton("Open a CSV", size="sm", file_types=[".csv"], min_width=120)
        saved = gr.HTML(elem_id="save", min_width=120)
    return rows, add, unseen, opened, saved


def _unseen_first(engine: Engine) -> list[str]:
    """The actions that have clips, those that nobody trained on first."""
    unseen = [action_label(action) for action in engine.run.split.unseen]
    return sorted(engine.stored, key=lambda name: (name not in unseen, name))


def _named(engine: Engine, name: str) -> str:
    label = engine.run.labels.get(int(name[1:]), "")
    unseen = name in map(action_label, engine.run.split.unseen)
    return f"{name} {label}{' (unseen)' if unseen else ''}"


def serve(blocks: gr.Blocks, host: str, port: int) -> None:
    """Serve the page in threads of its own, until `blocks` is closed."""
    blocks.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        ssr_mode=False,
        run_history=False,
        footer_links=[],
        state_session_capacity=MOST_WINDOWS,
        max_file_size=MOST_UPLOAD_MB * 1024 * 1024,
        allowed_paths=[],
        theme=_theme(),
        css=page_file("app.css"),
        js=page_file("app_page.js"),
    )


def _theme() -> gr.themes.Base:
    """Fonts that need not be fetched, and the quiet text and the dark background of this program's other pages."""
    quiet = dict.fromkeys(("block_info_text_color", "body_text_color_subdued"), "#57606a")
    quiet_dark = {f"{name}_dark": "#a3adb8" for name in quiet}
    theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    return theme.set(**quiet, **quiet_dark, body_background_fill_dark="#14171c")
