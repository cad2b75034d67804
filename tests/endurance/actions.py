"""What a person might do, drawn from a seed before anything is done: the same seed does the same again."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast, get_args, get_origin, get_type_hints

from viz.keys import BINDINGS
from viz.state import GROUPS, Device, Directions, OwnLatent, Source
from viz.timeline.paths import PATHS

NETWORKS = (
    "tiny_r.pkl", "tiny_t.pkl", "tiny_sg2.pkl", "tiny_t_cond.pkl", "tiny_sg2_orig.pkl", "tiny_sg2_resnet_cond.pkl", "tiny_sg2_tf.pkl",
)  # fmt: skip
BUNDLED = ("globe-r-64", "globe-still-r-64", "globe-still-t-64", "globe-still-b-64")
GOOD_FILES = ("view.json", "film.session.json", "plain.png", "w.npz", "ws.npy", "z.safetensors", "snapshots")
BAD_FILES = (
    "broken.pkl", "half.pkl", "broken.json", "later.json", "broken.png", "broken.npz", "broken.gif", "notes.txt", "missing.pkl",
    "missing.json",
)  # fmt: skip
SIZES = (
    (640, 400),
    (640, 400),
    (640, 400),
    (450, 300),
    (320, 240),
    (800, 500),
)  # drawn at half scale: 640 x 400 holds what 1280 x 800 does
OUTPUT_SIZES = ((1, 1), (3, 200), (320, 180), (640, 360))
NOT_PRESSED = ("ctrl+q", "o")  # ends the program; asks the system for a dialog
NOT_EDITED = (Source, Device, OwnLatent, Directions)  # files are dropped; another device is another machine
TYPED = ("0", "1", "-1", "7.5", "1e9", "nan", "x", "", "0.01")
COMMANDS = (
    "SaveView", "SaveRaw", "CapturePicture", "CaptureWindow", "SaveSession", "SaveMeasurement", "SaveLatent.npz", "SaveLatent.npy",
    "SaveLatent.safetensors", "UseLatent", "CopyView", "CopyText", "Paste", "Bookmark", "ResetLayout", "ShowGuide", "RetryRender",
    "ReloadNetwork", "CancelLoad", "OpenNetwork", "OpenPath", "ToggleHelp", "ToggleChrome", "Undo", "Redo", "Undo", "Redo",
    "ChooseWorkspace", "ChangeSettings", "CancelExport",
)  # fmt: skip
REFERENCES = ("pictures", "tiny_t.pkl", "tiny_sg2.pkl", "measured.npz", "missing.npz")
OSC_VALUES = (0.0, 0.25, 0.625, -7.0, 1e9, float("nan"), "a lot", True)
FILMS = ("mp4", "webm", "gif", "png", "mkv")
FIGURES = ("fig1-left", "fig1-right", "fig4a", "fig4c", "fig6", "layers", "layer-spectra")
WEIGHTS = {
    "click": 20, "control": 24, "drag": 14, "key": 16, "edit": 12, "command": 5, "wheel": 4, "menu": 3, "hover": 3, "double": 3,
    "drop": 3, "panel": 4, "menubar": 2, "calm": 6, "set": 2, "idle": 2, "type": 2, "path": 0.5, "resize": 1, "settings": 1, "remote": 0.5,
    "export": 0.3, "figure": 0.1, "bundled": 0.1, "tour": 0.15, "offer": 0.2, "points": 0.3, "inversion": 0.3, "reference": 0.3,
    "osc": 0.5, "output": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Action:
    """What is done, with all its numbers. Places are parts of the window's width and height."""

    kind: str
    values: tuple[Any, ...] = ()


def actions(seed: int) -> Iterator[Action]:
    """Endless, and the same for the same seed."""
    stream = random.Random(seed)
    kinds, weights = tuple(WEIGHTS), tuple(WEIGHTS.values())
    while True:
        (kind,) = stream.choices(kinds, weights)
        yield Action(kind, DRAWN[kind](stream))


def any_value(stream: random.Random, hint: Any, limits: Any) -> Any:
    """Something that a saved view may hold in this field, mostly near what people use."""
    low, high, choices = limits.get("low"), limits.get("high"), limits.get("choices")
    if get_origin(hint) is tuple:
        return tuple(any_value(stream, get_args(hint)[0], {"low": 0}) for _ in range(stream.choice((0, 1, 3, 5))))
    if dataclasses.is_dataclass(hint):
        kinds, make = get_type_hints(hint), cast(Any, hint)
        return make(**{f.name: any_value(stream, kinds[f.name], f.metadata) for f in dataclasses.fields(hint)})
    if hint is bool:
        return stream.random() < 0.5
    if hint is str:
        return stream.choice(choices) if choices else stream.choice(("", "L3_16_12", "output", "b16.conv0", "sticking.mean", "no such"))
    span = stream.choice((1.0, 10.0, 1000.0))
    least, most = (-span if low is None else float(low)), (span if high is None else min(float(high), float(low or 0) + span))
    return stream.randint(int(least), int(most)) if hint is int else round(stream.uniform(least, most), 4)


def _place(stream: random.Random) -> tuple[float, float]:
    return round(stream.random(), 4), round(stream.random(), 4)


def _drag(stream: random.Random) -> tuple[Any, ...]:
    keys = stream.choice(("", "", "", "shift", "alt", "ctrl", "space"))
    return (_place(stream), _place(stream), stream.choice((0, 0, 0, 1, 2)), stream.randint(1, 4), keys)


def _control(stream: random.Random) -> tuple[Any, ...]:
    """The n-th part of the controls that are on screen then, and what is done with it."""
    how = stream.choice(("click", "click", "click", "click", "set", "drag", "drag", "menu", "wheel", "double"))
    return (round(stream.random(), 4), how, stream.choice(TYPED), stream.randint(-60, 60))


def _edit(stream: random.Random) -> tuple[Any, ...]:
    kind = stream.choice([k for k in GROUPS if k not in NOT_EDITED])
    field = stream.choice(dataclasses.fields(kind))
    if (kind.__name__, field.name) == ("Compare", "network"):
        return ("Compare", "network", stream.choice(("", *NETWORKS, "no such")))
    if field.name == "picture":
        return (kind.__name__, field.name, stream.choice(("", "plain.png", "no such")))
    return (kind.__name__, field.name, any_value(stream, get_type_hints(kind)[field.name], field.metadata))


def _key(stream: random.Random) -> tuple[Any, ...]:
    return (stream.choice([c for b in BINDINGS for c in b.chords if c not in NOT_PRESSED] + ["escape", "escape", "enter", "tab"]),)


DRAWN: dict[str, Callable[[random.Random], tuple[Any, ...]]] = {
    "click": lambda s: (_place(s),),
    "double": lambda s: (_place(s),),
    "menu": lambda s: (_place(s),),
    "hover": lambda s: (_place(s),),
    "drag": _drag,
    "control": _control,
    "wheel": lambda s: (_place(s), s.choice((-3, -1, 1, 3))),
    "menubar": lambda s: (round(0.3 * s.random(), 4), _place(s)),
    "key": _key,
    "set": lambda s: (_place(s), s.choice(TYPED)),
    "type": lambda s: (s.choice(("12", "0.5", "abc", "-", "é")),),
    "edit": _edit,
    "drop": lambda s: (s.choice((*NETWORKS, *GOOD_FILES, *BAD_FILES, "saved")),),
    "command": lambda s: (s.choice(COMMANDS), s.randint(0, 10**6)),
    "path": lambda s: (s.choice(tuple(PATHS)), s.random() < 0.5),
    "resize": lambda s: (s.choice(SIZES),),
    "settings": lambda s: (s.choice((("font_scale", 0.8), ("font_scale", 1.0), ("font_scale", 1.6), ("vsync", True), ("fps_limit", 30))),),
    "remote": lambda s: (s.choice(("edit", "edit", "values", "pixels", "facts", "view", "nonsense")), round(s.random(), 4)),
    "export": lambda s: (s.choice(FILMS), s.random() < 0.3),
    "figure": lambda s: (s.choice(FIGURES), s.choice((".svg", ".pdf", ".png"))),
    "bundled": lambda s: (s.choice(BUNDLED),),
    "tour": lambda s: (s.randint(0, 7),),
    "offer": lambda s: (s.choice(("tour", "session", "session")),),
    "panel": lambda s: (s.randint(1, 6), round(s.random(), 4)),
    "calm": lambda s: (s.choice(("motion", "analyses")),),
    "idle": lambda s: (s.randint(1, 8),),
    "inversion": lambda s: (s.choice(("w", "w+")), s.randint(1, 14), s.random() < 0.3),
    "reference": lambda s: (s.choice(REFERENCES), s.randint(1, 4), s.random() < 0.5),
    "osc": lambda s: tuple((round(s.random(), 4), s.choice(OSC_VALUES)) for _ in range(s.randint(1, 6))),
    "output": lambda s: (s.choice(("toggle", "toggle", "close", "fill", "double", "resize")), s.choice(OUTPUT_SIZES)),
    "points": lambda s: tuple((*_place(s), *_place(s)) for _ in range(s.randint(1, 2))),
}
