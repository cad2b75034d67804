"""Commands `window` and `screenshot`."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import itertools
import shlex
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from viz import capture
from viz.cli.arguments import check_out, osc_place, size_pair
from viz.cli.saved import add_fetch_argument, refuse_to_fetch
from viz.cli.values import add_set_argument, with_settings
from viz.compare.pairs import with_networks_beside
from viz.directions_file import holds_directions
from viz.errors import UNFORESEEN, CommandError
from viz.export.film_file import read
from viz.latent_file import holds_latents
from viz.session.networks import located
from viz.session.origin import PROGRAM
from viz.session.session import Session
from viz.state import Device, Latent, LatentPath, OwnLatent, Source, Tap, ViewState

if TYPE_CHECKING:
    from viz.app import App
    from viz.options import AppOptions

COMPARE_WORKSPACE = 6
SESSION_SUFFIXES = (".json", ".png", ".exr", ".svg", ".pdf", ".npz", ".npy", ".gif", ".mp4", ".webm")
SCREENSHOT_IS = (
    "Panels stand where the workspace puts them at first: a view does not hold where they were moved, resized or closed. "
    "Open menus, help, the guide and the tour are not shown either."
)
SCREENSHOT_FRAMES = 8  # Dear ImGui and the docking layout settle within these


def add_window_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="NETWORK", nargs="*",
                        help="the first is opened, the others offered as recent; sessions and other files open as if dropped")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="print the bundled and published networks and exit")
    parser.add_argument("--view", metavar="STATE", help="open a saved view (.json), or the view in any file of this program")
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda or mps (default auto)")
    parser.add_argument("--compare", metavar="NETWORK", action="append", default=[],
                        help="show this network beside the first, under the same latent and pose; up to three times")  # fmt: skip
    parser.add_argument("--capture-dir", metavar="DIR", type=Path, help="folder for captures (default _screenshots)")
    parser.add_argument("--browse-dir", metavar="DIR", type=Path, help="folder where the open dialog starts")
    parser.add_argument("--size", metavar="WxH", type=size_pair, help="window size (default: as last time; at first 1600x900)")
    parser.add_argument("--font-scale", metavar="F", type=float, help="text size, 0.8 to 2.0 (default: as last time; at first 1.0)")
    parser.add_argument("--output", metavar="MONITOR", nargs="?", const="",
                        help="a second window with the picture alone, for a projector: plain, or full screen on MONITOR (a number from 1, "
                        "or a part of its name); default: as last time")  # fmt: skip
    add_set_argument(parser)
    parser.add_argument(
        "--remote", action="store_true", help="let programs on this machine read and set the view (viz.remote); prints address and token"
    )
    parser.add_argument("--remote-port", metavar="N", type=int, default=0, help="for --remote (default: any free one)")
    parser.add_argument("--osc", metavar="PORT", type=osc_place, default=None,
                        help="let programs on this machine set the view by Open Sound Control (UDP); ADDRESS:PORT: others too")  # fmt: skip
    parser.add_argument("--fresh", action="store_true", help="ignore all remembered settings, and leave them untouched")


def add_screenshot_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", nargs="?", help="path, URL, or a name that --list shows")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help=".png; the view is embedded in it")
    parser.add_argument("--size", metavar="WxH", type=size_pair, default=(1600, 900), help="in pixels (default 1600x900)")
    parser.add_argument("--view", metavar="STATE", help="a saved view (.json), or any file of this program")
    add_fetch_argument(parser)
    parser.add_argument("--seed", metavar="N", type=int, default=None, help="seed of the latent")
    parser.add_argument("--workspace", metavar="I", type=int, choices=range(1, 7), default=1, help="1 to 6 (default 1)")
    parser.add_argument("--front", metavar="PANEL", nargs="+", default=[], help="panels to bring to the front of their tabs, by title")
    parser.add_argument("--picture-only", action="store_true", help="the picture alone, over the whole window, as Tab shows it")
    parser.add_argument("--font-scale", metavar="F", type=float, default=1.0, help="text size, 0.8 to 2.0 (default 1.0)")
    parser.epilog = SCREENSHOT_IS
    add_set_argument(parser)


def run_window(options: argparse.Namespace) -> int:
    if options.list:
        return print_list()
    gc.disable()  # a collection while modules are made takes 40 ms and finds nothing; `app.run` enables it once the window is there
    try:
        return _open(options)
    finally:
        gc.enable()


def _open(options: argparse.Namespace) -> int:
    from viz import app, settings

    view = read(Path(options.view)).views[0] if options.view else ViewState()
    found, said, missing = located(Session((view,)), Path(options.view).parent if options.view else None)
    view = found.views[0]
    opens = tuple(Path(name) for name in options.files if is_dropped(name))
    networks = tuple(name for name in options.files if not is_dropped(name))
    if networks:
        view = view.put(Source(network=networks[0]))
    if options.compare:
        view = with_networks_beside(view, options.compare)
    return ended_in_a_sentence(
        app.run,
        app.AppOptions(
            view=with_settings(view.edit(Device, device=options.device), options.settings),
            settings_folder=None if options.fresh else settings.folder(),
            capture_folder=options.capture_dir,
            browse_folder=options.browse_dir,
            recent=networks,
            opens=opens,
            missing=() if networks else missing,
            said=() if networks else said,
            workspace=COMPARE_WORKSPACE if options.compare else None,
            size=options.size,
            font_scale=options.font_scale,
            output=options.output,
            remote_port=options.remote_port if options.remote else None,
            osc=options.osc,
        ),
    )


def ended_in_a_sentence(run: Callable[[AppOptions], int], options: AppOptions) -> int:
    """The border of the program: what nobody has foreseen has ended the window, which has saved by then what it keeps."""
    from viz.cli import known_error

    try:
        return run(options)
    except Exception as e:
        if known_error(e) or isinstance(e, ModuleNotFoundError):
            raise
        what = f"The window {UNFORESEEN}, and was closed: {type(e).__name__}: {e}"
        if options.settings_folder is None:
            raise CommandError(f"{what}\n{traceback.format_exc()}") from e
        details = options.settings_folder / "last-error.txt"
        with contextlib.suppress(OSError):
            details.write_text(traceback.format_exc(), encoding="utf-8")
        raise CommandError(f"{what}. The next start offers to go on where you were. Details are in {details}") from e


def is_dropped(name: str) -> bool:
    """Whether this is a session, a view, a latent or a picture, opened as if it were dropped, and no network. Raises CommandError."""
    path, suffix = Path(name), Path(name).suffix.lower()
    if "://" in name or suffix == ".pkl":
        return False
    if suffix == ".safetensors":
        return holds_latents(path) or holds_directions(path)
    if path.is_dir():
        return (path / "session.json").is_file()
    if suffix in SESSION_SUFFIXES and not path.exists():
        raise CommandError(f"{name}: there is no such file")
    return bool(suffix) and path.is_file()


def run_screenshot(options: argparse.Namespace) -> int:
    check_out(options.out, (".png",))
    from gui_utils.window import Window, WindowOptions
    from viz.app import App, AppOptions
    from viz.pipeline import Pipeline
    from viz.render_thread import Inline
    from viz.settings import Settings

    view = held = read(Path(options.view)).views[0] if options.view else ViewState()
    if options.network:
        view = view.put(Source(network=options.network))
    if options.seed is not None:
        view = view.edit(Latent, x=float(options.seed), y=0.0).reset(LatentPath, OwnLatent)
    view = with_settings(view, options.settings)
    if options.view:
        refuse_to_fetch(options, options.view, held, view)
    app_options = AppOptions(view=view, workspace=options.workspace, headless=True)
    with Window(WindowOptions(size=options.size, headless=True, font_scale=options.font_scale)) as window:
        settings = dataclasses.replace(Settings(), workspace=options.workspace, font_scale=window.font_scale)
        app = App(app_options, window, Inline(Pipeline()), settings)
        app.chrome_shown = not options.picture_only
        try:
            for _ in range(SCREENSHOT_FRAMES):
                app.step(dt=0.0)
            if app.frame is not None and app.frame.error is not None:
                raise CommandError(app.frame.error.sentences)
            network = app.frame.network if app.frame is not None else None
            if network is not None and (sentence := network.no_layer(app.state.get(Tap).layer)):
                raise CommandError(sentence)
            if app.chrome_shown:
                bring_to_front(app, options.front)
            capture.save_png(options.out, window.screenshot(), app.state, screenshot_command(app, window.plain_size, options.front))
        finally:
            app.close()
    return 0


def screenshot_command(app: App, size: tuple[int, int], front: Sequence[str] = ()) -> str:
    """What draws the window again from its picture, with these tabs in front."""
    flags = f"--workspace {app.settings.workspace} --size {size[0]}x{size[1]}"
    scale = f" --font-scale {app.settings.font_scale:g}" if app.settings.font_scale != 1 else ""
    tabs = "" if app.chrome_shown else " --picture-only"
    tabs += f" --front {shlex.join(front)}" if front and app.chrome_shown else ""
    return f"python {PROGRAM} screenshot --view FILE {flags}{scale}{tabs} --out again.png"


def brought_to_front(app: App) -> list[str]:
    """The panels that somebody has chosen: those in front that are not the first of their tabs."""
    from gui_utils import layout

    first = layout.first_of_each(app.arrangement)
    return [title for title in app.arrangement.windows if title not in first and layout.in_front(app.arrangement, title)]


def bring_to_front(app: App, titles: list[str]) -> None:
    """Chooses the tabs of these panels. Raises CommandError for one that this workspace has not."""
    from viz.app import TAB_FRAMES

    for title in titles:
        if title not in app.arrangement.windows:
            raise CommandError(f"--front {title}: this workspace has {', '.join(app.arrangement.windows)}")
        app.show_panel(title)
        for _ in range(TAB_FRAMES + 1):
            app.step(dt=0.0)


def print_list() -> int:
    """Bundled networks, then published ones, with whether they are here already; the licence below those it is for."""
    from networks.loading import catalogue

    entries = sorted(catalogue(), key=lambda entry: entry.kind != "bundled")
    for licence, group in itertools.groupby(entries, key=lambda entry: entry.licence):
        for entry in group:
            where = "bundled" if entry.kind == "bundled" else "in the cache" if entry.cached else "download"
            print(f"{entry.name:<36} {entry.resolution:>5} px  config {entry.config or '—':<3} {where}")
        if licence:
            print(f"  {licence}")
    return 0
