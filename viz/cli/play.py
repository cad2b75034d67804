"""Commands `play` and `record`: films without a window."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from viz.cli import latent as cli_latent
from viz.cli.arguments import add_engine_arguments, channel_list, psi_number, seed_number, size_pair
from viz.cli.render import add_compare_arguments, with_comparison
from viz.cli.saved import add_fetch_argument, refuse_to_fetch, tell_of_changed_files
from viz.cli.values import add_set_argument, with_settings
from viz.errors import CommandError
from viz.export.export import export
from viz.export.film_file import command_in, read
from viz.export.options import FRAMES, WHATS, WINDOW, ExportOptions, ExportProgress, asked_in
from viz.session.session import Session
from viz.state import Channels, Device, Latent, OverlayView, Source, Tap, Truncation, ViewState
from viz.timeline import paths
from viz.timeline.timeline import FPS_LIMIT

KEPT = ("size", "what", "window", "frames", "lossless")  # of a film that is made again from itself
WALKS = ("loop", "sticking")  # paths through latents
OUT_HELP = ".mp4, .webm, .gif, or a folder (a name ending in /) for PNG or EXR frames"
WHAT_HELP = "picture (or comparison), overlay (a measurement over it), slice, cinema (picture, mean and slice), or window (default picture)"


def add_play_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION", help="a session or view (.json), or any file that this program exported; a film is "
                        "made again as it was: its --size, --what, --window, --frames and --lossless hold unless given here")  # fmt: skip
    _add_film_arguments(parser)
    parser.set_defaults(**dict.fromkeys(KEPT))
    parser.add_argument("--network", metavar="NETWORK", default=None, help="use this network instead of the saved one")
    parser.add_argument("--device", metavar="D", default=None, help="auto, cpu, cuda or mps (default: as saved)")
    add_fetch_argument(parser)


def add_record_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help="path, URL, or a name that --list shows")
    names = ", ".join(name for name in paths.PATHS if name != "motion")
    parser.add_argument("--path", metavar="PATH", type=_path, default="rotate", help=f"{names} (default rotate)")
    parser.add_argument("--seconds", metavar="S", type=_positive, default=4.0, help="length of the film (default 4)")
    parser.add_argument("--seed", metavar="N", type=seed_number, default=0, help="the first latent (default 0)")
    parser.add_argument("--seeds", metavar="N[,N...]", type=_seeds, default=(), help="for --path loop: the seeds to pass through")
    cli_latent.add_latent_arguments(parser)
    parser.add_argument("--psi", metavar="P", type=psi_number, default=1.0, help="truncation: 1 none, 0 the mean w (default 1)")
    parser.add_argument("--layer", metavar="NAME", default="", help="layer to show, as `inspect` names it, or L5 (default: the image)")
    parser.add_argument("--channels", metavar="I[,J,K]", type=channel_list, default=None, help="one channel or three (default 0,1,2)")
    parser.add_argument("--overlay", metavar="IMAGE", default="", help="measure and lay this over the picture, e.g. flow.arrows")
    parser.add_argument("--workspace", metavar="I", type=int, choices=range(1, 7), default=1, help="--what window: 1 to 6 (default 1)")
    add_compare_arguments(parser)
    add_set_argument(parser)
    _add_film_arguments(parser)
    add_engine_arguments(parser)


def _add_film_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FILE", required=True, help=OUT_HELP)
    parser.add_argument("--size", metavar="K", type=_size, default=1, help="output pixels per pixel of the picture (default 1)")
    parser.add_argument("--what", metavar="W", choices=tuple(WHATS), default=None, help=WHAT_HELP)
    parser.add_argument("--window", metavar="WxH", type=size_pair, default=WINDOW, help="--what window: its size (default 1600x900)")
    parser.add_argument("--frames", metavar="F", choices=FRAMES, default="png", help="for a folder: png (8 bits), or exr (float values)")
    parser.add_argument("--fps", metavar="F", type=_fps, default=None, help="frames a second (default: as saved, or 30)")
    parser.add_argument("--lossless", action="store_true", help=".mp4 and .webm: every pixel as rendered")
    parser.add_argument(
        "--keep-frames",
        action="store_true",
        help="keep frames until the film is complete, so that the same command goes on where it was stopped",
    )


def run_play(options: argparse.Namespace) -> int:
    session = held = read(Path(options.session))
    _as_it_was_made(options)
    if options.network:
        for ref in {k.view.get(Source).network for k in session.film.keyframes} | {v.get(Source).network for v in session.views}:
            session = session.with_source(ref, Source(network=options.network))
    if options.device:
        session = session.edit_views(Device, device=options.device)
    refuse_to_fetch(options, options.session, held, session)
    tell_of_changed_files(session)
    return write(session, options)


def _as_it_was_made(options: argparse.Namespace) -> None:
    """What a film was made with holds where nothing else is asked for: `play FILM --out AGAIN` is the same film."""
    usual, made = ExportOptions(_out(options.out)), asked_in(command_in(Path(options.session)))
    if not usual.is_sequence:
        made.pop("frames", None)
    if usual.out.suffix.lower() not in (".mp4", ".webm"):
        made.pop("lossless", None)
    for name in KEPT:
        if getattr(options, name) is None:
            setattr(options, name, made.get(name, getattr(usual, name)))


def run_record(options: argparse.Namespace) -> int:
    return write(session_from_options(options), options)


def session_from_options(options: argparse.Namespace) -> Session:
    """The session that the flags of `record` ask for."""
    if options.seeds and options.path != "loop":
        raise CommandError("--seeds belongs to --path loop")
    if options.latent and options.path in WALKS:
        raise CommandError(f"--path {options.path} walks through seeds, and --latent stays where it is; choose another path")
    view = ViewState().put(Source(network=options.network)).put(Latent(x=float(options.seed))).put(Truncation(psi=options.psi))
    view = view.put(Tap(layer=options.layer)).put(Device(device=options.device, backend=options.backend))
    view = cli_latent.with_latent(with_comparison(view, options), options)
    channels = options.channels or ()
    if channels:
        view = view.put(
            Channels(mode="single" if len(channels) == 1 else "rgb", first=channels[0], triple=channels if channels[1:] else ())
        )
    if options.overlay:
        view = with_overlay(view, options.overlay)
    view = with_settings(view, options.settings)
    if options.seeds:
        timeline = paths.latent_loop(view, options.seconds, seeds=options.seeds)
    else:
        timeline = paths.ready_made(options.path, view, options.seconds, options.fps or 30.0)
    return Session((view,), timeline, {"workspace": options.workspace} if options.what == "window" else {})


def with_overlay(view: ViewState, image: str) -> ViewState:
    """The view with the measurement on that makes `image` ("<measurement>.<name>"), and the image over the picture."""
    from viz.analysis import modules, overlays

    found = next((each for each in overlays() if each.name == image.partition(".")[0]), None)
    images = [name for module in modules() for name in getattr(module, "IMAGES", {})]
    if found is None or image not in images:
        raise CommandError(f"--overlay {image} is not measured; there are {', '.join(name for name in images if name)}")
    return view.edit(found.options, on=True).edit(OverlayView, image=image)


def write(session: Session, options: argparse.Namespace) -> int:
    """Exports with a bar on the terminal."""
    if options.fps is not None:
        session = replace(session, timeline=replace(session.film, fps=options.fps))
    out, what = _out(options.out), options.what or ("overlay" if getattr(options, "overlay", "") else "picture")
    wanted = ExportOptions(out, options.size, options.lossless, options.keep_frames, what, options.frames, options.window)
    with terminal_bar() as report:
        result = export(session, wanted, progress=report)
    for note in result.notes:
        print(note, file=sys.stderr)
    return 0


@contextmanager
def terminal_bar() -> Iterator[Callable[[ExportProgress], None]]:
    """Frames done, speed and time left, on a terminal only."""
    from tqdm import tqdm

    with tqdm(unit=" frames", disable=not sys.stderr.isatty(), leave=False) as bar:

        def report(progress: ExportProgress) -> None:
            bar.total = progress.total
            bar.update(progress.done - bar.n)

        yield report


def _out(text: str) -> Path:
    path = Path(text)
    if not text.endswith(("/", "\\")) and path.suffix == "" and not path.is_dir():
        raise CommandError(f"--out {text} ends in nothing; {OUT_HELP} is expected")
    return path


def _path(text: str) -> str:
    if text not in paths.PATHS or text == "motion":
        names = ", ".join(name for name in paths.PATHS if name != "motion")
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {names}")
    return text


def _number(text: str, kind: type, low: float, high: float, what: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def _size(text: str) -> int:
    return int(_number(text, int, 1, 64, "a whole number from 1 to 64"))


def _fps(text: str) -> float:
    return _number(text, float, 0.01, FPS_LIMIT, f"a number of frames a second up to {FPS_LIMIT:.0f}")


def _positive(text: str) -> float:
    return _number(text, float, 1e-3, 86400.0, "a number of seconds")


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(seed_number(part) for part in text.split(","))
