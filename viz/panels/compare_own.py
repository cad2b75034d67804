"""Part of the panel Compare: what each view shares with the first, as a table of links, and the values that one has for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gui_utils.controls import Field, button, checkbox, choice, combo, input_float, input_int, slider_float, toggle
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import table_scope
from viz.compare.compare import broken_in, of_first, own_values
from viz.edit_text import summary
from viz.groups.compare import NAMES, OTHERS, OWN_BREAKS, OwnValues
from viz.groups.layer import RATES, WINDOWS
from viz.panels.parts import NO_NETWORK, beside, wrapped_text
from viz.request import Beside, NetworkFacts
from viz.state import BreakIt, EditActivations, ViewState

AS_IS = "as it is"
LINKED = "Linked: it follows the first view. Click to give the {which} view {what} of its own."
OWN = "Its own. Click to link it to the first view again."
X = Field("Right", "x", "Position on the lattice of seeds.", "seeds", default=0.0, low=-1e9, high=1e9)
Y = Field("Down", "y", "Position on the lattice of seeds; one step down is 100 to the right.", "seeds", default=0.0, low=-1e9, high=1e9)
PSI = Field("Truncation", "psi", "Pulls w towards its mean.", symbol="ψ", default=1.0, low=-1, high=2)
NOISE = Field("Noise", "noise", "Stored in the network, none, or drawn from a seed.", default="const")
NOISES = {"const": "stored", "none": "none", "random": "drawn"}
NOISE_SEED = Field("Noise seed", "noise_seed", "The seed that noise is drawn from.", default=0, high=2**32 - 1)
POSE_X = Field("Right", "pose_x", "Translation of this view.", "widths", default=0.0, low=-1, high=1, decimals=3)
POSE_Y = Field("Down", "pose_y", "Translation of this view.", "widths", default=0.0, low=-1, high=1, decimals=3)
TURNS = Field("Turn", "turns", "Rotation of this view, counter-clockwise.", "turns", default=0.0, low=-0.5, high=0.5, decimals=3)
SCALE = Field("Scale", "scale", "Enlargement of this view.", default=1.0, low=0.5, high=2.0, decimals=3)
STRETCH = Field("Stretch", "stretch", "Width over height in this view, at constant area.", "×", default=1.0, low=0.25, high=4,
                decimals=3, logarithmic=True)  # fmt: skip
SHEAR = Field("Shear", "shear", "Moves the top of this view to the right.", "heights per height", default=0.0, low=-2, high=2, decimals=3)
MIRROR = Field("Mirror", "mirror", "Swaps left and right in this view, before the rest.", default=False)
LAYER = Field("Layer", "layer", "The layer of this view.", default="")
INTACT = Field("Intact", "intact", "This view is the network as it is, whatever the first is like (panels Break it, Edits).", default=False)
WINDOW = Field("Filter", "window", "The design of this view's filters, as in the panel Break it.", default="")
UPSAMPLING = Field("m", "upsampling", "How many times this view raises the rate around the leaky ReLU.", symbol="m", default=0)
CUTOFF = Field("f_c shift", "cutoff_octaves", "Moves the cutoff of this view's filters.", "octaves", symbol="f_c", default=0.0,
               low=-2, high=2)  # fmt: skip
RATE = Field("Sampling rate", "rate_octaves", "Of this view's whole network: R draws nearly the same picture at every rate, T does not.",
             symbol="s", default=0)  # fmt: skip
COPY_BREAK = Field("As in Break it", "copy", "Takes over everything that the panel Break it now breaks in the first view.")
COPY_EDITS = Field("As in Edits", "copy_edits", "Takes over the edits that the panel Edits now holds for the first view.")
NO_EDITS = Field("None", "no_edits", "No edits in this view.")
NO_OWN = "Everything of this view follows the first."
ALWAYS = "Always shared: zoom, cursor, channels, colours, and the range of the spectra."

LINKS: tuple[tuple[str, str, str], ...] = (  # name of the row, field, what it is
    ("Latent", "own_latent", "a latent"),
    ("Truncation", "own_truncation", "a truncation"),
    ("Noise", "own_noise", "noise"),
    ("Pose", "own_pose", "a pose"),
    ("Layer", "own_layer", "a layer"),
    ("Break it", "own_break", "a way of being broken"),
    ("Edits", "own_edits", "edits"),
)


def links(state: ViewState, numbers: tuple[int, ...], others: Mapping[int, Beside]) -> ViewState:
    """A row for everything that can be shared, a column for each view beside the first."""
    flags = imgui.TableFlags_.row_bg.value | imgui.TableFlags_.sizing_fixed_fit.value
    with table_scope("links", 1 + len(numbers), flags) as visible:
        if visible:
            imgui.table_setup_column("##what")
            for number in numbers:
                imgui.table_setup_column(NAMES[number])
            imgui.table_headers_row()
            for name, field, what in LINKS:
                imgui.table_next_row()
                imgui.table_next_column()
                imgui.align_text_to_frame_padding()
                imgui.text_unformatted(name)
                for number in numbers:
                    imgui.table_next_column()
                    other = others[number].frame.network if number in others else None
                    state = _link(state, number, field, what, _cannot(field, other))
    wrapped_text(f"{icons.ICON_FA_LINK} follows the first   {icons.ICON_FA_LINK_SLASH} its own")
    wrapped_text(ALWAYS)
    return state


def _link(state: ViewState, number: int, field: str, what: str, reason: str) -> ViewState:
    """One cell: linked, or its own. A switch begins with what the two had in common, so that nothing jumps."""
    own = own_values(state, number)
    is_own = getattr(own, field) or (field in ("own_break", "own_edits") and own.intact)
    icon = icons.ICON_FA_LINK_SLASH if is_own else icons.ICON_FA_LINK
    text = OWN if is_own else LINKED.format(which=NAMES[number].lower(), what=what)
    control = Field(icon, f"{OTHERS[number].__name__}.{field}", text)
    if toggle(control, is_own, disabled="" if is_own else reason) == is_own:
        return state
    changes = {field: not is_own, **({"intact": False} if is_own else of_first(state, field))}
    if field == "own_break":
        state = state.put(OWN_BREAKS[number](**vars(state.get(BreakIt))))
    return state.edit(OTHERS[number], **changes)


def _cannot(field: str, other: NetworkFacts | None) -> str:
    """Why a view cannot have this for itself; "" if it can."""
    if field == "own_layer" and other is None:
        return NO_NETWORK
    if other is not None and field == "own_noise" and not other.has_noise:
        return "Its network has no noise inputs."
    if other is not None and field == "own_pose" and not other.has_pose:
        return "Its network has no input grid."
    if other is not None and field == "own_break" and other.kind != "alias-free":
        return "Only alias-free networks can be broken."
    return ""


def values(state: ViewState, number: int, other: NetworkFacts | None) -> ViewState:
    """The values that the view of this number has for itself."""
    own, kind = own_values(state, number), OTHERS[number]
    before = own

    def named(field: Field) -> Field:
        return replace(field, id=f"{kind.__name__}.{field.id}")

    if own.own_latent:
        x, y = input_float(named(X), own.x), input_float(named(Y), own.y)
        if (x, y) != (own.x, own.y):  # as in the first view: any move on the lattice leaves a path and a latent out of a file
            own = replace(own, x=x, y=y, seeds=(), position=0.0, file="", space="", index=0, file_sha256="")
    if own.own_truncation:
        own = replace(own, psi=slider_float(named(PSI), own.psi))
    if own.own_noise:
        drawn = "" if own.noise == "random" else "Only drawn noise has a seed."
        own = replace(own, noise=choice(named(NOISE), own.noise, NOISES))
        own = replace(own, noise_seed=input_int(named(NOISE_SEED), own.noise_seed, disabled=drawn))
    if own.own_pose:
        own = replace(
            own,
            pose_x=slider_float(named(POSE_X), own.pose_x),
            pose_y=slider_float(named(POSE_Y), own.pose_y),
            turns=slider_float(named(TURNS), own.turns),
            scale=slider_float(named(SCALE), own.scale),
            stretch=slider_float(named(STRETCH), own.stretch),
            shear=slider_float(named(SHEAR), own.shear),
            mirror=checkbox(named(MIRROR), own.mirror),
        )
    if own.own_layer and other is not None:
        own = replace(own, layer=combo(named(LAYER), own.layer if own.layer in _layers(other) else "", _layers(other)))
    if own.own_edits:
        own = _editing(own, state.get(EditActivations), named)
    if own.own_break or own.intact:
        intact = checkbox(named(INTACT), own.intact)
        own = replace(own, intact=intact, own_break=not intact)
    if before == own and not own.intact and not any(getattr(own, field) for _, field, _ in LINKS):
        wrapped_text(NO_OWN)
    state = state.put(own)
    return _breaking(state, number) if own.own_break else state


def _editing(own: OwnValues, first: EditActivations, named: Callable[[Field], Field]) -> OwnValues:
    """The edits of this view alone: they are taken over from the panel Edits, where they are made."""
    wrapped_text(f"Edited: {summary(EditActivations(own.edits).acting) or 'nothing'}")
    if button(named(COPY_EDITS), disabled="" if first.edits != own.edits else "These are the edits of the first view."):
        return replace(own, edits=first.edits)
    beside(NO_EDITS)
    return replace(own, edits=()) if button(named(NO_EDITS), disabled="" if own.edits else "There are none.") else own


def _breaking(state: ViewState, number: int) -> ViewState:
    """What is broken in this view alone: the filters here; the rest can be taken over from the panel Break it."""
    kind, first = OWN_BREAKS[number], state.get(BreakIt)
    window, upsampling, cutoff, copy = (replace(f, id=f"{kind.__name__}.{f.id}") for f in (WINDOW, UPSAMPLING, CUTOFF, COPY_BREAK))
    broken = broken_in(state, number)
    rate = replace(RATE, id=f"{kind.__name__}.{RATE.id}")
    changed = replace(
        broken,
        rate_octaves=choice(rate, broken.rate_octaves, {**RATES, 0: AS_IS}),
        window=combo(window, broken.window, {"": AS_IS, **{name: name for name in WINDOWS}}),
        upsampling=choice(upsampling, broken.upsampling, {0: AS_IS, 1: "1", 2: "2", 4: "4"}),
        cutoff_octaves=slider_float(cutoff, broken.cutoff_octaves),
    )
    wrapped_text(f"Broken: {changed.summary() or 'nothing'}")
    if button(copy, disabled="" if first.on else "Nothing is broken in the first view."):
        changed = first
    return state.put(kind(**vars(changed)))


def _layers(facts: NetworkFacts) -> dict[str, str]:
    """Names as the view stores them; the finished image is ""."""
    return {"": facts.taps[-1].name, **{tap.name: tap.name for tap in facts.taps[:-1]}}
