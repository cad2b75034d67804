"""Films of a measurement, of the slice, of Figure 1, of values and of the whole window; resumed, and the same bytes from themselves."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gui_utils.tone import colormap_table
from tests.viz.test_export import FILM, TINY_R, pngs, stop_after
from tests.viz.test_exr_file import decoded
from viz import cli
from viz.export import exr_file, film_file
from viz.export.encoders import ExportError
from viz.export.export import export
from viz.export.options import ExportOptions
from viz.export.overlay_picture import overlaid
from viz.export.picture import linear
from viz.groups.groups import Equivariance, Flow, OverlayView, Slice, Sticking
from viz.pipeline import Pipeline
from viz.request import OverlayArrows, OverlayImage, RenderRequest
from viz.session.session import Session
from viz.state import Compare, CompareView, Pose, Tap
from viz.timeline import paths
from viz.timeline.timeline import Keyframe

NUM = 3


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline(headless=True)


def film(view, seconds=0.2, path="rotate"):
    return Session((view,), paths.ready_made(path, view, seconds, 10))


def measured(pipeline, view, name):
    frame = pipeline.render(RenderRequest(0, view))
    for refined in pipeline.refine(frame):
        frame = refined
    return frame.overlays[name.partition(".")[0]].images[name]


LEVEL = TINY_R.edit(Equivariance, on=True).edit(OverlayView, image="equivariance.signed", opacity=1.0)


def test_a_measurement_hides_the_picture_as_far_as_it_is_opaque(tmp_path, pipeline):
    from viz.canvas.overlay_tone import pixels_of

    shown = film(LEVEL.edit(Pose, x=0.03))
    export(shown, ExportOptions(tmp_path / "a", what="overlay"), pipeline=pipeline)
    image = measured(pipeline, shown.timeline.at(0.0), "equivariance.signed")
    assert image.mask is not None and image.values.shape[:2] == (32, 32)
    there = image.mask[..., None] if image.mask.ndim == 2 else image.mask
    inside = np.zeros((32, 32, 1), bool)
    inside[8:24, 8:24] = True  # its border is softened
    assert np.array_equal((pngs(tmp_path / "a")[0] * (there & inside)), pixels_of(image) * (there & inside))
    export(shown.edit_views(OverlayView, opacity=0.0), ExportOptions(tmp_path / "b", what="overlay"), pipeline=pipeline)
    export(shown, ExportOptions(tmp_path / "c"), pipeline=pipeline)
    assert np.array_equal(pngs(tmp_path / "b"), pngs(tmp_path / "c")) and (pngs(tmp_path / "a")[0] != pngs(tmp_path / "b")[0]).any()


def test_a_measurement_lies_over_the_first_view_wherever_that_stands_in_the_frame(tmp_path, pipeline):
    """Side by side it stands at the upper left; before the comparison begins, in the middle of a frame that has room for two."""
    alone = film(LEVEL.edit(Pose, x=0.03))
    second = alone.timeline.at(0.1).edit(Compare, on=True).edit(CompareView, mode="side")
    frames = (Keyframe(0.0, alone.timeline.at(0.0)), Keyframe(0.1, second), Keyframe(0.2, second))
    shown = replace(alone, timeline=replace(alone.timeline, keyframes=frames))
    for name, what, session in (("alone", "overlay", alone), ("plain", "picture", shown), ("over", "overlay", shown)):
        export(session, ExportOptions(tmp_path / name, what=what, size=2), pipeline=pipeline)
    expected, plain, over = (pngs(tmp_path / name) for name in ("alone", "plain", "over"))
    assert over[0].shape == (64, 132, 3) and len(over) == 2
    middle, corner = np.s_[:, 34:98], np.s_[:, :64]
    for i, here in ((0, middle), (1, corner)):
        assert np.array_equal(over[i][here], expected[i]) and (over[i][here] != plain[i][here]).any()
        rest = plain[i].copy()
        rest[here] = over[i][here]
        assert np.array_equal(over[i], rest)


def test_where_there_is_nothing_to_measure_the_picture_stands_alone(tmp_path, pipeline):
    shown = film(LEVEL.edit(Pose, x=0.0))  # its first frame is not moved: it has no error
    export(shown, ExportOptions(tmp_path / "a", what="overlay"), pipeline=pipeline)
    export(shown, ExportOptions(tmp_path / "b"), pipeline=pipeline)
    (first, second), (plain, other) = pngs(tmp_path / "a"), pngs(tmp_path / "b")
    assert np.array_equal(first, plain) and (second != other).any()


def test_arrows_are_drawn_over_the_picture_and_the_scale_where_it_can_be_read(tmp_path, pipeline):
    shown = film(TINY_R.edit(Flow, on=True, num=2).edit(OverlayView, image="flow.arrows"), 0.1)
    export(shown, ExportOptions(tmp_path / "a", what="overlay", size=10), pipeline=pipeline)
    export(shown, ExportOptions(tmp_path / "b", size=10), pipeline=pipeline)
    changed = (pngs(tmp_path / "a")[0] != pngs(tmp_path / "b")[0]).any(axis=2)
    assert 0.01 < changed[:280].mean() < 0.5 and changed[290:, :100].mean() > 0.5  # arrows above, the scale at the lower left


def test_what_did_not_move_is_a_dot_in_the_colour_of_its_share_beside_the_arrow_of_what_was_expected():
    places = [np.array([values], np.float32) for values in ([-0.2, 0.1], [0.0, 0.0], [0.3, 0.0])]
    arrows = OverlayArrows(*places, shares=np.ones(1))
    image = OverlayImage("arrows", np.zeros((0, 0), np.float32), (0, 0, 1, 1), colormap="viridis", arrows=arrows)
    grey = np.full((400, 400, 3), 128, np.uint8)
    shown = overlaid(grey, image, OverlayView(), (-0.5, -0.5, 0.5, 0.5), scale=False).astype(int)
    left, top = 120, 240  # 0.2 to the left of the middle, and 0.1 below it
    assert np.abs(shown[top, left] - 255 * colormap_table("viridis")[-1]).max() <= 2
    changed = np.argwhere((shown != 128).any(axis=2))
    assert changed[:, 1].min() > left - 20 and 230 < changed[:, 1].max() <= 245  # the expected arrow ends at 240
    assert np.abs(changed[:, 0] - top).max() < 20 and (shown[top, 180] != 128).all()


def test_what_is_not_measured_is_said_at_the_first_frame(tmp_path, pipeline):
    with pytest.raises(ExportError, match="no measurement lies over the picture"):
        export(FILM, ExportOptions(tmp_path / "a", what="overlay"), pipeline=pipeline)
    with pytest.raises(ExportError, match=r"there is .*flow\.arrows"):
        shown = film(TINY_R.edit(Flow, on=True, num=2).edit(OverlayView, image="flow.none"), 0.1)
        export(shown, ExportOptions(tmp_path / "b", what="overlay"), pipeline=pipeline)


def test_the_slice_grows_by_the_line_of_every_frame_also_when_it_is_resumed(tmp_path, pipeline):
    shown = film(TINY_R.edit(Slice, on=True), 0.4)
    progress, cancelled = stop_after(2)
    options = ExportOptions(tmp_path / "a", what="slice", frames="exr")
    export(shown, options, pipeline=pipeline, progress=progress, cancelled=cancelled)
    assert export(shown, options, pipeline=pipeline).rendered == 2
    whole = decoded(tmp_path / "a" / "00003.exr")
    assert whole.shape == (10, 4, 3) and np.isfinite(whole).all()
    assert np.isnan(decoded(tmp_path / "a" / "00001.exr")[:, 2:]).all()
    from viz.analysis.slice import ScanLine

    for i in range(4):
        picture = pipeline.render(RenderRequest(0, shown.timeline.at(i / 10))).picture
        assert np.array_equal(whole[:, i], ScanLine().read(picture.values))


def test_figure_1_in_motion_shows_picture_mean_and_slice(tmp_path, pipeline):
    shown = film(TINY_R.edit(Sticking, num=NUM), 0.3, "sticking")
    export(shown, ExportOptions(tmp_path / "a", what="cinema", size=4), pipeline=pipeline)
    page = pngs(tmp_path / "a")[2]
    gap, head, side = 4, 12, 128
    assert page.shape == (side + 64 + 3 * gap + 2 * head, 2 * side + 3 * gap, 3)
    left, right = (page[gap + head :, x : x + side][:side] for x in (gap, 2 * gap + side))
    assert (left != right).mean() > 0.1 and page[:head].max() > 150  # the words above
    strip = page[gap * 2 + head * 2 + side :, gap:-gap][:64].astype(int)
    assert strip[:, -1].std() > 0 and np.ptp(pngs(tmp_path / "a")[0][-60:-gap, -60:-gap]) == 0  # full at the end, empty at first
    with pytest.raises(ExportError, match=r"colours only \(Sticking"):
        export(shown, ExportOptions(tmp_path / "b", what="cinema", frames="exr"), pipeline=pipeline)


def test_a_difference_that_cannot_be_is_one_sentence(tmp_path, pipeline):
    shown = film(TINY_R.put(Compare(on=True, own_layer=True, layer="L0_36_16")).put(CompareView("difference")))
    with pytest.raises(ExportError, match=r"[a-z]\. Nothing was kept\.$"):
        export(shown, ExportOptions(tmp_path / "a"), pipeline=pipeline)


def test_values_are_linear_light_of_the_picture_and_as_computed_of_a_layer(tmp_path, pipeline):
    export(FILM, ExportOptions(tmp_path / "a", frames="exr"), pipeline=pipeline)
    raw = pipeline.render(RenderRequest(0, FILM.timeline.at(0.0))).raw.transpose(1, 2, 0)
    assert np.array_equal(decoded(tmp_path / "a" / "00000.exr"), linear((raw + 1) / 2))
    texts = exr_file.read_texts(tmp_path / "a" / "00000.exr")
    assert texts["aliasfree-values"].startswith("linear light") and "--frames exr" in texts["aliasfree-command"]
    assert film_file.read(tmp_path / "a" / "00000.exr").timeline == film_file.read(tmp_path / "a").timeline
    name = pipeline.render(RenderRequest(0, TINY_R)).network.taps[2].name
    layer = FILM.edit_views(Tap, layer=name)
    export(layer, ExportOptions(tmp_path / "b", frames="exr"), pipeline=pipeline)
    values = pipeline.render(RenderRequest(0, layer.timeline.at(0.0))).picture.values
    assert np.array_equal(decoded(tmp_path / "b" / "00000.exr"), values)
    assert exr_file.read_texts(tmp_path / "b" / "00000.exr")["aliasfree-values"] == "as computed"


def test_values_of_a_measurement_have_no_number_where_nothing_was_measured(tmp_path, pipeline):
    shown = film(LEVEL.edit(Pose, x=0.03), 0.1)
    image = measured(pipeline, shown.timeline.at(0.0), "equivariance.signed")
    for size in (1, 2):
        export(shown, ExportOptions(tmp_path / str(size), size, what="overlay", frames="exr"), pipeline=pipeline)
        values = decoded(tmp_path / str(size) / "00000.exr").squeeze()
        assert values.shape == (32 * size, 32 * size)
        if size == 1:
            assert np.array_equal(values, np.where(image.mask, image.values, np.nan), equal_nan=True) and np.isnan(values).any()
        else:
            assert np.nanmean(values[16:48, 16:48]) == pytest.approx(image.values[8:24, 8:24].mean(), abs=0.02)
    assert exr_file.read_texts(tmp_path / "1" / "00000.exr")["aliasfree-values"] == image.label
    export(film(LEVEL.edit(Pose, x=0.0)), ExportOptions(tmp_path / "c", what="overlay", frames="exr"), pipeline=pipeline)
    first, second = (decoded(tmp_path / "c" / f"0000{i}.exr").squeeze() for i in range(2))  # only the second is moved
    assert first.shape == second.shape == (32, 32) and np.isnan(first).all() and np.isfinite(second).any()
    arrows = film(TINY_R.edit(Flow, on=True, num=2).edit(OverlayView, image="flow.arrows"), 0.1)
    with pytest.raises(ExportError, match="no measurement with values"):
        export(arrows, ExportOptions(tmp_path / "b", what="overlay", frames="exr"), pipeline=pipeline)


def test_a_stopped_sequence_of_values_goes_on(tmp_path, pipeline):
    progress, cancelled = stop_after(2)
    options = ExportOptions(tmp_path / "a", frames="exr")
    export(FILM, options, pipeline=pipeline, progress=progress, cancelled=cancelled)
    assert export(FILM, options, pipeline=pipeline).rendered == 3
    with pytest.raises(ExportError, match="another export"):
        export(FILM, ExportOptions(tmp_path / "a"), pipeline=pipeline)  # not PNGs among them


@pytest.mark.window
def test_the_whole_window_is_filmed_and_gives_the_same_pixels_from_its_own_file(tmp_path, pipeline):
    shown = film(TINY_R.edit(Slice, on=True), 0.2)
    options = ExportOptions(tmp_path / "a.gif", what="window", window=(800, 500))
    export(shown, ExportOptions(tmp_path / "f", what="window", window=(800, 500)), pipeline=Pipeline(headless=True))
    frames = pngs(tmp_path / "f")
    assert [f.shape for f in frames] == [(500, 800, 3)] * 2
    assert 0.005 < (frames[0] != frames[1]).any(axis=2).mean() < 0.5  # the picture turned, the panels stayed
    export(
        film_file.read(tmp_path / "f"), ExportOptions(tmp_path / "g", what="window", window=(800, 500)), pipeline=Pipeline(headless=True)
    )
    for first, second in zip(sorted((tmp_path / "f").iterdir()), sorted((tmp_path / "g").iterdir()), strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name
    export(shown, options, pipeline=pipeline)
    with Image.open(options.out) as gif:
        assert gif.size == (800, 500) and gif.n_frames == 2


@pytest.mark.window
def test_a_window_twice_as_large_has_everything_twice_as_large(tmp_path, pipeline):
    export(film(TINY_R, 0.1), ExportOptions(tmp_path / "a", what="window", window=(640, 400), size=2), pipeline=pipeline)
    assert pngs(tmp_path / "a")[0].shape == (800, 1280, 3)


def test_record_lays_a_measurement_over_the_picture(tmp_path, capsys):
    words = ["record", TINY_R.to_dict()["Source"]["network"], "--seconds", "0.1", "--fps", "10", "--out", f"{tmp_path}/a/"]
    assert cli.run([*words, "--overlay", "flow.arrows", "--set", "Flow.num=2"]) == 0
    assert film_file.read(tmp_path / "a").views[0].get(Flow).on
    assert cli.run([*words, "--overlay", "flow.nothing"]) == 1
    assert "flow.arrows" in capsys.readouterr().err
