"""Files to drop on the window: good ones of every kind, and broken ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from viz import latent_file
from viz.analysis.average_spectrum import SetPower, curves, save_arrays
from viz.session import session
from viz.session.session import Session
from viz.state import Source, ViewState
from viz.timeline import paths

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
W_DIM = 16


def write(folder: Path, start: ViewState) -> None:
    """Everything that `tests.endurance.actions` names, but for the networks of the golden folder and what must not be there."""
    chance = np.random.default_rng(0)
    (folder / "view.json").write_text(start.to_json())
    session.save(folder / "film.session.json", Session((start, start), paths.ready_made("rotate", start, 1.0, 10)))
    Image.fromarray(chance.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / "plain.png")
    (folder / "pictures").mkdir()
    for number in range(3):
        Image.fromarray(chance.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / "pictures" / f"{number}.png")
    measured = SetPower()
    measured.add(torch.from_numpy(chance.standard_normal((3, 16, 16))))
    np.savez(folder / "measured.npz", **save_arrays(curves(measured, "noise")))
    shape = (1, W_DIM)
    latent_file.write(folder / "w.npz", {"w": chance.standard_normal(shape)})
    latent_file.write(folder / "ws.npy", {"ws": chance.standard_normal((1, 14, W_DIM))})
    latent_file.write(folder / "z.safetensors", {"z": chance.standard_normal(shape)})
    (folder / "snapshots").mkdir()
    for number, name in enumerate(("tiny_r.pkl", "tiny_t.pkl")):
        shutil.copyfile(GOLDEN / name, folder / "snapshots" / f"network-snapshot-{number:06d}.pkl")
    (folder / "broken.json").write_text('{"format": "aliasfree-view", "version": 1, "Pose": {"x": "left"}}')
    (folder / "later.json").write_text('{"format": "aliasfree-session", "version": 999, "views": []}')
    (folder / "broken.pkl").write_bytes(b"\x80\x04not a network")
    (folder / "half.pkl").write_bytes((GOLDEN / "tiny_r.pkl").read_bytes()[:20_000])
    for name in ("broken.png", "broken.npz", "broken.gif"):
        (folder / name).write_bytes(b"not what it says")
    (folder / "notes.txt").write_text("hello")


def find(name: str, folder: Path, captures: Path) -> Path:
    """The file that an action means: a golden network, one of `write`, or what was saved last."""
    if name == "saved":
        saved = sorted(p for p in captures.iterdir() if not p.name.startswith(".")) if captures.is_dir() else []
        return saved[-1] if saved else captures / "nothing.json"
    golden = GOLDEN / name
    return golden if golden.is_file() else folder / name


def source(name: str) -> ViewState:
    return ViewState().put(Source(str(GOLDEN / name)))
