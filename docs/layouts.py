"""Print docs/layouts.md, the page about layouts, from the layouts themselves.

python docs/layouts.py > docs/layouts.md
"""

import json
import sys
from collections.abc import Iterator
from typing import get_args

from data.joints import JOINT_NAMES
from data.layouts.layout import Layout, layout_names, load_layout
from data.layouts.readers import (
    ArrayOptions,
    BvhOptions,
    DictOptions,
    JsonOptions,
    PickleOptions,
    TextOptions,
)

HEAD = """\
# Layouts

Made by `python docs/layouts.py > docs/layouts.md` from the files `data/layouts/NAME.toml`; a test fails when it is out
of date.

A layout says which joints a sensor or program records, in which unit and axes, and how NTU's 25 joints come from them.
Name one with `--layout` or as `dataset.layout`; `auto` guesses it. [Your own data](your-own-data.md) shows how.

"""
OWN = """
## A layout of your own

A TOML file, named with its path: `--layout mine.toml`. `base` is a built-in layout, and the file holds only what
differs:

```toml
base = "azure-kinect"
name = "my-kinect"
unit_m = 1.0                 # metres in one unit
fps = 15
```

Without `base` it holds all keys, as the built-in ones do. `map` gives each of our joints one joint of the source, or
several whose mean is taken. One flipped sign in `axes` would mirror the person, so it is refused.

```toml
name = "my-sensor"
title = "my sensor, 20 joints, one line a frame"
endings = [".txt"]
unit_m = 0.01
axes = ["-x", "z", "-y"]     # our x, y and z in the source's axes
fps = 25
joints = ["pelvis", "chest", "neck", ...]

[reader]
kind = "text"                # how files are read: see below

[map]
spine_base = "pelvis"
spine_mid = ["pelvis", "chest"]
...
```

A table of Kinect v2 in which the columns of the time, in milliseconds, and of the person have other names:

```toml
base = "kinect-v2-csv"

[reader]
time_column = "Time"
time_unit_s = 0.001
body_column = "Person"
```

The landmarks of MediaPipe under other keys, as `{"frames": [{"pose_world_landmarks": [{"x": ..., "y": ..., "z": ...},
...]}, ...]}`, without names and in MediaPipe's order, at 30 frames a second:

```toml
base = "mediapipe"
fps = 30

[reader]
points = "pose_world_landmarks"
joint_name = ""
```

## How files are read

The keys of `[reader]`, for each `kind`. A column is found by its letters and digits: `PELVIS (x)` is also `pelvis_x`
and `Pelvis.X`.
"""
READERS = (TextOptions, JsonOptions, ArrayOptions, DictOptions, BvhOptions, PickleOptions)


def unit(layout: Layout) -> str:
    """The unit in words."""
    names = {1.0: "metres", 0.001: "millimetres", 0.01: "centimetres", 0.0: "by the body's size"}
    return names.get(layout.unit_m, f"{layout.unit_m:g} m")


def row(layout: Layout) -> str:
    """The layout's row of the table."""
    if layout.refused:
        return f"| `{layout.name}` | {layout.title} | refused: {layout.refused} | | | |"
    fps = f"{layout.fps:g}" if layout.fps else "as the file says"
    endings = ", ".join(f"`{ending}`" for ending in layout.endings)
    return f"| `{layout.name}` | {layout.title} | {endings} | {unit(layout)} | {', '.join(layout.axes)} | {fps} |"


def mapping(layout: Layout) -> Iterator[str]:
    """A paragraph about the layout: what to know, where our joints come from, and the sources."""
    yield f"\n### {layout.name}\n"
    if layout.notes:
        yield f"{layout.notes}\n"
    if not layout.refused:
        differing = []
        for joint in JOINT_NAMES:
            value = layout.map[joint]
            names = [
                layout.joints[name] if isinstance(name, int) else name
                for name in (value if isinstance(value, tuple) else (value,))
            ]
            if names != [joint]:
                differing.append(f"{joint}: {' + '.join(names)}")
        yield f"{'; '.join(differing) or 'Our 25 joints as they are'}.\n"
    if layout.sources:
        yield f"Sources: {', '.join(layout.sources)}.\n"


def options() -> Iterator[str]:
    """The keys of each kind of reader."""
    for reader in READERS:
        kind, *keys = reader.model_fields.items()
        yield f"\n### {get_args(kind[1].annotation)[0]}\n"
        yield f"{' '.join((reader.__doc__ or '').split())}\n"
        if keys:
            yield from ("| key | default | what |", "|---|---|---|")
        for key, field in keys:
            shown = list(field.default) if isinstance(field.default, tuple) else field.default
            yield f"| `{key}` | `{json.dumps(shown)}` | {field.description} |"


def page() -> str:
    """The whole page."""
    layouts = [load_layout(name) for name in layout_names()]
    table = [
        "| name | what | endings of files | unit | axes: our x, y, z are | frames a second |",
        "|---|---|---|---|---|---|",
    ]
    lines = [*table, *map(row, layouts), "", "## Where our joints come from", "", "A + stands for the mean."]
    layouts_part = "\n".join([*lines, *(line for layout in layouts for line in mapping(layout))])
    return HEAD + layouts_part + OWN + "\n".join(options()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
