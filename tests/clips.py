"""Makes the README's clips anew: a walk in the window, texture sticking as T shows it, the error while
turning, drag points: `python -m tests.clips`."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from gui_utils.libraries import imgui
from viz.analysis import dragging
from viz.export.export import export
from viz.export.options import ExportOptions
from viz.export.window_camera import FilmedWindow, Untimed
from viz.groups.drag_points import DragPair, DragPoints, DragPointsView
from viz.groups.groups import Equivariance, Latent, OverlayView, Source, Unwarp
from viz.pipeline import Pipeline
from viz.session.session import Session
from viz.state import ViewState
from viz.timeline import paths
from viz.tour import demonstration

OUT = Path(__file__).resolve().parent.parent / ".github" / "images"
FPS = 10
MOST_BYTES = 2_000_000
WINDOW, SMALL_WINDOW = (880, 520), (600, 470)
SETTLING, ROUND = 12, 30  # frames until the globes are on their circle, and once round it
MOST_STEPS = 20  # of drag points
PAUSE = 4  # frames before the mouse is pressed, and after it is let go
GAP, GROUND = 8, 28
VIVID = 120  # between the largest and the smallest of a pixel's three values


def view(network: str) -> ViewState:
    return ViewState().edit(Source, network=network).edit(Latent, x=3.0)


def walk() -> list[np.ndarray]:
    """A drag over the picture in the real window, its mouse drawn: the latent follows."""
    frames: list[np.ndarray] = []
    filmed = FilmedWindow(Session((view("globe-r-64"),), settings={"font_scale": 0.8}), Untimed(Pipeline()), WINDOW, fps=FPS)
    try:
        io, area = imgui.get_io(), filmed.app.canvas.placement
        assert area is not None
        x, y = area.to_screen(-0.2, 0.1)
        io.mouse_draw_cursor = True
        imgui.get_style().mouse_cursor_scale = 1.0  # whole numbers only: smaller text would leave nothing of it
        count = 3 * FPS
        for i in range(-PAUSE, count + PAUSE):
            part = min(max(i / count, 0.0), 1.0)
            at = (x + area.scale * 0.6 * part, y - area.scale * 0.2 * math.sin(math.tau * part))
            filmed.before_frame = lambda at=at, down=0 <= i < count: _mouse(at, down=down)
            frames.append(filmed.step())
    finally:
        filmed.close()
    return frames


def _mouse(at: tuple[float, float], *, down: bool) -> None:
    io = imgui.get_io()
    io.add_mouse_pos_event(*at)
    io.add_mouse_button_event(0, down)


def error_map() -> list[np.ndarray]:
    """Where the picture of a turned grid differs from the turned picture, T on the left, R on the right."""
    return beside(*(film(error_view(name), "rotate", "overlay", 3, 3.0) for name in ("globe-still-t-64", "globe-still-r-64")))


def error_view(network: str) -> ViewState:
    return view(network).edit(Equivariance, on=True).edit(OverlayView, image="equivariance.level", opacity=0.85)


def demonstration_of_sticking() -> list[np.ndarray]:
    """What T shows: StyleGAN2 beside R in motion, once round, and the beginning of the same with the motion undone."""
    filmed = FilmedWindow(Session((view("globe-r-64"),), settings={"font_scale": 0.8}), Untimed(Pipeline()), SMALL_WINDOW, fps=FPS)
    filmed.app.chrome_shown = False
    try:
        demonstration.toggle(filmed.app)
        turns = [filmed.step() for _ in range(SETTLING + ROUND)][SETTLING:]
        filmed.app.state = filmed.app.state.edit(Unwarp, on=True)
        return turns + [filmed.step() for _ in range(1 + ROUND // 3)][1:]
    finally:
        filmed.close()


def film(start: ViewState, path: str, what: str, size: int, seconds_s: float) -> list[np.ndarray]:
    """The frames of an export."""
    session = Session((start,), paths.ready_made(path, start, seconds_s, FPS))
    with tempfile.TemporaryDirectory() as folder:
        export(session, ExportOptions(Path(folder) / "f", size=size, what=what), pipeline=Pipeline(headless=True))
        return [np.asarray(Image.open(name).convert("RGB")) for name in sorted((Path(folder) / "f").glob("*.png"))]


def beside(*films: list[np.ndarray]) -> list[np.ndarray]:
    """Films of one size, side by side."""
    gap = np.full((films[0][0].shape[0], GAP, 3), GROUND, np.uint8)
    return [np.concatenate([each for frame in frames for each in (frame, gap)][:-1], axis=1) for frames in zip(*films, strict=True)]


def drag_points() -> list[np.ndarray]:
    """The tip of a mountain goes to its target, a step a frame."""
    pair = DragPair(-0.255, 0.04, -0.18, -0.03)
    start = ViewState().edit(Source, network="landscape-r-128").edit(DragPoints, pairs=(pair,)).edit(DragPointsView, place=True)
    filmed = FilmedWindow(Session((start,), settings={"font_scale": 0.8}), Untimed(Pipeline()), SMALL_WINDOW, fps=FPS)
    filmed.app.chrome_shown = False
    try:
        frames = [filmed.step() for _ in range(FPS)]
        for steps in range(1, MOST_STEPS):
            view = filmed.app.state.edit(DragPoints, on=True, steps=steps).edit(OverlayView, image=dragging.PICTURE)
            frames.append(filmed.show(view, 0.0))
        return frames + frames[-1:] * FPS
    finally:
        filmed.close()


CLIPS: dict[str, Callable[[], list[np.ndarray]]] = {
    "walk": walk,
    "error-map": error_map,
    "sticking": demonstration_of_sticking,
    "drag-points": drag_points,
}


def save_gif(path: Path, frames: list[np.ndarray]) -> int:
    """One palette for all frames, so that only what changes is stored. Returns the size in bytes."""
    sample = np.concatenate(frames[:: max(1, len(frames) // 8)])
    vivid = sample[np.ptp(sample, axis=-1) > VIVID]  # marks are few pixels: counted once, they would get no colour of their own
    if len(vivid):
        rows = math.ceil(sample.shape[0] / 20)
        sample = np.concatenate([sample, np.resize(vivid, (rows, *sample.shape[1:]))])
    palette = Image.fromarray(sample).quantize(255, dither=Image.Dither.NONE)
    pictures = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=1000 // FPS, loop=0, optimize=False)
    return path.stat().st_size


def main(names: list[str]) -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    for name in names or CLIPS:
        size = save_gif(OUT / f"{name}.gif", CLIPS[name]())
        print(OUT / f"{name}.gif", f"{size / 1e6:.2f} MB")
        if size > MOST_BYTES:
            print(f"more than {MOST_BYTES / 1e6:g} MB", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
