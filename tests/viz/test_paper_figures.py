"""Paper figures: what they show is what was measured, and the three formats hold the same drawing."""

import re
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.viz.test_app import GOLDEN, Running
from viz import cli
from viz.cli.edits import editing
from viz.commands import MakeFigure
from viz.effects.figure import MENU
from viz.errors import CommandError
from viz.export import film_file
from viz.figures.chart import COLORS, Curve, Place, Scales, chart
from viz.figures.drawing import Box, Drawing, Line, Picture, Text
from viz.figures.drawing_file import helvetica_width, pdf, png, save, svg
from viz.figures.figure import Axis
from viz.figures.paper import FIGURES, Recipe
from viz.panels.spectrum_math import radial_profile
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.state import BreakIt, Latent, OwnLatent, Pose, Source, Spectrum, Tap, ViewState

TINY_R = ViewState().put(Source(str(GOLDEN / "tiny_r.pkl")))
TINY_SG2 = ViewState().put(Source(str(GOLDEN / "tiny_sg2.pkl")))
DEADLINE_S = 120


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline(headless=True)


def texts(drawing):
    return [item.text for item in drawing.items if isinstance(item, Text)]


def pictures(drawing):
    return [item for item in drawing.items if isinstance(item, Picture)]


@pytest.fixture(scope="module")
def drawings(pipeline):
    return {name: build(Recipe(TINY_R.edit(Latent, x=3.0), pipeline, 8)) for name, (_, build) in FIGURES.items()}


def test_the_line_below_says_pose_and_what_is_broken_or_edited(pipeline):
    view = editing("L2:1:gain=0").applied(TINY_R.edit(Latent, x=2.5).edit(Pose, turns=0.1).edit(BreakIt, upsampling=1))
    title = FIGURES["layers"][1](Recipe(view, pipeline)).title
    assert "latent (2.5, 0), turned 36" in title and "m = 1 in all layers" in title and "L2" in title
    assert "moved (0.094, −0.031) widths" in FIGURES["layers"][1](Recipe(TINY_R.put(Pose(0.1, -0.04, snap=True)), pipeline)).title
    assert "latent" not in FIGURES["fig4c"][1](Recipe(view, pipeline)).title
    whole, broken = (pictures(FIGURES["layers"][1](Recipe(each, pipeline)))[-1].pixels for each in (view.reset(BreakIt), view))
    assert not np.array_equal(whole, broken)


def test_the_spectra_of_all_layers_are_those_of_the_window(pipeline, drawings):
    view = TINY_R.edit(Latent, x=3.0).edit(Tap, layer="L1_36_16").edit(Spectrum, on=True)
    found = pipeline.render(RenderRequest(1, view)).spectrum
    radii, power = radial_profile(found)
    curves = [item for item in drawings["layer-spectra"].items if isinstance(item, Line) and item.color == COLORS[0]]
    curve = np.array(curves[2].points)  # after the input and L0
    assert len(curve) == len(radii) and np.ptp(curve[:, 0]) == pytest.approx(88)
    levels = 10 * np.log10(power / found.mean_power)
    assert np.corrcoef(curve[:, 1], -levels)[0, 1] > 0.999999


def test_a_walk_leaves_a_latent_out_of_a_file(pipeline, tmp_path):
    np.save(tmp_path / "w.npy", np.zeros((1, 16), np.float32))
    view = TINY_R.edit(Latent, x=3.0)
    walks = [pictures(FIGURES["fig1-right"][1](Recipe(each, pipeline, 8))) for each in (view, view.put(OwnLatent(str(tmp_path / "w.npy"))))]
    assert np.array_equal(walks[0][0].pixels, walks[1][0].pixels)


@pytest.mark.parametrize("name", FIGURES)
def test_everything_lies_on_the_page_and_says_what_it_is(drawings, name):
    drawing = drawings[name]
    assert "tiny_r (config R, 32 px)" in drawing.title and drawing.title in texts(drawing)
    assert ("seed 3" in drawing.title) == (name in ("fig1-left", "fig1-right", "layers", "layer-spectra"))
    for item in drawing.items:
        if isinstance(item, Box | Picture):
            assert item.x >= 0 and item.y >= 0 and item.x + item.width <= drawing.width and item.y + item.height <= drawing.height
        elif isinstance(item, Line):
            assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in item.points)
        elif not item.upright:
            start = {"start": 0, "middle": 0.5, "end": 1}[item.anchor] * helvetica_width(item.text) * item.size
            assert item.x - start >= 0 and item.x - start + helvetica_width(item.text) * item.size <= drawing.width, item.text
    axes = {
        "fig1-left": "image widths",
        "fig1-right": "image widths",
        "fig4a": "dB",
        "fig4c": "cycles per image",
        "fig6": "dB over white noise",
        "layer-spectra": "dB, mean over circles",
    }
    assert name == "layers" or axes[name] in texts(drawing)


def test_the_average_is_that_of_the_overlay(drawings, pipeline):
    picture, mean, share, colors = (item.pixels for item in pictures(drawings["fig1-left"]))
    assert picture.shape == mean.shape == share.shape == (32, 32, 3) and colors.shape == (257, 1, 3)
    assert not np.array_equal(picture, mean) and np.abs(picture.astype(int) - mean).mean() < 40
    assert any("detail kept: " in text and text.endswith(" %") for text in texts(drawings["fig1-left"]))


def test_the_walk_has_a_column_for_every_picture(drawings):
    (strip,) = pictures(drawings["fig1-right"])
    assert strip.pixels.shape[1] == 8 and not np.array_equal(strip.pixels[:, 0], strip.pixels[:, -1])


def test_the_layers_are_all_there(drawings, pipeline):
    frame = Recipe(TINY_R, pipeline).frame(TINY_R)
    assert len(pictures(drawings["layers"])) == len(frame.network.taps)
    assert {tap.name for tap in frame.network.taps} <= set(texts(drawings["layers"]))


def test_the_filters_are_those_of_the_layer_on_screen(pipeline):
    layer = next(tap.name for tap in Recipe(TINY_R, pipeline).frame(TINY_R).network.taps if tap.name.startswith("L3"))
    drawing = FIGURES["fig4a"][1](Recipe(TINY_R.put(Tap(layer=layer)), pipeline))
    assert any(text.startswith(f"{layer}, up: ") for text in texts(drawing))


@pytest.mark.parametrize("name", ["fig4a", "fig4c"])
def test_stylegan2_has_no_designed_filters(pipeline, name):
    with pytest.raises(CommandError, match="no designed filters"):
        FIGURES[name][1](Recipe(TINY_SG2, pipeline))


def test_a_curve_goes_where_its_axes_say():
    place, x = Place(100, 50, 200, 100), np.array([0.0, 1.0, 2.0, 3.0])
    scales = Scales(Axis("s", 0.0, 4.0), Axis("dB", -10.0, 10.0))
    items = chart(place, scales, [Curve("a", x, np.array([0.0, 10.0, np.nan, -99.0]), (9, 9, 9))])
    (line,) = [item for item in items if isinstance(item, Line) and item.color == (9, 9, 9)]
    assert line.points == ((100.0, 100.0), (150.0, 50.0))  # not a number ends it; y counts downwards


# ------------------------------------------------------------------------------------------------------------ files

SMALL = Drawing(
    200, 100,
    (
        Box(10, 10, 50, 30, (255, 0, 0), None),
        Line(((20, 80), (180, 80)), (0, 0, 255), 2),
        Picture(100, 10, 40, 40, np.array([[[0, 255, 0], [255, 255, 0]]] * 2, np.uint8)),
        Text(10, 60, "a < b (−3 dB)", 10),
        Text(190, 90, "up", 10, "end", True),
    ),
    "a & b",
)  # fmt: skip


def test_svg_holds_the_items_as_what_they_are():
    root = ET.fromstring(svg(SMALL, '{"a": "<"}', "draw"))
    kinds = [element.tag.split("}")[1] for element in root]
    assert kinds == ["title", "metadata", "rect", "rect", "polyline", "image", "text", "text"]
    assert root[0].text == "a & b" and root[6].text == "a < b (−3 dB)" and root[1].text == '{"command": "draw", "session": {"a": "<"}}'
    assert root[4].get("points") == "20.00,80.00 180.00,80.00" and "rotate(-90" in root[7].get("transform")


def test_png_has_the_colours_where_they_belong():
    import io

    pixels = np.asarray(Image.open(io.BytesIO(png(SMALL))))
    assert pixels.shape == (200, 400, 3)
    assert pixels[40, 60].tolist() == [255, 0, 0] and pixels[160, 200].tolist() == [0, 0, 255]
    assert pixels[60, 220].tolist() == [0, 255, 0] and pixels[60, 260].tolist() == [255, 255, 0]
    assert pixels[100:125, 20:140].min() < 60 and pixels[180:200, 360:390].min() < 99  # both texts


def test_pdf_is_complete_and_its_table_points_at_its_objects():
    data = pdf(SMALL)
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", data).group(1))
    offsets = [int(m) for m in re.findall(rb"^(\d{10}) 00000 n", data[start:], re.M)]
    assert data[start:].startswith(b"xref") and len(offsets) == 7
    for number, offset in enumerate(offsets, start=1):
        assert data[offset:].startswith(f"{number} 0 obj\n".encode())
    length, content = re.search(rb"/Filter /FlateDecode /Length (\d+) >>\nstream\n", data), data
    page = zlib.decompress(content[length.end() : length.end() + int(length.group(1))]).decode("cp1252")
    assert "20.00 20.00 m 180.00 20.00 l S" in page  # y counts from below
    assert "(a < b \\(-3 dB\\)) Tj" in page and "/P0 Do" in page and "0 1 -1 0" in page


def test_another_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.svg, \.pdf, \.png"):
        save(tmp_path / "a.jpg", SMALL)


# -------------------------------------------------------------------------------------- command line and window


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_the_command_writes_every_format(tmp_path, suffix):
    out = tmp_path / f"a{suffix}"
    assert cli.run(["figure", "fig4c", "--network", str(GOLDEN / "tiny_r.pkl"), "--out", str(out)]) == 0
    assert out.read_bytes()[:4] in (b"<svg", b"%PDF", b"\x89PNG")
    if suffix == ".png":
        assert film_file.read(out).views[0].get(Source).network.endswith("tiny_r.pkl")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fig6", "--out", "a.txt"), "ends in .txt"),
        (("fig4a", "--out", "a.svg", "--layer", "L99"), "--layer L99"),
        (("fig6", "--out", "a.svg", "--num", "1"), "at least 2"),
        (("fig4a", "--out", "a.svg", "--set", "Tap.layer=L99"), "--layer L99 is not a layer"),
        (("layers", "--out", "a.svg", "--break", "L99:m=1"), "there is no layer L99 to break"),
        (("fig1-left", "--out", "a.svg", "--set", "Noise.mode=none"), "no noise inputs"),
        (("fig6", "--out", "none/a.svg"), "does not exist"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["figure", *arguments, "--network", str(GOLDEN / "tiny_r.pkl")]) == 1
    assert said in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_figure_does_not_say_that_a_network_without_a_grid_was_moved(pipeline, capsys, tmp_path):
    moved = TINY_SG2.edit(Pose, x=0.3)
    assert FIGURES["layers"][1](Recipe(moved, pipeline)).title == FIGURES["layers"][1](Recipe(TINY_SG2, pipeline)).title
    words = ["figure", "layers", "--out", str(tmp_path / "a.svg")]
    assert cli.run([*words, "--network", str(GOLDEN / "tiny_sg2.pkl"), "--set", "Pose.x=0.3"]) == 1
    assert "no input grid" in capsys.readouterr().err and not list(tmp_path.iterdir())
    (tmp_path / "v.json").write_text(moved.to_json())  # as it was saved, perhaps with another network
    assert cli.run([*words, "--view", str(tmp_path / "v.json")]) == 0
    said = capsys.readouterr()
    assert "no input grid" in said.err and "moved" not in said.out


def test_the_menu_has_every_figure():
    assert [name for _, name in MENU] == list(FIGURES)


@pytest.mark.window
def test_one_click_makes_a_figure_of_what_is_on_screen(tmp_path):
    running = Running(tmp_path)
    try:
        for name, ending, made in (("layers", ".svg", True), ("fig4a", ".pdf", True)):
            running.app.context.emit(MakeFigure(name, ending))
            running.ui.frames(2)
            if (job := running.app.figure_job) is not None:
                assert job.join(DEADLINE_S)
                running.ui.frames(2)
            assert running.app.figure_job is None and made
            assert "Figure saved" in running.app.toasts.log.entries[-1].text
        assert sorted(p.suffix for p in Path(tmp_path / "captures").iterdir()) == [".pdf", ".svg"]
        running.window.drop([GOLDEN / "tiny_sg2.pkl"])
        running.ui.frames(3)
        running.app.context.emit(MakeFigure("fig4c", ".svg"))
        running.ui.frames(2)
        if (job := running.app.figure_job) is not None:
            assert job.join(DEADLINE_S)
            running.ui.frames(2)
        assert "no designed filters" in running.app.toasts.log.entries[-1].text
    finally:
        running.close()


@pytest.mark.window
def test_a_figure_that_cannot_be_written_says_why_without_the_systems_number(tmp_path, monkeypatch):
    from viz.figures import job

    monkeypatch.setattr(job, "build", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device", "figure.svg")))
    made = job.FigureJob("layers", ViewState(), tmp_path / "figure.svg", lambda: None)
    assert made.join(DEADLINE_S) and made.error == "The figure was not made: figure.svg: No space left on device"
