"""The application: one window, one state, one renderer. The GUI thread lives here; torch is imported in the render thread only."""

from __future__ import annotations

import dataclasses
import gc
import sys
import time
import traceback
from collections import deque
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gui_utils import layout, toasts
from gui_utils.libraries import imgui
from gui_utils.texture import ByteTexture, Pool
from gui_utils.window import Window, WindowOptions
from networks.loading import catalogue
from viz import chrome, keyboard, playing, settings, undo, workspaces
from viz.canvas.canvas import Canvas
from viz.effects import effects, export as export_effects, figure as figure_effects, latent as latent_effects, opening, saving
from viz.effects.file_dialog import FileDialog
from viz.errors import sentence
from viz.export.film import leave_path
from viz.first_start import choose_text_size
from viz.guide.window import GuideWindow
from viz.history import History
from viz.motion import animate, moving
from viz.network_on_disk import DISK_CHECK_S, NetworkOnDisk
from viz.options import AppOptions
from viz.output import Output
from viz.panel_guard import PanelGuard
from viz.panels import PanelContext, UiTiming, discover
from viz.render_thread import Renderer, RenderThread
from viz.request import Frame
from viz.session import autosave, layout as session_layout
from viz.session.missing_network import MissingNetwork
from viz.session.networks import KnownNetworks
from viz.session.session import Session
from viz.state import MOTION, RENDERED, ViewState
from viz.steady_range import SteadyRange
from viz.told_to_end import told_to_end
from viz.tour import card as tour_card
from viz.tour.tour import Tour

RECENT_FRAMES = 120
TAB_FRAMES = 3  # frames until a tab of another workspace is drawn
LONGEST_STEP_S = 0.1  # after a stall, animation goes on from where it was


class Attached(Protocol):
    """What is at work beside the panels: asked before every frame, closed at the end."""

    def each_frame(self, app: App) -> None: ...
    def draw(self, app: App) -> None: ...
    def close(self) -> None: ...


class App:
    """Draws frames; `step` is one turn of the loop, so tests drive it like the user does."""

    def __init__(self, options: AppOptions, window: Window, renderer: Renderer, loaded_settings: settings.Settings, note: str = "") -> None:
        self.options, self.window, self.renderer, self.settings = options, window, renderer, loaded_settings
        self.state = options.view
        self.history, self.undo_order = History(self.state), undo.Order()
        self.toasts = toasts.Toasts()
        self.panels, self.guard = discover(), PanelGuard(self.toasts)
        self.canvas = Canvas()
        self.good: Frame | None = None  # the last frame with a picture
        self.frame: Frame | None = None  # the newest frame, perhaps an error
        self.help_shown, self.chrome_shown = False, True
        self.tour, self.guide = Tour(offered=options.offer_tour), GuideWindow()
        self.window_capture_due = 0
        self.images = Pool()
        self.figure_job: figure_effects.FigureJob | None = None
        self.output = Output()
        self.attached: list[Attached] = [self.output]
        self.opened = Session()  # what was opened last: its other views and unknown fields are saved with it
        self.networks, self.missing = KnownNetworks(), MissingNetwork()
        thumbnails = latent_effects.read_thumbnails(options.settings_folder, loaded_settings.bookmarks)
        self.context = PanelContext(image=self.image, thumbnails=thumbnails)
        self._settings_saved = loaded_settings
        self.submitted: ViewState | None = None
        self.steady_range = SteadyRange()
        self.requests, self.streaming_until = 0, 0.0  # until when what comes from other programs is one gesture
        self._frame_times: deque[float] = deque(maxlen=RECENT_FRAMES)
        self._render_times: deque[float] = deque(maxlen=RECENT_FRAMES)
        self._last_step = time.perf_counter()
        self.on_disk, self.lent = NetworkOnDisk(), workspaces.Lent()
        self.arrangements = tuple(w.arrangement(self.panels, i) for i, w in enumerate(workspaces.WORKSPACES, start=1))
        self.layout_reset_due = False
        self._front, self._front_frames = "", 0
        self.file_dialog = FileDialog()
        self._catalogue = catalogue()
        if note:
            self.toasts.add("warning", note)
        if options.workspace:
            self.settings = dataclasses.replace(self.settings, workspace=options.workspace)

    # ------------------------------------------------------------------------------------------------ the loop

    def loop(self) -> None:
        """Until the window closes. Sleeps unless something moves, something arrived, or the user did something."""
        while not self.window.should_close:
            self.window.wait(timeout_s=self._until_next_frame())
            self.step()

    def _until_next_frame(self) -> float:
        if not (moving(self.state) or self.context.film.playing):
            return LONGEST_STEP_S if self.toasts.animating else 0.25 if self.renderer.busy else DISK_CHECK_S
        return max(0.0, 1 / self.settings.fps_limit - (time.perf_counter() - self._last_step))

    def step(self, dt: float | None = None) -> None:
        """One frame: look at what arrived, draw, carry out commands, animate, ask for what changed."""
        elapsed = self.begin()
        step_s = min(elapsed, LONGEST_STEP_S) if dt is None else dt
        with self.window.frame():
            self.draw(step_s)
        self._frame_times.append(time.perf_counter() - self._last_step)
        self.finish(step_s)

    def time_no_frames(self) -> None:
        """In a film of the window, how long its own frames take is nobody's business."""
        self._frame_times = deque(maxlen=0)

    def begin(self) -> float:
        """Before a frame: what arrived. Returns the seconds since the last one."""
        now = time.perf_counter()
        elapsed, self._last_step = now - self._last_step, now
        self._receive()
        for each in self.attached:
            each.each_frame(self)
        opening.open_all(self, self.window.take_dropped())
        return elapsed

    def finish(self, dt: float) -> None:
        """After a frame: commands, animation, history, and the next request if the question has changed."""
        self._carry_out()
        self.images.end_frame()
        animated = leave_path(self.state, animate(self.state, dt))
        self.state = playing.played(self, animated, dt)
        undo.observe(self, in_gesture=self._in_gesture())
        if (question := self._question()) != self.submitted:
            self._ask(question)

    def draw(self, dt: float) -> None:
        """Everything on screen; edits the state, emits commands."""
        context = self._context()
        before = self.state
        arrangement = self.arrangement
        if self.chrome_shown:
            chrome.menu_bar(self)
            chrome.status_line(self)
            layout.dock_area(arrangement, self.arrangements, reset=self.layout_reset_due)
            self.layout_reset_due = False
            for panel in (p for p in self.panels if p.title in arrangement.windows):
                with layout.docked_window(arrangement, panel.title) as visible:
                    if visible:
                        self.state = self.guard.draw(panel, self.state, context)
            with layout.picture_window(arrangement, workspaces.PICTURE) as visible:
                if visible:
                    self.state = chrome.picture(self, context)
        else:
            with chrome.whole_window():
                self.state = self.canvas.draw(self.state, context, self.good)
        help_was_shown = self.help_shown
        chrome.help_sheet(self)
        self.guide.draw()
        tour_card.draw(self)
        self.missing.draw(self)
        for each in self.attached:
            each.draw(self)
        self.toasts.draw(dt)
        if imgui.is_key_pressed(imgui.Key.escape, False) and not help_was_shown and not self.toasts.close_newest():
            self.chrome_shown = True  # Esc closes what is open, newest first, and never quits
        self.state = leave_path(before, keyboard.handle(self.state, context))
        self._bring_to_front()
        if self.state is not before:
            self.window.redraw()

    def _carry_out(self) -> None:
        commands, self.context.commands = self.context.commands, []
        for command in commands:
            effects.attempt(self, command)
        if self.window_capture_due:
            self.window_capture_due -= 1
            self.window.redraw()
            if self.window_capture_due == 0:
                effects.guarded(self, "Capture", lambda: saving.saved(self, "Window", lambda: saving.save_window(self)))
        self.file_dialog.poll(self)
        export_effects.poll(self)
        figure_effects.poll(self)

    def _in_gesture(self) -> bool:
        if moving(self.state) or self.context.film.playing or time.monotonic() < self.streaming_until:
            return True
        return imgui.is_any_item_active() or self.canvas.gesture is not None

    @property
    def arrangement(self) -> layout.Arrangement:
        return self.arrangements[min(max(self.settings.workspace, 1), len(self.arrangements)) - 1]

    # ------------------------------------------------------------------------------------------------ requests and frames

    def _question(self) -> ViewState:
        """The part of the state that a frame answers; while something moves, at the brightness that it began with."""
        held = imgui.is_mouse_down(0) and imgui.is_any_item_active()
        held = held or self.canvas.gesture is not None or time.monotonic() < self.streaming_until
        return self.steady_range.of(self.state.only(*RENDERED), self.good, moves=held or moving(self.state))

    def submit(self) -> None:
        self._ask(self._question())

    def _ask(self, question: ViewState) -> None:
        self.submitted = question
        self.requests += 1
        self.renderer.submit(self.submitted)

    def _receive(self) -> None:
        frame = self.renderer.frame
        if frame is None or frame is self.frame:
            return
        previous, self.frame = self.frame, frame
        if frame.timing.stages and (previous is None or frame.request is not previous.request):
            self._render_times.append(frame.timing.total_s)
        if frame.error:
            if previous is None or previous.error is None or previous.error.message != frame.error.message:
                self.toasts.add("error", frame.error.sentences, frame.error.details)
            return
        known = self.good.network if self.good else None
        first_of_network = known is None or not known.same_weights(frame.network)
        self.good = frame
        for text in self.networks.note(frame):
            self.toasts.add("warning", text)
        if first_of_network and frame.network:
            self._network_arrived(frame)

    def _network_arrived(self, frame: Frame) -> None:
        assert frame.network is not None
        self.on_disk.changed = False
        if all(entry.name != frame.network.ref for entry in self._catalogue if entry.kind == "bundled"):
            self.settings = self.settings.with_recent(frame.network.ref)
        self.window.title = f"{frame.network.name} – alias-free visualizer"

    def _context(self) -> PanelContext:
        context = self.context
        context.em = imgui.get_font_size()
        context.frame, context.network = self.frame, self.good.network if self.good else None
        context.progress, context.busy = self.renderer.progress, self.renderer.busy
        context.settings = self.settings
        context.timing = UiTiming(tuple(self._frame_times), tuple(self._render_times))
        context.log = self.toasts.log
        context.changed_on_disk = self.on_disk.look(context.network)
        context.catalogue = self._catalogue
        return context

    # ------------------------------------------------------------------------------------------------ what commands need

    @property
    def capture_folder(self) -> Path:
        return self.options.capture_folder or Path(self.settings.capture_folder)

    def restore(self, view: ViewState) -> None:
        """Shows a saved view. A bare name or a path both work; animations wait for the user."""
        self.state = view.reset(*MOTION)

    def choose_workspace(self, number: int) -> None:
        self.settings = dataclasses.replace(self.settings, workspace=number)
        self.chrome_shown = True

    def show_panel(self, title: str) -> None:
        """Brings a panel to the front of its tabs, in this workspace if it has it, else in another."""
        number = workspaces.with_panel(title, self.arrangements, self.settings.workspace)
        if number != self.settings.workspace:
            self.choose_workspace(number)
        self._front, self._front_frames = title, TAB_FRAMES

    def _bring_to_front(self) -> None:
        if self._front_frames and self.chrome_shown:
            self._front_frames -= 1
            layout.bring_to_front(self.arrangement, self._front)
            self.window.redraw()

    def change_settings(self, **changes: Any) -> None:
        self.settings = dataclasses.replace(self.settings, **changes)
        if "font_scale" in changes:
            self.window.font_scale = self.settings.font_scale
        if "vsync" in changes:
            self.window.set_vsync(on=self.settings.vsync)
        self.save_settings()

    def save_settings(self) -> None:
        if self.options.settings_folder is None:
            return
        try:
            settings.save(self.options.settings_folder / "settings.json", self.settings, self._settings_saved)
            self._settings_saved = self.settings
        except OSError as e:
            self.toasts.add("error", f"Settings were not saved: {sentence(e)}")

    def image(self, name: str, pixels: np.ndarray) -> imgui.ImTextureRef:
        """Shows uint8 [H, W, 3 or 4] under a name; the same array again is not uploaded again."""
        texture = self.images.get(name, ByteTexture)
        texture.show(pixels)
        return texture.ref

    def close(self) -> None:
        self.window.hide()
        jobs = (job for job in (self.context.film.job, self.figure_job) if job is not None)
        closed, deleted = (*self.attached, *jobs, self.renderer), (self.images, self.canvas)
        for end in (self.save_settings, *(each.close for each in closed), *(each.delete for each in deleted)):
            try:
                end()
            except Exception:  # the others are ended all the same
                traceback.print_exc()


def run(options: AppOptions) -> int:
    """Opens the window and stays until it is closed."""
    sys.setswitchinterval(0.0005)  # the render thread's Python must not hold up the window
    first = options.settings_folder is None or not (options.settings_folder / "settings.json").exists()
    loaded, note = settings.load(options.settings_folder / "settings.json") if options.settings_folder else (settings.Settings(), "")
    window_options = WindowOptions(
        size=options.size or (loaded.window_width, loaded.window_height),
        headless=options.headless,
        ini_path=options.settings_folder / "layout.ini" if options.settings_folder else None,
        font_scale=options.font_scale or loaded.font_scale,
        vsync=loaded.vsync,
    )
    remembers = options.settings_folder is not None
    options = dataclasses.replace(options, offer_tour=options.offer_tour or (remembers and loaded.first_start))
    with Window(window_options) as window, told_to_end(window) as told:
        app = App(options, window, RenderThread(window.wake), loaded, note)
        gc.freeze()  # what is there now stays: no need to look at it again
        gc.enable()
        try:
            session_layout.complete(app)
            autosave.attach(app)
            if first and options.font_scale is None and not options.headless:
                choose_text_size(app)
            app.missing.ask(options.missing)
            for text in options.said:
                app.toasts.add("warning", text)
            for path in options.opens:
                opening.open_path(app, path)
            if options.remote_port is not None or options.osc is not None:
                from viz.remote import listening

                listening.attach(app)
            app.loop()
            app.settings = app.settings.with_window(window.plain_size)
        finally:
            app.close()
    return 128 + told[0] if told else 0
