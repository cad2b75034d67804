"""Directions in W: components against numpy's SVD, edits in their rows, files of one's own, keyframes, commands; the amount of a mix."""

import dataclasses

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.viz.panels.shown import alias_free_facts, frame_of, show
from tests.viz.test_app import GOLDEN, START, Running
from viz import cli, directions_file
from viz.commands import OpenDirections, SaveLatent
from viz.export.film_file import read as read_session
from viz.latent_file import LatentError, digest
from viz.pipeline import Pipeline
from viz.request import Frame, RenderRequest
from viz.session import moved_files
from viz.session.session import Session
from viz.stages import directions as stage
from viz.stages.directions import Choices, principal
from viz.stages.latent import draw_z
from viz.state import Direction, Directions, Latent, Mixing, OwnLatent, Pose, Source, ViewState
from viz.timeline.timeline import Keyframe, Timeline

TINY_R = str(GOLDEN / "tiny_r.pkl")
TINY_T_COND = ViewState().put(Source(str(GOLDEN / "tiny_t_cond.pkl")))
W_DIM, NUM_WS = 16, 10
R = alias_free_facts()


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline(headless=True)


def asked(pipeline, view) -> Frame:
    frame = pipeline.render(RenderRequest(1, view))
    assert frame is not None and frame.error is None, frame
    return frame


def ws_of(pipeline, view):
    return asked(pipeline, view).styles.ws[0].numpy()


def moved(*edits, view=START, **file):
    return view.put(Directions(edits, **file))


# ---------------------------------------------------------------------------------------------------- components


def test_components_are_those_of_the_singular_value_decomposition():
    w = np.random.default_rng(0).normal(size=(500, 9)) @ np.diag([9, 7, 5, 4, 3, 2, 1, 0.5, 0]) + 3
    found = principal(w)
    _, singular, rows = np.linalg.svd(w - w.mean(axis=0), full_matrices=False)
    assert np.allclose(found.deviations, singular / np.sqrt(499), rtol=1e-9, atol=1e-6)
    assert np.allclose(found.shares, singular**2 / (singular**2).sum(), rtol=1e-9, atol=1e-12)
    assert np.allclose(found.vectors @ found.vectors.T, np.eye(9), atol=1e-12)
    assert np.allclose(np.abs((found.vectors * rows).sum(axis=1))[:8], 1, atol=1e-9)
    assert np.allclose(((w - w.mean(axis=0)) @ found.vectors.T).std(axis=0, ddof=1), found.deviations, atol=1e-6)
    assert (found.vectors.max(axis=1) >= -found.vectors.min(axis=1)).all()  # the largest entry is positive
    assert np.allclose(principal(-w).vectors[:8], found.vectors[:8], atol=1e-9)


@pytest.mark.parametrize("w", [np.ones((1, 4)), np.full((5, 4), 0.25), np.outer(np.arange(5.0), [0, 0, -2, 0])])
def test_what_does_not_vary_has_no_share_and_is_still_a_number(w):
    found = principal(w)
    assert all(np.isfinite(values).all() for values in vars(found).values())
    assert found.shares.sum() == pytest.approx(1.0 if np.ptp(w) else 0.0)
    assert np.allclose(found.vectors @ found.vectors.T, np.eye(4), atol=1e-12)


def test_the_network_s_components_are_those_of_its_first_seeds(pipeline):
    frame = asked(pipeline, moved(Direction(1, 3.0)))
    import torch

    network = next(iter(pipeline.networks._ready.values())).network
    z = np.stack([draw_z(seed, network.z_dim, 0, -1)[0] for seed in range(stage.SAMPLES)])
    w = network.map(torch.from_numpy(z).float())[:, 0].double().numpy()
    _, singular, rows = np.linalg.svd(w - w.mean(axis=0), full_matrices=False)
    assert np.allclose(frame.styles.choices.shares, singular**2 / (singular**2).sum(), atol=1e-7)
    step = (ws_of(pipeline, moved(Direction(1, 3.0))) - ws_of(pipeline, START))[0]
    sign = np.sign(rows[1][np.abs(rows[1]).argmax()])
    assert np.allclose(step, 3 * sign * rows[1] * singular[1] / np.sqrt(stage.SAMPLES - 1), atol=1e-5)


def test_each_class_has_components_of_its_own_and_they_are_found_once(monkeypatch):
    pipeline, found = Pipeline(headless=True), []
    monkeypatch.setattr(stage, "SAMPLES", 512)
    monkeypatch.setattr(stage, "principal", lambda w: found.append(w) or principal(w))
    for index in (0, 1, -1, 0):
        view = TINY_T_COND.edit(Latent, x=2.0, class_index=index)
        frames = [asked(pipeline, moved(Direction(0, x), view=view)) for x in (1.0, 2.0)]
        assert len(frames[0].styles.choices.shares) == W_DIM
    assert len(found) == 3 and not np.allclose(found[0], found[1])


# ---------------------------------------------------------------------------------------------------- edits


def test_an_edit_is_linear_and_stays_in_its_rows(pipeline):
    plain = ws_of(pipeline, START)
    once, twice = (ws_of(pipeline, moved(Direction(0, x, 2, 5))) for x in (1.0, 2.0))
    inside, outside = slice(2, 6), [0, 1, *range(6, NUM_WS)]
    assert np.array_equal(once[outside], plain[outside]) and np.abs(once[inside] - plain[inside]).max() > 1e-3
    assert np.allclose(twice - plain, 2 * (once - plain), atol=1e-6)
    both = ws_of(pipeline, moved(Direction(0, 1.0, 2, 5), Direction(3, -2.0, 4)))
    other = ws_of(pipeline, moved(Direction(3, -2.0, 4)))
    assert np.allclose(both - plain, (once - plain) + (other - plain), atol=1e-6)
    assert np.array_equal(other[:4], plain[:4]) and (other[4:] != plain[4:]).any(axis=1).all()


def test_at_zero_everything_is_as_without_and_late_rows_run_late_layers_only(pipeline):
    plain = asked(pipeline, START)
    still = asked(pipeline, moved(Direction(0), Direction(1, 3.0, 20), Direction(2, 3.0, 5, 4)))
    assert still.raw is not None and plain.raw is not None and np.array_equal(still.raw, plain.raw)
    assert still.styles.names == plain.styles.names and still.layers_ran == ()
    late = asked(pipeline, moved(Direction(0, 3.0, 8)))
    assert late.styles.names[:8] == plain.styles.names[:8] and set(late.styles.names[8:]).isdisjoint(plain.styles.names)
    assert late.layers_ran and "input" not in late.layers_ran and "L3_52_16" not in late.layers_ran


def test_the_learned_pose_follows_row_0_only(pipeline):
    poses = [asked(pipeline, view).learned_pose for view in (START, moved(Direction(0, 3.0, 1)), moved(Direction(0, 3.0)))]
    assert poses[0] == poses[1] != poses[2]


def test_a_moved_latent_is_saved_without_the_z_that_it_no_longer_has(pipeline):
    from viz.effects.latent import arrays_of

    names = {}
    for name, view in (("plain", START), ("moved", moved(Direction(0, 3.0))), ("mixed", START.put(Mixing(tuple(range(NUM_WS)))))):
        frame = asked(pipeline, view)
        names[name] = sorted(arrays_of(frame.styles, frame))
    assert names == {"plain": ["w", "ws", "z"], "moved": ["w", "ws"], "mixed": ["w", "ws"]}


def test_beyond_the_last_component_nothing_moves_and_a_command_says_so(pipeline, tmp_path, capsys):
    assert np.array_equal(ws_of(pipeline, moved(Direction(W_DIM, 3.0))), ws_of(pipeline, START))
    assert cli.run(["render", TINY_R, "--direction", f"{W_DIM}=1", "--out", str(tmp_path / "a.png")]) == 1
    assert f"has {W_DIM} components, counted from 0" in capsys.readouterr().err
    frame = pipeline.render(RenderRequest(1, moved(Direction(0, 1.0, own=True))))
    assert frame is not None and frame.error is not None and "no file" in frame.error.message
    with show("directions", moved(Direction(R.w_dim, 1.0), Direction(1)), network=R) as shown:
        assert shown.ui.item("Direction.amount.0").disabled and not shown.ui.item("Direction.amount.1").disabled


# ---------------------------------------------------------------------------------------------------- of one's own


RANDOM = np.random.default_rng(1)
ONE, PER_ROW = RANDOM.normal(size=W_DIM).astype("f"), RANDOM.normal(size=(NUM_WS, W_DIM)).astype("f")


def written(path, arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".npy":
        np.save(path, next(iter(arrays.values())))
    else:
        save_file(arrays, path)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
@pytest.mark.parametrize(
    ("array", "count", "arrow"),
    [(ONE, 1, ONE), (np.stack([ONE, -2 * ONE]), 2, -2 * ONE), (PER_ROW, 1, PER_ROW), (np.stack([PER_ROW] * 3), 3, PER_ROW)],
)
def test_an_arrow_of_a_file_moves_ws_by_itself(pipeline, tmp_path, suffix, array, count, arrow):
    path = written(tmp_path / f"direction{suffix}", {"smile": array})
    assert directions_file.holds_directions(path)
    frame = asked(pipeline, moved(Direction(count - 1, 0.5, 0, 6, own=True), file=str(path)))
    step = frame.styles.ws[0].numpy() - ws_of(pipeline, START)
    assert np.allclose(step[:7], 0.5 * np.broadcast_to(arrow, step.shape)[:7], atol=1e-6) and not step[7:].any()
    word = "direction" if suffix == ".npy" else "smile"
    assert frame.styles.choices == Choices((), (word,) if count == 1 else tuple(f"{word} {i}" for i in range(count)))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros(7, "f"), f"smile is 7, but this network takes w of {W_DIM} numbers in {NUM_WS} rows"),
        (np.zeros((2, 5, W_DIM), "f"), f"smile is 2 x 5 x {W_DIM}, but"),
        (np.full(W_DIM, np.nan), "not finite numbers"),
        (np.zeros((1, 1, 1, 1)), "float64 of shape 1 x 1 x 1 x 1"),
        (np.array([{"pickled": 1}], dtype=object), "cannot be read"),
    ],
)
def test_a_file_that_does_not_fit_is_named_with_what_is_expected(pipeline, tmp_path, array, said):
    path = tmp_path / "directions.npz"
    np.savez(path, smile=array)
    frame = pipeline.render(RenderRequest(1, moved(Direction(0, 1.0, own=True), file=str(path))))
    assert frame.error is not None and "directions.npz" in frame.error.message and said in frame.error.message
    torn = tmp_path / "direction.npy"
    torn.write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(LatentError, match=r"direction\.npy"):
        directions_file.read(torn)


def test_a_file_of_latents_is_none_of_directions(tmp_path):
    files = {"a.npy": False, "Directions.npy": True, "smile.npz": True, "w.npz": False, "a.safetensors": False, "b.safetensors": True}
    arrays = {"smile.npz": {"smile": ONE}, "b.safetensors": {"direction": ONE}}
    for name, expected in files.items():
        path = written(tmp_path / name, arrays.get(name, {"w": ONE[None]}))
        assert directions_file.holds_directions(path) == expected, name


# ---------------------------------------------------------------------------------------------------- keyframes, JSON, commands


def test_between_keyframes_each_edit_comes_and_goes_by_itself():
    a, b, c = Direction(0, 1.0), Direction(2, 4.0, 3, 6), Direction(5, -2.0, own=True)
    line = Timeline((Keyframe(0.0, moved(a, c)), Keyframe(2.0, moved(b, dataclasses.replace(a, amount=3.0))), Keyframe(3.0, START)))
    assert line.at(0.5).get(Directions).edits == (
        dataclasses.replace(a, amount=1.5), dataclasses.replace(c, amount=-1.5), dataclasses.replace(b, amount=1.0))  # fmt: skip
    assert line.at(2.0).get(Directions).edits == (b, dataclasses.replace(a, amount=3.0))
    assert [edit.amount for edit in line.at(2.5).get(Directions).edits] == [2.0, 1.5]
    assert line.at(3.0) == START
    spline = Timeline(tuple(Keyframe(float(t), moved(*([Direction(0, float(x))] if x else [])), "spline") for t, x in enumerate((0, 2, 0))))
    before, after = (spline.at(1 + t).get(Directions).edits[0].amount for t in (-1e-3, 1e-3))
    assert before == pytest.approx(2, abs=1e-2) and before == pytest.approx(after, abs=1e-5)


def test_the_command_line_says_the_same_as_the_state(pipeline, tmp_path, capsys):
    path, out, again = written(tmp_path / "d.npz", {"smile": ONE}), tmp_path / "a.png", tmp_path / "b.png"
    flags = ["--direction", "0=2.5@3-6", "--direction", "1=-1", "--direction", "2=1@4", "--direction", "own:0=0.5@7-"]
    assert cli.run(["render", TINY_R, *flags, "--directions", str(path), "--out", str(out)]) == 0
    (view,) = read_session(out).views
    edits = (Direction(0, 2.5, 3, 6), Direction(1, -1.0), Direction(2, 1.0, 4, 4), Direction(0, 0.5, 7, own=True))
    assert view.get(Directions).edits == edits and view.get(Directions).file == str(path) and len(view.get(Directions).sha256) == 64
    assert ViewState.from_json(view.to_json()) == view
    expected = asked(pipeline, moved(*edits, file=str(path)))
    found = asked(pipeline, view)
    assert found.raw is not None and expected.raw is not None and np.array_equal(found.raw, expected.raw)
    assert cli.run(["view", str(out), "--out", str(again)]) == 0 and again.read_bytes() == out.read_bytes()
    for wrong, said in (
        (["--direction", "a=1"], "'a=1' is not N=AMOUNT"),
        (["--direction", "0=1@6-3"], "from a first to a last one"),
        (["--direction", "own:0=1"], "--directions FILE is missing"),
        (["--directions", str(path)], "is not used"),
        (["--mix", "3", "0-2", "--mix-amount", "2"], "--mix-amount 2: from 0 to 1"),
    ):
        try:
            code = cli.run(["render", TINY_R, *wrong, "--out", str(out)])
        except SystemExit as e:
            code = e.code
        assert code and said in capsys.readouterr().err, wrong


def test_a_mix_goes_part_of_the_way(pipeline, tmp_path):
    mixing = Mixing((2, 3, 4, 5), 9)
    plain, whole, none, part = (ws_of(pipeline, START.put(dataclasses.replace(mixing, rows=rows, amount=amount)))
                                for rows, amount in (((), 1.0), (mixing.rows, 1.0), (mixing.rows, 0.0), (mixing.rows, 0.25)))  # fmt: skip
    other = ws_of(pipeline, START.edit(Latent, x=9.0))
    assert np.allclose(whole[2:6], other[2:6], atol=1e-6) and np.array_equal(none, plain)
    assert np.allclose(part[2:6], 0.75 * plain[2:6] + 0.25 * other[2:6], atol=1e-6) and np.array_equal(part[6:], plain[6:])
    names = [asked(pipeline, START.put(dataclasses.replace(mixing, amount=amount))).styles.names for amount in (0.0, 0.25, 0.5, 1.0)]
    assert names[0] == asked(pipeline, START).styles.names and len({each[2] for each in names}) == 4
    line = Timeline((Keyframe(0.0, START.put(dataclasses.replace(mixing, amount=0.0))), Keyframe(2.0, START.put(mixing))))
    assert line.at(0.5).get(Mixing).amount == 0.25
    assert cli.run(["render", TINY_R, "--mix", "9", "2-5", "--mix-amount", "0.25", "--out", str(tmp_path / "a.png")]) == 0
    assert read_session(tmp_path / "a.png").views[0].get(Mixing) == dataclasses.replace(mixing, amount=0.25)


# ---------------------------------------------------------------------------------------------------- in the window


def styled(view, *own, pose=(1.0, 0.0, 0.0, 0.0)):
    from types import SimpleNamespace

    return frame_of(R, view, styles=SimpleNamespace(choices=Choices((0.5, 0.25, 0.125), own)), learned_pose=pose)


def test_sliders_are_added_moved_and_removed():
    with show("directions", network=R, frame=styled(ViewState())) as shown:
        shown.ui.click("Directions.add")
        shown.ui.click("Directions.add")
        shown.ui.set("Direction.amount.1", -1.5)
        shown.ui.set("Direction.last.1", 6)
        shown.ui.set("Direction.first.1", 8)  # takes the last one along
        assert shown.state.get(Directions).edits == (Direction(0), Direction(1, -1.5, 8, 8))
        shown.ui.set("Direction.last.1", R.num_ws - 1)
        shown.ui.set("Directions.number", 7)
        shown.ui.click("Directions.add")
        shown.ui.click("Direction.remove.0")
        assert shown.state.get(Directions).edits == (Direction(1, -1.5, 8, -1), Direction(7))
        shown.ui.click("Directions.save")
        assert shown.commands == [SaveLatent()]
        shown.ui.click("Directions.reset")
        assert shown.state == ViewState()


def test_what_stands_before_a_slider():
    from viz.panels.directions import title

    assert title(Direction(1), (0.5, 0.25), ()) == ("PC 1", "25.0 %") and title(Direction(2), (0.5, 0.25), ()) == ("PC 2", "—")
    assert title(Direction(0, own=True), (), ("smile",)) == ("smile", "") and title(Direction(3, own=True), (), ()) == ("own 3", "")


def test_a_path_is_typed_and_a_direction_of_the_file_added():
    view = ViewState().put(Directions(file="old.npz"))
    with show("directions", view, network=R, frame=styled(view, "smile", "age")) as shown:
        shown.ui.click("Directions.add_own")
        shown.ui.click("Directions.add_own")
        assert shown.state.get(Directions).edits == (Direction(0, own=True), Direction(1, own=True))
        shown.ui.click("Directions.open")
        assert shown.commands == [OpenDirections()]


@pytest.mark.window
def test_a_dropped_file_is_offered_with_its_first_direction(tmp_path):
    path, wrong = written(tmp_path / "directions.npz", {"smile": ONE}), written(tmp_path / "direction.npy", {"": ONE[:5]})
    running = Running(tmp_path, moved(Direction(2, 1.0), Direction(0, 1.0, own=True), file=str(path)))
    try:
        running.window.drop([path])
        running.ui.frames(3)
        edits = (Direction(2, 1.0), Direction(0, own=True))
        assert running.state.get(Directions) == Directions(edits, str(path), running.state.get(Directions).sha256)
        frame = running.app.frame
        assert frame is not None and frame.error is None and frame.styles.choices.own == ("smile",)
        running.window.drop([wrong])
        running.ui.frames(2)
        assert running.state.get(Directions).edits == edits and running.state.get(OwnLatent) == OwnLatent()
        assert "direction.npy was not opened" in running.app.toasts.log.entries[-1].text
        running.ui.key("ctrl+z")
        running.ui.frames(2)
        assert running.state.get(Directions).edits == (Direction(2, 1.0), Direction(0, 1.0, own=True))
    finally:
        running.close()


def test_a_spline_stays_within_what_a_file_may_hold():
    line = Timeline(tuple(Keyframe(float(t), moved(Direction(0, x)), "spline") for t, x in enumerate((0.0, 999.0, 1000.0, 0.0))))
    between = line.at(1.5)
    assert ViewState.from_json(between.to_json()) == between == moved(Direction(0, 1000.0))


@pytest.mark.window
def test_a_file_that_has_moved_with_its_session_is_found_and_dropped_it_is_back_with_all_its_sliders(tmp_path):
    here, other = tmp_path / "here", tmp_path / "other"
    here.mkdir(), other.mkdir()
    path = written(here / "directions.npz", {"smile": ONE, "age": 2 * ONE})
    written(other / "directions.npz", {"smile": ONE})
    edits = (Direction(2, 1.0), Direction(1, 0.5, 3, 8, own=True))
    gone = moved(*edits, file="/nowhere/directions.npz", sha256=digest(path))
    film = Timeline((Keyframe(0.0, gone), Keyframe(1.0, gone.edit(Pose, x=0.1))))
    found, said = moved_files.located(Session((gone,), film), here)
    assert {view.get(Directions).file for view in found.all_views} == {str(path)} and "was found at" in said[0]
    for folder in (other, None):  # of that name, but with other contents; nowhere at all
        left, said = moved_files.located(Session((gone,)), folder)
        assert left.views == (gone,) and "dropped on the window" in said[0]
    running = Running(tmp_path, gone)
    try:
        running.app.context.film.edit(film)
        running.ui.frames(2)
        assert "is not in" in running.app.frame.error.message
        running.window.drop([path])
        running.ui.frames(3)
        assert running.state.get(Directions) == Directions(edits, str(path), digest(path)) and running.app.frame.error is None
        assert {key.view.get(Directions).file for key in running.app.context.film.timeline.keyframes} == {str(path)}
    finally:
        running.close()


def test_a_comparison_says_what_it_moves_and_that_components_are_each_network_s_own():
    from viz.compare.caption import shared
    from viz.compare.compare import not_shared

    view, other = moved(Direction(0, 2.5), Direction(3, -1.0, own=True), Direction(1)), dataclasses.replace(R, ref="other", sha256="f" * 64)
    assert shared(view) == "seed 0, along PC 0 by 2.5 σ, along own 3 by −1.0×"
    assert "Directions: each network has principal components of its own." in not_shared(view, R, other)
    assert not not_shared(view, R, R) and not not_shared(moved(Direction(3, 1.0, own=True)), R, other)
