"""Fills the templates of this folder: a page is one HTML file that requests nothing.

Styles, scripts and data stand in the page itself. Its content security policy forbids requests, and any script but
those that were put there.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.pages.skeleton_player import skeleton_model


def json_for_page(value: object) -> Markup:
    """`value` as JSON for a <script> element: no text in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def page_file(name: str) -> str:
    """The contents of a script or style sheet in pipeline/pages/."""
    return resources.files("pipeline").joinpath("pages", name).read_text("utf-8")


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("pipeline", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_part(template: str, macro: str, *values: object) -> str:
    """Return what a macro of pipeline/pages/`template` makes of `values`, for a page of others; texts are escaped."""
    part: str = getattr(_templates().get_template(template).module, macro)(*values)
    return part


def render_page(template: str, scripts: Sequence[str], **values: Any) -> str:
    """Fill pipeline/pages/`template` with `values` and return the page; `scripts` go into it, texts are escaped."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {allowed}"
    return (
        _templates()
        .get_template(template)
        .render(
            policy=policy,
            scripts=[Markup(script) for script in scripts],
            styles=Markup(page_file("page.css")),
            skeleton=json_for_page(skeleton_model()),
            json_for_page=json_for_page,
            **values,
        )
    )
