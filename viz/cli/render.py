"""Commands `render` and `view`: pictures without a window."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from viz import capture
from viz.cli import latent as cli_latent, pose as cli_pose
from viz.cli.arguments import add_engine_arguments, channel_list, check_out, number, psi_number, seed_number
from viz.cli.saved import add_fetch_argument, refuse_to_fetch, tell_of_changed_files
from viz.cli.values import add_set_argument, with_settings
from viz.compare import picture as compare_picture
from viz.compare.compare import chosen, others
from viz.compare.pairs import with_networks_beside
from viz.compare.scenes import SENTENCES
from viz.edit_text import number_list
from viz.errors import CommandError
from viz.export import exr_file
from viz.export.encoders import VALUES_KEY
from viz.export.film_file import read
from viz.export.picture import frame_values
from viz.groups.band import BandFilter
from viz.groups.compare import MODES, NAMES, OTHERS
from viz.headless import first_frame
from viz.request import Frame
from viz.session import origin
from viz.state import (
    BreakIt,
    Channels,
    Compare,
    CompareView,
    Device,
    Directions,
    EditActivations,
    Latent,
    Mixing,
    Noise,
    Pose,
    Source,
    Tap,
    Tone,
    Truncation,
    Unwarp,
    ViewState,
)
from viz.tour.means import over_again

MOST_ROWS = 256  # of ws, that any network has
OUTPUTS = (".png", ".npy", ".exr")
OUT_HELP = ".png, .exr for the values shown (the image as linear light), or .npy for the whole layer, float32 [C, H, W]"


def add_render_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help="path, URL, or a name that --list shows")
    parser.add_argument("--out", metavar="FILE", required=True, help=OUT_HELP)
    parser.add_argument("--seed", metavar="N", type=seed_number, default=0, help="z from numpy.random.RandomState(N) (default 0)")
    parser.add_argument(
        "--class", dest="class_index", metavar="I", type=int, default=None, help="class label; default: drawn from the seed"
    )
    cli_latent.add_arguments(parser)
    parser.add_argument("--psi", metavar="P", type=psi_number, default=1.0, help="truncation: 1 none, 0 the mean w (default 1)")
    parser.add_argument("--cutoff", metavar="C", type=int, default=None, help="rows of ws that are truncated (default all)")
    parser.add_argument("--layer", metavar="NAME", default="", help="layer to show, as `inspect` names it, or L5 (default: the image)")
    cli_pose.add_arguments(parser)
    parser.add_argument("--untransform", action="store_true", help="undo the pose on the picture")
    parser.add_argument("--noise", metavar="MODE", type=noise_mode, default=Noise(), help="const, none, or a seed (default const)")
    parser.add_argument("--mix", metavar=("SEED", "ROWS"), nargs=2, default=None, help="take these rows of ws (e.g. 8-15,17) from SEED")
    parser.add_argument("--mix-amount", metavar="A", type=number, default=1.0, help="how far --mix goes to SEED, from 0 to 1 (default 1)")
    parser.add_argument("--channels", metavar="I[,J,K]", type=channel_list, default=None, help="one channel or three (default 0,1,2)")
    parser.add_argument("--band", metavar=("LOW", "HIGH"), type=number, nargs=2, default=None,
                        help="show only these frequencies, cycles per image; HIGH 0: no upper end (.png only)")  # fmt: skip
    parser.add_argument("--normalize", action="store_true", help="divide each shown channel by its largest magnitude (.png only)")
    parser.add_argument("--gain", metavar="DB", type=number, default=0.0, help="display gain in dB (.png only)")
    add_compare_arguments(parser)
    add_engine_arguments(parser)
    add_set_argument(parser)


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--compare", metavar="NETWORK", action="append", default=[],
                        help="another network under the same latent, pose and layer; up to three times")  # fmt: skip
    parser.add_argument("--mode", metavar="M", choices=MODES, default="side", help="with --compare: side, wipe, flip or difference")
    parser.add_argument("--other", metavar="N", type=int, choices=tuple(OTHERS), default=2,
                        help="the view that wipe, flip and difference compare with the first: 2 (default), 3 or 4")  # fmt: skip
    parser.add_argument("--columns", metavar="N", type=int, choices=range(5), default=0,
                        help="--mode side: views in a row (default: all, and two by two for four)")  # fmt: skip
    parser.add_argument("--split", metavar="X", type=number, default=0.0, help="--mode wipe: the divider, in widths from the centre")
    parser.add_argument("--captions", action="store_true", help="with --compare: names, distances, seed and pose below the picture (.png)")
    parser.add_argument("--difference-gain", metavar="DB", type=number, default=0.0, help="--mode difference: its gain (.png only)")


def with_comparison(view: ViewState, options: argparse.Namespace) -> ViewState:
    """The view with the networks that the flags name beside it."""
    if not options.compare:
        return view
    view = with_networks_beside(view, options.compare)
    if options.other not in others(view):
        raise CommandError(f"--other {options.other} is not there: --compare names {len(options.compare)} beside the first")
    flips = options.mode == "flip"
    return view.put(
        CompareView(options.mode, options.split, flips, options.difference_gain, options.other, options.columns, options.captions)
    )


def add_view_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("state", metavar="STATE", help="a saved view (.json), or any file of this program")
    parser.add_argument("--out", metavar="FILE", required=True, help=OUT_HELP)
    parser.add_argument("--network", metavar="NETWORK", default=None, help="use this network instead of the saved one")
    parser.add_argument("--shown", action="store_true", help=".npy: the shown channels as they are drawn, instead of the whole layer")
    parser.add_argument("--device", metavar="D", default=None, help="auto, cpu, cuda or mps (default: as saved)")
    add_fetch_argument(parser)
    add_set_argument(parser)


def run_render(options: argparse.Namespace) -> int:
    view = cli_latent.with_latent(view_from_options(options), options)
    return write(view, Path(options.out), options.save_latent)


def run_view(options: argparse.Namespace) -> int:
    """A saved view is shown as the window shows it, which passes over what this network cannot do; that is said."""
    view = held = read(Path(options.state)).views[0]
    if options.network:
        view = view.put(Source(network=options.network))
    if options.device:
        view = view.edit(Device, device=options.device)
    view = with_settings(view, options.settings)
    refuse_to_fetch(options, options.state, held, view)
    tell_of_changed_files(view)
    return write(view, Path(options.out), shown=options.shown, saved=True)


def view_from_options(options: argparse.Namespace) -> ViewState:
    """The view that the flags of `render` ask for."""
    if options.class_index is not None and options.class_index < 0:
        raise CommandError(f"--class {options.class_index} is negative; classes count from 0")
    if options.cutoff is not None and options.cutoff < 0:
        raise CommandError(f"--cutoff {options.cutoff} is negative; it counts rows of ws")
    view = ViewState().put(Source(network=options.network)).put(options.noise)
    view = view.put(Latent(x=float(options.seed), class_index=-1 if options.class_index is None else options.class_index))
    view = view.put(Truncation(psi=options.psi, cutoff=-1 if options.cutoff is None else options.cutoff))
    view = view.put(cli_pose.pose_of(options)).put(Unwarp(on=options.untransform))
    view = view.put(Tap(layer=options.layer)).put(Tone(gain_db=options.gain))
    view = view.put(Device(device=options.device, backend=options.backend))
    if options.band:
        view = view.put(band_of(*options.band))
    if not 0 <= options.mix_amount <= 1:
        raise CommandError(f"--mix-amount {options.mix_amount:g}: from 0 to 1 is expected")
    if options.mix:
        view = view.put(Mixing(rows=row_list(options.mix[1]), seed=_mixed_seed(options.mix[0]), amount=options.mix_amount))
    view = with_comparison(view, options)
    channels = options.channels or ()
    mode = "single" if len(channels) == 1 else "rgb"
    first = channels[0] if channels else 0
    view = view.put(Channels(mode=mode, first=first, triple=channels if len(channels) == 3 else (), normalize=options.normalize))
    return with_settings(view, options.settings)


def band_of(low: float, high: float) -> BandFilter:
    if not (0 <= low <= 4096 and 0 <= high <= 4096):
        raise CommandError(f"--band {low:g} {high:g} is out of range; from 0 to 4096 cycles per image is expected")
    if 0 < high <= low:
        raise CommandError(f"--band {low:g} {high:g} ends before it begins")
    return BandFilter(on=True, low=low, high=high)


def write(view: ViewState, out: Path, save_latent: Path | None = None, *, shown: bool = False, saved: bool = False) -> int:
    """Renders the view and writes it; checks the name first so that nothing is computed in vain.

    `saved`: the view comes out of a file. Else CommandError says what the network cannot do.
    """
    cli_latent.check(save_latent)
    check_out(out, OUTPUTS)
    frame = render(view)
    view = frame.request.view
    for sentence in impossible(view, frame):
        if not saved:
            raise CommandError(sentence)
        print(sentence, file=sys.stderr)
    cli_latent.save(save_latent, frame)
    if out.suffix.lower() == ".npy" and shown:
        assert frame.picture is not None
        capture.save_npy(out, frame.picture.values.transpose(2, 0, 1), seen(view, frame), f"{again(out)} --shown")
    elif view.get(Compare).on:
        write_comparison(view, frame, out)
    elif out.suffix.lower() == ".npy":
        capture.save_npy(out, unwarped_raw(view, frame), seen(view, frame), again(out))
    elif out.suffix.lower() == ".exr":
        write_values(out, frame, seen(view, frame))
    else:
        assert frame.toned is not None
        capture.save_png(out, frame.toned, seen(view, frame), again(out))
    return 0


def again(out: Path) -> str:
    """What makes a file again from itself."""
    return f"python {origin.PROGRAM} view FILE --out again{out.suffix}"


def seen(view: ViewState, frame: Frame) -> ViewState:
    """The view with the hash of the weights that it was seen with."""
    assert frame.network is not None
    return view.put(Source(network=view.get(Source).network, sha256=frame.network.sha256))


def write_values(out: Path, frame: Frame, view: ViewState) -> Path:
    """What is shown as numbers: an OpenEXR file with view and command inside. Raises CommandError where there are none, OSError."""
    values, what = frame_values(frame, view, 1)
    texts = {capture.KEY: view.to_json(), capture.COMMAND_KEY: again(out), VALUES_KEY: what}
    return exr_file.save(out, values, texts)


def write_comparison(view: ViewState, frame: Frame, out: Path) -> None:
    """The composed picture, or the raw difference; the distances and what the views do not share are printed."""
    assert frame.network is not None
    number = chosen(view)
    view_seen = compare_picture.with_hash(seen(view, frame), frame)
    try:
        if out.suffix.lower() == ".exr":
            write_values(out, frame, view_seen)
        elif out.suffix.lower() == ".npy":
            if view.get(CompareView).mode != "difference" or view.get(Unwarp).on:
                raise CommandError("a comparison as .npy is the difference: --mode difference, without --untransform")
            capture.save_npy(out, compare_picture.raw_difference(frame, number), view_seen, again(out))
        else:
            capture.save_png(out, compare_picture.captured(frame, view), view_seen, again(out))
    except ValueError as e:
        raise CommandError(str(e)) from e
    alone = len(frame.others) == 1
    for n, beside in sorted(frame.others.items()):
        if beside.db is not None:
            print(f"{'' if alone else NAMES[n] + ' view: '}{beside.unit} {beside.db:.2f} dB")
        for note in (beside.reason, *beside.notes, SENTENCES.get(beside.apart, "")):
            if note:
                print(note if alone else f"{NAMES[n]} view: {note}", file=sys.stderr)


def render(view: ViewState) -> Frame:
    """One frame, computed here and now; the means that a capture was one of. Raises CommandError with the failing stage's sentence."""
    from viz.pipeline import Pipeline
    from viz.progress import terminal_progress

    with terminal_progress() as report:
        pipeline = Pipeline(headless=True)
        return over_again(first_frame(pipeline, view, report), lambda each: first_frame(pipeline, each))


def impossible(view: ViewState, frame: Frame) -> Iterator[str]:
    """What the network cannot do, instead of quietly doing something else."""
    facts = frame.network
    assert facts is not None
    layer, pose, latent = view.get(Tap).layer, view.get(Pose), view.get(Latent)
    if sentence := facts.no_layer(layer):
        yield sentence
    if not facts.has_pose and pose.moved:
        yield f"{facts.titled} has no input grid: nothing can move or turn it"
    yield from view.get(EditActivations).missing(facts.taps)
    yield from view.get(BreakIt).missing(facts.taps)
    if facts.kind != "alias-free" and view.get(BreakIt).on:
        yield f"{facts.titled} has no designed filters to break"
    if any(row >= facts.num_ws for row in view.get(Mixing).rows):
        yield f"{facts.name} has {facts.num_ws} rows of ws to mix, numbered from 0"
    beyond = next((edit.number for edit in view.get(Directions).acting if not edit.own and edit.number >= facts.w_dim), None)
    if beyond is not None:
        yield f"direction {beyond} does not exist: w of {facts.name} has {facts.w_dim} components, counted from 0"
    if latent.class_index >= max(facts.c_dim, 0) and latent.class_index >= 0:
        yield f"class {latent.class_index} does not exist: {facts.name} has {facts.c_dim or 'no'} classes"
    if view.get(Noise) != Noise() and not facts.has_noise:
        yield f"{facts.titled} has no noise inputs to set"
    total = frame.picture.total_channels if frame.picture else 0
    channels = view.get(Channels)
    if any(i >= total for i in (channels.first, *channels.triple)):
        yield f"{facts.tap(layer).name} has {total} channels, numbered from 0"


def unwarped_raw(view: ViewState, frame: Frame) -> np.ndarray:
    """The tapped layer whole; with --untransform, all its channels undone."""
    assert frame.network is not None and frame.raw is not None
    if not view.get(Unwarp).on or not frame.network.has_pose:
        return frame.raw
    import torch

    from torch_utils.resample import unwarp

    tap = frame.network.tap(view.get(Tap).layer)
    matrix = view.get(Pose).matrix(frame.network.resolution)
    return unwarp(torch.from_numpy(frame.raw)[None], matrix, sampling_rate=tap.sampling_rate)[0][0].numpy()


def noise_mode(text: str) -> Noise:
    if text in ("const", "none"):
        return Noise(mode=text)
    try:
        return Noise(mode="random", seed=seed_number(text))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither const, none nor a seed") from None


def _mixed_seed(text: str) -> int:
    try:
        return seed_number(text)
    except argparse.ArgumentTypeError as e:
        raise CommandError(f"--mix: {e}") from None


def row_list(text: str) -> tuple[int, ...]:
    """ "8-11,14" -> (8, 9, 10, 11, 14)."""
    try:
        return number_list(text, MOST_ROWS - 1)
    except ValueError:
        raise CommandError(f"--mix rows {text!r} is not a list like 8-11,14 of rows from 0 to {MOST_ROWS - 1}") from None
