"""Panel "Compare": up to three views beside the first, what each has for itself, how they are laid out, and how far they are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gui_utils.controls import Field, button, checkbox, choice, combo, section, slider_float, text_input
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import table_scope, tooltip_scope
from gui_utils.text import MISSING, duration_text, number_text
from viz.compare.compare import MODE_NAMES, chosen, others, own_values, shows_the_same, swapped, without
from viz.compare.pairs import PRESETS, SAME_NETWORK, Choice, toggled, with_next
from viz.compare.scenes import SENTENCES
from viz.groups.compare import NAMES, OTHERS, OWN_BREAKS
from viz.panels import Panel, PanelContext
from viz.panels.compare_own import links, values
from viz.panels.parts import cached, reset_button, unit_note, wrapped_text
from viz.request import Beside, Frame
from viz.state import Compare, CompareView, Source, ViewState

ON = Field("Compare", "Compare.on", "Shows further views beside this one, driven by the same latent, pose, layer and cursor. V does the "
           "same. It begins with the bundled sibling of the network, where there is one.", default=False)  # fmt: skip
SWAP = Field(f"{icons.ICON_FA_RIGHT_LEFT} Swap", "Compare.swap", "The first view and the chosen one change places.")
ADD = Field(f"{icons.ICON_FA_PLUS} Add a view", "Compare.add", "One more view, up to four: a sibling of the networks on show, or a copy of "
            "the last view, to be changed.")  # fmt: skip
REMOVE = Field(icons.ICON_FA_XMARK, "Compare.remove", "Removes the {which} view; those after it move up.")
CHOSEN = Field("", "CompareView.other", "The view whose own values are below, and that wipe, flip, difference and Swap act with, together "
               "with the first. Shift+X goes on to the next.", default=2)  # fmt: skip
NETWORK = Field("Network", "network", "A file, an address or a name; empty: the same network.", default="")
CHOOSE = Field("", "choose", "Bundled and recent networks.")
MODE = Field("", "CompareView.mode", "Side by side; a divider to drag; one in place of the other (hold X for the other one); or the "
             "chosen view minus first. Shift+V goes on to the next.", default="side")  # fmt: skip
COLUMNS = Field("Columns", "CompareView.columns", "Views in a row; auto makes them as large as the window allows (in files: one "
                "row, and two by two for four).", default=0)  # fmt: skip
SECOND = Field("Other view", "CompareView.second", "Shows the chosen view in place of the first. Hold X for the other one.", default=False)
GAIN = Field("Gain", "CompareView.gain_db", "Gain of the difference; zero is mid-grey.", "dB", default=0.0, low=-20, high=80, decimals=1)
CAPTIONS = Field("Captions", "CompareView.captions", "Saved pictures say below which network is which, how far they are apart, the seed "
                 "and the pose. Films and values go without.", default=False)  # fmt: skip
PSNR = "PSNR"
RESET = Field("Reset", "Compare.reset", "Closes all other views.")
KINDS: tuple[type, ...] = (*OTHERS.values(), *OWN_BREAKS.values(), CompareView)
OFF = "Shows up to three views beside this one, of the same latent, pose and layer. V begins, or the box above, or a pair of networks here."
ONE_STEP = "Only the difference has a gain of its own."
FOUR = "There are four views already."
SAME = "This view shows what the first one shows. Choose another network above, or:"


def draw(state: ViewState, context: PanelContext) -> ViewState:
    if checkbox(ON, state.get(Compare).on) != state.get(Compare).on:
        state = toggled(state, context.catalogue)
    imgui.same_line(0, imgui.get_font_size())
    state = reset_button(state, RESET, *KINDS)
    state = _choices(state, context, PRESETS)
    if not state.get(Compare).on:
        wrapped_text(OFF)
        return state
    found = context.frame.others if context.frame else {}
    state = _views(state, context, found)
    number = chosen(state)
    state = _network(state, context, number)
    if shows_the_same(state, number):
        wrapped_text(SAME, dim=False)
        state = _choices(state, context, SAME_NETWORK)
    state = _layout(state)
    state = state.edit(CompareView, captions=checkbox(CAPTIONS, state.get(CompareView).captions))
    with section("Linked with the first") as opened:
        if opened:
            state = links(state, others(state), found)
    with section(f"Its own: the {NAMES[chosen(state)].lower()} view###own") as opened:
        if opened:
            state = values(state, chosen(state), _network_of(found, chosen(state)))
    _facts(found.get(number))
    return state


def _network_of(found: Mapping[int, Beside], number: int):
    return found[number].frame.network if number in found else None


def _choices(state: ViewState, context: PanelContext, choices: Sequence[Choice]) -> ViewState:
    """Buttons, as many in a row as fit."""
    right = imgui.get_cursor_screen_pos().x + imgui.get_content_region_avail().x
    style = imgui.get_style()
    for i, each in enumerate(choices):
        width = imgui.calc_text_size(each.label).x + 2 * style.frame_padding.x
        if i and imgui.get_item_rect_max().x + style.item_spacing.x + width <= right:
            imgui.same_line()
        after = cached(context, f"compare.{each.id}", state, lambda each=each, state=state: each.apply(state, context.catalogue))
        if button(Field(each.label, f"Compare.{each.id}", each.help), disabled="" if after is not None else each.missing) and after:
            state = after
    return state


def _views(state: ViewState, context: PanelContext, found: Mapping[int, Beside]) -> ViewState:
    """All views with their networks and distances; one of those beside the first is the chosen one."""
    with table_scope("views", 4, imgui.TableFlags_.sizing_fixed_fit.value | imgui.TableFlags_.row_bg.value) as visible:
        if visible:
            distance = found[chosen(state)].unit if chosen(state) in found else PSNR
            for name in ("view", "network", distance if distance == PSNR else "S / D", "##remove"):
                imgui.table_setup_column(name, imgui.TableColumnFlags_.width_stretch.value if name == "network" else 0)
            imgui.table_headers_row()
            _cells("First", _shown_name(context.frame, state.get(Source).network), "")
            number = chosen(state)
            for each in others(state):
                imgui.table_next_row()
                imgui.table_next_column()
                if choice(replace(CHOSEN, help=CHOSEN.help), number, {each: NAMES[each]}) == each and each != number:
                    state = state.edit(CompareView, other=each)
                beside = found.get(each)
                imgui.table_next_column()
                _text(_shown_name(beside.frame if beside else None, own_values(state, each).network or state.get(Source).network))
                imgui.table_next_column()
                _distance(beside)
                imgui.table_next_column()
                which = NAMES[each].lower()
                if button(replace(REMOVE, id=f"Compare.remove.{each}", help=REMOVE.help.format(which=which))):
                    return without(state, each)
    if button(ADD, disabled=FOUR if len(others(state)) == len(OTHERS) else ""):
        state = with_next(state, context.catalogue)
    imgui.same_line()
    if button(SWAP):
        state = swapped(state, context.network, _network_of(found, chosen(state)), chosen(state))
    return state


def _cells(*texts: str) -> None:
    imgui.table_next_row()
    for text in texts:
        imgui.table_next_column()
        _text(text)


def _text(text: str) -> None:
    imgui.align_text_to_frame_padding()
    imgui.text_unformatted(text)


def _distance(beside: Beside | None) -> None:
    """Grey where the two do not show one scene; the tooltip says why."""
    if beside is None or beside.difference is None or not beside.apart:
        _text(number_text(beside.db, "dB", 1) if beside and beside.difference is not None else MISSING)
        return
    unit_note(number_text(beside.db, "dB", 1))
    with tooltip_scope() as shown:
        if shown:
            imgui.text_unformatted(SENTENCES[beside.apart])


def _shown_name(frame: Frame | None, ref: str) -> str:
    facts = frame.network if frame else None
    return f"{facts.config_name} · {facts.name}" if facts is not None else _short(ref)


def _short(ref: str) -> str:
    return ref.replace("\\", "/").rsplit("/", 1)[-1]


def _network(state: ViewState, context: PanelContext, number: int) -> ViewState:
    kind, own = OTHERS[number], own_values(state, number)
    network = replace(NETWORK, id=f"{kind.__name__}.{NETWORK.id}")
    ref = text_input(network, own.network, hint="the same network").strip()
    known = {"": "the same network", **{e.name: f"{e.name} ({e.config})" for e in context.catalogue if e.kind == "bundled"}}
    known |= {recent: _short(recent) for recent in context.settings.recent}
    known |= {ref: _short(ref)} if ref not in known else {}
    imgui.set_next_item_width(-1)
    ref = combo(replace(CHOOSE, id=f"{kind.__name__}.{CHOOSE.id}"), ref, known)
    return state if ref == own.network else state.edit(kind, network=ref, sha256="")


def _layout(state: ViewState) -> ViewState:
    shown = state.get(CompareView)
    mode = choice(replace(MODE, label="Layout"), shown.mode, dict(list(MODE_NAMES.items())[:2]))
    mode = choice(replace(MODE, label=" "), mode, dict(list(MODE_NAMES.items())[2:]))
    state = state.edit(CompareView, mode=mode)
    if mode == "side":
        count = 1 + len(others(state))
        names = {0: "auto", **{n: str(n) for n in range(1, count + 1)}}
        return state.edit(CompareView, columns=combo(COLUMNS, min(shown.columns, count), names))
    if mode == "flip":
        return state.edit(CompareView, second=checkbox(SECOND, shown.second))
    return state.edit(CompareView, gain_db=slider_float(GAIN, shown.gain_db, disabled="" if mode == "difference" else ONE_STEP))


def _facts(beside: Beside | None) -> None:
    """Why there is no difference, what could not be shared, and what the picture beside took."""
    if beside is None:
        return
    for note in (beside.reason, *beside.notes, SENTENCES.get(beside.apart, "")):
        if note:
            wrapped_text(note)
    if beside.frame.timing.stages:
        wrapped_text(f"this view: {duration_text(beside.frame.timing.total_s)}")


PANEL = Panel("Compare", "left", 45, draw, workspaces=(6,))
