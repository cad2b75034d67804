"""Files that views name: found again beside the session, told where they are gone, and told where they hold something else."""

from pathlib import Path

import numpy as np
import pytest

from viz import cli, latent_file
from viz.latent_file import digest
from viz.session import moved_files
from viz.session.session import Session
from viz.state import Compare, Inversion, OwnLatent, Source, ViewState

TINY = ViewState().put(Source(str(Path(__file__).resolve().parents[1] / "golden" / "tiny_r.pkl")))


def written(path, seed):
    return latent_file.write(path, {"ws": np.random.default_rng(seed).normal(size=(1, 16, 16)).astype(np.float32)})


def test_what_lies_beside_the_session_is_found_for_every_view(tmp_path):
    latent = written(tmp_path / "a.npz", 0)
    (tmp_path / "me.png").write_bytes(b"any picture: a view does not know which it was")
    view = TINY.put(Inversion(picture="/nowhere/me.png")).put(Compare(on=True, file="C:\\mine\\a.npz", file_sha256=digest(latent)))
    found, said = moved_files.located(Session((view,)), tmp_path)
    assert (found.views[0].get(Inversion).picture, found.views[0].get(Compare).file) == (str(tmp_path / "me.png"), str(latent))
    assert [text.split(" ")[0] for text in said] == ["me.png", "a.npz"] and all("was found at" in text for text in said)


@pytest.mark.parametrize("there", ["nothing", "a folder", "another", "not to be read"])
def test_what_is_not_the_same_is_not_taken_for_it(there, tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    if there == "a folder":
        path.mkdir()
    elif there != "nothing":
        written(path, 1)
    sha256 = "0" * 64
    if there == "not to be read":
        sha256 = digest(path)
        monkeypatch.setattr(Path, "read_bytes", unreadable)
    session = Session((TINY.put(OwnLatent("/nowhere/a.npz", sha256=sha256)),))
    found, said = moved_files.located(session, tmp_path)
    assert found == session and len(said) == 1 and "a.npz is not where it was (/nowhere/a.npz)" in said[0]


def unreadable(_):
    raise PermissionError(13, "Permission denied")


def test_a_file_that_was_written_again_is_told_and_one_that_was_not_is_not(tmp_path, monkeypatch):
    path = written(tmp_path / "a.npz", 0)
    session = Session((TINY.put(OwnLatent(str(path), sha256=digest(path))),))
    assert moved_files.located(session, tmp_path) == (session, ())
    before = digest(path)
    written(path, 1)
    found, (said,) = moved_files.located(session, None)
    assert found == session
    assert said == f"a.npz was written again since this was saved (SHA-256 {before[:8]}…, now {digest(path)[:8]}…): the picture may differ."
    monkeypatch.setattr(Path, "read_bytes", unreadable)
    assert moved_files.located(session, None)[1] == ()  # rendering says why it cannot be read


def test_commands_tell_of_it_too(tmp_path, capsys):
    from networks.loading import load

    network = load(TINY.get(Source).network).network
    path = tmp_path / "a.npy"
    for seed in (0, 1):
        latent_file.write(path, {"ws": np.random.default_rng(seed).normal(size=(1, network.num_ws, network.w_dim))})
        if seed == 0:
            view = TINY.put(OwnLatent(str(path), sha256=digest(path)))
            (tmp_path / "a.json").write_text(view.to_json(), encoding="utf-8")
        for command in (["view", "--out", str(tmp_path / "a.png")], ["play", "--out", str(tmp_path / f"f{seed}.gif")]):
            assert cli.run([command[0], str(tmp_path / "a.json"), *command[1:]]) == 0
            assert ("a.npy was written again" in capsys.readouterr().err) == bool(seed)
