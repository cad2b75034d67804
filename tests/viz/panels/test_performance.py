"""Timing and capture: summaries, device and kernels, settings, saving."""

from tests.viz.panels.shown import alias_free_facts, frame_of, show, stylegan2_facts
from viz import commands
from viz.gpu.handover import Handover
from viz.panels.performance import gpu_rows, layers_text, summary
from viz.settings import Settings
from viz.state import Device

R = alias_free_facts()


def test_summary():
    assert summary(()) == "—"
    assert summary([0.02] * 10) == "20 ms   p99 20 ms   50 / s"
    assert summary([0.5, 0.5]) == "500 ms   p99 500 ms   2.0 / s"


def test_layers_that_ran():
    assert layers_text(frame_of(R)) == "L8_84_64 … output, 2 of 13"
    assert layers_text(frame_of(R, layers_ran=())) == "none"
    assert layers_text(None) == "—"


def test_device_and_kernels():
    with show("performance", network=stylegan2_facts()) as shown:  # on a card
        shown.ui.choose("Device.device", "cpu")
        shown.ui.choose("Device.backend", "reference")
        shown.ui.click("Device.force_fp32")
        assert shown.state.get(Device) == Device("cpu", force_fp32=True, backend="reference")
        shown.ui.click("Device.reset")
        assert shown.state.get(Device) == Device()
    with show("performance", network=R) as shown:
        assert shown.ui.item("Device.force_fp32").disabled  # the processor computes in 32 bits anyway


def test_the_way_of_a_picture_on_a_gpu():
    card = stylegan2_facts()
    assert gpu_rows(frame_of(R), Handover()) == []  # on the processor there is nothing to say
    rows = gpu_rows(frame_of(card, path="layer by layer; no CUDA graph: out of luck"), Handover(False, "OpenGL runs on llvmpipe"))
    assert rows == [
        ("Picture", "layer by layer", "no CUDA graph: out of luck"),
        ("To the screen", "through pinned memory", "OpenGL runs on llvmpipe"),
    ]
    replayed = frame_of(card, path="replayed as a CUDA graph")
    assert [row[1] for row in gpu_rows(replayed, Handover(True))] == ["replayed as a CUDA graph", "on the GPU"]
    with show("performance", network=card, frame=replayed) as shown:
        assert shown.ui.item("Device.force_fp32")


def test_settings_are_asked_for_not_changed():
    with show("performance", network=R, settings=Settings(fps_limit=50)) as shown:
        shown.ui.set("Settings.fps_limit", 2)
        assert shown.commands == [commands.ChangeSettings((("fps_limit", 5),))]
        shown.commands.clear()
        shown.ui.click("Settings.vsync")
        shown.ui.choose("Settings.font_scale", 1.5)
        shown.ui.set("Settings.capture_folder", "shots")
        changes = {"vsync": False, "font_scale": 1.5, "capture_folder": "shots"}
        assert shown.commands == [commands.ChangeSettings((change,)) for change in changes.items()]


def test_saving():
    with show("performance", network=R) as shown:
        for name in ("picture", "window", "raw", "view"):
            shown.ui.click(f"Capture.{name}")
        assert shown.commands == [commands.CapturePicture(), commands.CaptureWindow(), commands.SaveRaw(), commands.SaveView()]
    with show("performance") as shown:
        assert shown.ui.item("Capture.picture").disabled and shown.ui.item("Capture.raw").disabled
        assert not shown.ui.item("Capture.view").disabled
