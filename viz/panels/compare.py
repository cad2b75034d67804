"""Panel "Compare": a second view beside the first, what it has for itself, how the two are laid out, and how far they are apart."""

from __future__ import annotations

from dataclasses import replace

from gui_utils.controls import Field, button, checkbox, choice, combo, input_float, input_int, section, slider_float, text_input
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import font_scope
from gui_utils.text import MISSING, duration_text, number_text
from viz.compare import MODE_NAMES, stylegan2_beside_r, swapped
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, cached, reset_button, wrapped_text
from viz.request import Beside, NetworkFacts
from viz.state import BreakIt, Compare, CompareView, Latent, Noise, Pose, Source, Tap, Truncation, ViewState

ON = Field("Compare", "Compare.on", "Shows a second view beside this one, driven by the same latent, pose, layer and cursor. "
           "V does the same.", default=False)  # fmt: skip
PAIR = Field("StyleGAN2 beside R", "Compare.pair", "Config R, and beside it StyleGAN2 trained on the same data (rung B: with Fourier "
             "features, so that it can be moved).")  # fmt: skip
NO_PAIR = "No StyleGAN2 network of the same data is bundled."
SWAP = Field(f"{icons.ICON_FA_RIGHT_LEFT} Swap", "Compare.swap", "First and second change places.")
NETWORK = Field("Network", "Compare.network", "A file, an address or a name; empty: the same network.", default="")
CHOOSE = Field("", "Compare.choose", "Bundled and recent networks.")
MODE = Field("", "CompareView.mode", "Side by side; a divider to drag; one in the place of the other (hold X for the other one); or second "
             "minus first. Shift+V goes on to the next.", default="side")  # fmt: skip
SECOND = Field(
    "Second", "CompareView.second", "Shows the second view in the place of the first. X, held, shows the other one.", default=False
)
GAIN = Field("Gain", "CompareView.gain_db", "Of the difference, whose zero is mid-grey.", "dB", default=0.0, low=-20, high=80, decimals=1)
OWN_LATENT = Field("Own latent", "Compare.own_latent", "The second view has a latent for itself.", default=False)
X = Field("Right", "Compare.x", "Position on the lattice of seeds.", "seeds", default=0.0, low=-1e9, high=1e9)
Y = Field(
    "Down", "Compare.y", "Position on the lattice of seeds; one step down is 100 to the right.", "seeds", default=0.0, low=-1e9, high=1e9
)
OWN_TRUNCATION = Field("Own truncation", "Compare.own_truncation", "The second view is truncated for itself.", default=False)
PSI = Field("Truncation", "Compare.psi", "Pulls w towards its mean.", symbol="ψ", default=1.0, low=-1, high=2)
OWN_NOISE = Field("Own noise", "Compare.own_noise", "The second view has noise inputs for itself.", default=False)
NOISE = Field("Noise", "Compare.noise", "Stored in the network, none, or drawn from a seed.", default="const")
NOISES = {"const": "stored", "none": "none", "random": "drawn"}
NOISE_SEED = Field("Noise seed", "Compare.noise_seed", "The seed that noise is drawn from.", default=0, high=2**32 - 1)
OWN_POSE = Field("Own pose", "Compare.own_pose", "The second view is moved for itself.", default=False)
POSE_X = Field("Right", "Compare.pose_x", "Translation of the second view.", "widths", default=0.0, low=-1, high=1, decimals=3)
POSE_Y = Field("Down", "Compare.pose_y", "Translation of the second view.", "widths", default=0.0, low=-1, high=1, decimals=3)
TURNS = Field(
    "Turn", "Compare.turns", "Rotation of the second view, counter-clockwise.", "turns", default=0.0, low=-0.5, high=0.5, decimals=3
)
OWN_LAYER = Field("Own layer", "Compare.own_layer", "The second view shows a layer of its own.", default=False)
LAYER = Field("Layer", "Compare.layer", "The layer of the second view.", default="")
INTACT = Field("Intact", "Compare.intact", "The second view is the network as it is, while the first is broken in the panel Break it.",
               default=False)  # fmt: skip
NOT_BROKEN = "Nothing is broken: see the panel Break it."
RESET = Field("Reset", "Compare.reset", "One view, nothing of its own.")
OFF = "The comparison is switched off."
ONE_STEP = "Only for the difference."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    state = state.edit(Compare, on=checkbox(ON, state.get(Compare).on))
    imgui.same_line(0, imgui.get_font_size())
    state = _pair(state, context)
    reason = "" if state.get(Compare).on else OFF
    beside = context.frame.beside if context.frame and not reason else None
    other = beside.frame.network if beside else None
    state = _network(state, context, reason)
    state = _layout(state, reason)
    if not reason:
        _number(beside)
    if button(SWAP, disabled=reason):
        state = swapped(state, context.network, other)
    imgui.same_line()
    state = reset_button(state, RESET, Compare, CompareView)
    with section("Its own") as opened:
        if opened:
            state = _own(state, other, reason)
    _facts(beside)
    return state


def _pair(state: ViewState, context: PanelContext) -> ViewState:
    pair = cached(context, "compare.pair", context.catalogue, lambda: stylegan2_beside_r(context.catalogue))
    if button(PAIR, disabled="" if pair else NO_PAIR) and pair:
        return with_pair(state, pair)
    return state


def with_pair(state: ViewState, pair: tuple[str, str]) -> ViewState:
    """The first network of the pair with the second beside it."""
    return state.put(Source(network=pair[0])).put(replace(state.get(Compare), on=True, network=pair[1], sha256=""))


def _network(state: ViewState, context: PanelContext, reason: str) -> ViewState:
    own = state.get(Compare)
    ref = text_input(NETWORK, own.network, hint="the same network", disabled=reason).strip()
    known = {"": "the same network", **{e.name: e.name for e in context.catalogue if e.kind == "bundled"}}
    known |= {recent: recent.replace("\\", "/").rsplit("/", 1)[-1] for recent in context.settings.recent}
    known |= {ref: ref.replace("\\", "/").rsplit("/", 1)[-1]} if ref not in known else {}
    imgui.set_next_item_width(-1)
    ref = combo(CHOOSE, ref, known, disabled=reason)
    return state if ref == own.network else state.edit(Compare, network=ref, sha256="")


def _layout(state: ViewState, reason: str) -> ViewState:
    shown = state.get(CompareView)
    mode = choice(replace(MODE, label="Layout"), shown.mode, dict(list(MODE_NAMES.items())[:2]), disabled=reason)
    mode = choice(replace(MODE, label=" "), mode, dict(list(MODE_NAMES.items())[2:]), disabled=reason)
    state = state.edit(CompareView, mode=mode)
    if mode == "flip":
        return state.edit(CompareView, second=checkbox(SECOND, shown.second, disabled=reason))
    gain = slider_float(GAIN, shown.gain_db, disabled=reason or ("" if mode == "difference" else ONE_STEP))
    return state.edit(CompareView, gain_db=gain)


def _number(beside: Beside | None) -> None:
    """How far the two are apart: the one number of a comparison."""
    imgui.text_disabled(beside.unit if beside is not None else "PSNR")
    stale = beside is not None and beside.stale
    with font_scope(1.8):
        text = number_text(beside.db, "dB") if beside is not None and beside.difference is not None else MISSING
        (imgui.text_disabled if stale else imgui.text_unformatted)(text)
    if beside is not None and beside.reason:
        wrapped_text(beside.reason)


def _own(state: ViewState, other: NetworkFacts | None, reason: str) -> ViewState:
    """Each switch begins with what the two had in common, so that nothing jumps."""
    own = state.get(Compare)
    on = checkbox(OWN_LATENT, own.own_latent, disabled=reason)
    if on != own.own_latent:
        own = replace(own, own_latent=on, x=state.get(Latent).x, y=state.get(Latent).y)
    if on:
        own = replace(own, x=input_float(X, own.x, disabled=reason), y=input_float(Y, own.y, disabled=reason))
    on = checkbox(OWN_TRUNCATION, own.own_truncation, disabled=reason)
    if on != own.own_truncation:
        own = replace(own, own_truncation=on, psi=state.get(Truncation).psi, cutoff=state.get(Truncation).cutoff)
    if on:
        own = replace(own, psi=slider_float(PSI, own.psi, disabled=reason))
    own = _own_noise(state, own, reason or ("The second network has no noise inputs." if other and not other.has_noise else ""))
    own = _own_pose(state, own, reason or ("The second network has no input grid." if other and not other.has_pose else ""))
    on = checkbox(OWN_LAYER, own.own_layer, disabled=reason or ("" if other else NO_NETWORK))
    if on != own.own_layer:
        own = replace(own, own_layer=on, layer=state.get(Tap).layer if other and state.get(Tap).layer in _layers(other) else "")
    if on and other is not None:
        own = replace(own, layer=combo(LAYER, own.layer, _layers(other), disabled=reason))
    broken = state.get(BreakIt).on or own.intact
    return state.put(replace(own, intact=checkbox(INTACT, own.intact, disabled=reason or ("" if broken else NOT_BROKEN))))


def _own_noise(state: ViewState, own: Compare, reason: str) -> Compare:
    on = checkbox(OWN_NOISE, own.own_noise, disabled=reason)
    if on != own.own_noise:
        own = replace(own, own_noise=on, noise=state.get(Noise).mode, noise_seed=state.get(Noise).seed)
    if on:
        own = replace(own, noise=choice(NOISE, own.noise, NOISES, disabled=reason))
        drawn = "" if own.noise == "random" else "Only drawn noise has a seed."
        own = replace(own, noise_seed=input_int(NOISE_SEED, own.noise_seed, disabled=reason or drawn))
    return own


def _own_pose(state: ViewState, own: Compare, reason: str) -> Compare:
    on = checkbox(OWN_POSE, own.own_pose, disabled=reason)
    if on != own.own_pose:
        own = replace(own, own_pose=on, pose_x=state.get(Pose).x, pose_y=state.get(Pose).y, turns=state.get(Pose).turns)
    if on:
        own = replace(
            own,
            pose_x=slider_float(POSE_X, own.pose_x, disabled=reason),
            pose_y=slider_float(POSE_Y, own.pose_y, disabled=reason),
            turns=slider_float(TURNS, own.turns, disabled=reason),
        )
    return own


def _layers(facts: NetworkFacts) -> dict[str, str]:
    """Names as the view stores them; the finished image is ""."""
    return {"": facts.taps[-1].name, **{tap.name: tap.name for tap in facts.taps[:-1]}}


def _facts(beside: Beside | None) -> None:
    """What could not be shared, and what the second picture took."""
    if beside is None:
        return
    for note in beside.notes:
        wrapped_text(note)
    if beside.frame.timing.stages:
        wrapped_text(f"second view: {duration_text(beside.frame.timing.total_s)}")


PANEL = Panel("Compare", "left", 45, draw, resets=(Compare, CompareView), workspaces=(6,))
