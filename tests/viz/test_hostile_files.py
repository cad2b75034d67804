"""Files of any kind on the window: each gives a sentence, quickly, and changes nothing."""

import io
import json
import os
import struct
import time
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from networks.build import build
from networks.loading import save_safetensors
from networks.spec import GeneratorConfig
from tests.viz.test_app import Running
from torch_utils import heap
from torch_utils.atomic import atomic
from viz import capture, latent_file, settings
from viz.effects import opening
from viz.export import encoders, film_file
from viz.panels.network import LONGEST_CARD, card_texts
from viz.session import networks, origin
from viz.session.saved_json import LARGEST_TEXT
from viz.session.session import Session
from viz.state import Source, StateError, ViewState

pytestmark = pytest.mark.window
LONGEST_S, LONGEST_SENTENCE = 20.0, 600


def picture(text: str = "") -> bytes:
    """A PNG with this text where the view belongs."""
    about, data = PngImagePlugin.PngInfo(), io.BytesIO()
    about.add_text(capture.KEY, text)
    Image.new("RGB", (4, 4)).save(data, "PNG", pnginfo=about if text else None)
    return data.getvalue()


def view(**groups: object) -> bytes:
    return picture(json.dumps({"format": "aliasfree-view", "version": 1, **groups}))


def large_picture() -> bytes:
    data = bytearray(picture())
    data[16:24] = struct.pack(">II", 90_000, 90_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


def array(shape: str) -> bytes:
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape},}}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(16)


def archive(name: str, content: bytes, *, claims: int = 0) -> bytes:
    """An .npz; `claims` is what it says that its member unpacks to."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
    found = bytearray(data.getvalue())
    if claims:
        at = found.index(b"PK\x01\x02")
        found[at + 24 : at + 28] = struct.pack("<I", claims)
    return bytes(found)


def damaged_archive() -> bytes:
    found = bytearray(archive("origin.npy", array("(4,)")))
    found[40:60] = b"\xff" * 20
    return bytes(found)


def archive_of_the_future() -> bytes:
    found = bytearray(archive("origin.npy", array("(4,)")))
    found[found.index(b"PK\x01\x02") + 6] = 109  # the version of the format that is needed to unpack it
    return bytes(found)


def plain_array() -> bytes:
    data = io.BytesIO()
    np.save(data, np.zeros(4))
    return data.getvalue()


HOSTILE: dict[str, bytes] = {
    "bomb.png": large_picture(),
    "nan.png": picture('{"format": "aliasfree-view", "version": 1, "Pose": {"x": NaN}}'),
    "infinite.png": picture('{"format": "aliasfree-view", "version": 1e999}'),
    "text.png": view(Pose={"x": "a" * 2_000_000}),
    "list.png": view(Pose=list(range(100_000))),
    "long.png": view(Source={"network": "x" * 1_000_000}),
    "surrogate.png": view(Source={"network": "\ud800"}),
    "seed.png": view(Noise={"mode": "random", "seed": 10**300}),
    "deep.png": picture("[" * 100_000),
    "odd.pdf": b"%PDF /Subject <feff004>",
    "odd.svg": b'<metadata>{"command": 1, "session": [</metadata>',
    "starts.svg": b"<metadata>" * 100_000,  # each of which may have its end: 1 MB took minutes
    "text.npz": b"not an archive",
    "array.npz": plain_array(),
    "garbage.npz": archive("origin.npy", b"garbage"),
    "damaged.npz": damaged_archive(),
    "future.npz": archive_of_the_future(),
    "huge.npz": archive("origin.npy", array("(1099511627776,)")),
    "huge latent.npz": archive("ws.npy", array("(1099511627776,)")),
    "unpacks.npz": archive("ws.npy", array("(4,)"), claims=4_000_000_000),
    "unpacks too.npz": archive("origin.npy", array("(4,)"), claims=4_000_000_000),
    "huge.npy": array("(1099511627776,)"),
    "deep.json": b"[" * 100_000,
    "cut.gif": b"GIF89a\x01\x00",
    "negative.exr": struct.pack("<II", 20000630, 2) + b"a\0string\0" + struct.pack("<i", -5),
    "empty.mp4": bytes(100),
    "a\nb\x1b.png": b"x",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("running"))
    yield running
    running.close()


def dropped(running, *paths: Path) -> str:
    """What is said about them, all of it."""
    running.app.toasts.log.entries.clear()
    began, before = time.monotonic(), running.state
    running.window.drop(list(paths))
    running.ui.frames(2)
    assert time.monotonic() - began < LONGEST_S
    assert running.state == before and running.app.frame.error is None
    said = [entry.text for entry in running.app.toasts.log.entries]
    assert said and all(len(text) < LONGEST_SENTENCE for text in said)
    return "\n".join(said)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_a_sentence(running, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    assert " was not opened: " in dropped(running, path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
@pytest.mark.parametrize("name", ["a.safetensors", "a.json", "a.png"])
def test_what_is_no_file_is_not_waited_for(running, name, tmp_path):
    os.mkfifo(tmp_path / name)
    assert "neither a file nor a folder" in dropped(running, tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
@pytest.mark.parametrize("name", [b"n\xff.png", b"n\xff.pkl"])
def test_a_name_that_is_no_text_can_be_talked_about(running, name, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_bytes(b"\x80\x04N.")
    assert "its name is not valid text" in dropped(running, path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
@pytest.mark.parametrize("suffix", latent_file.SUFFIXES)
def test_a_latent_that_a_view_names_and_that_is_a_pipe_is_not_waited_for(suffix, tmp_path):
    os.mkfifo(tmp_path / f"a{suffix}")
    with pytest.raises(latent_file.LatentError, match="it is no file"):
        latent_file.read(tmp_path / f"a{suffix}")


def test_whether_an_archive_is_one_of_ours_is_asked_of_any(tmp_path):
    (tmp_path / "a.npz").write_bytes(archive_of_the_future())
    assert not film_file.holds_origin(tmp_path / "a.npz")


def test_of_a_thousand_files_the_first_few_are_opened(running, tmp_path):
    path = tmp_path / "odd.svg"
    path.write_bytes(b"")
    assert f"the first {opening.MOST_AT_ONCE} were opened" in dropped(running, *[path] * 1000)


@pytest.mark.parametrize("url", ["https://example.org/networks/x.pkl", " HTTP://example.org/networks/x.pkl"])
def test_a_picture_that_somebody_sent_fetches_nothing_by_itself(running, tmp_path, monkeypatch, url):
    monkeypatch.setenv("ALIASFREE_CACHE", str(tmp_path))
    (tmp_path / "sent.png").write_bytes(view(Source={"network": url}))
    before = running.state
    running.window.drop([tmp_path / "sent.png"])
    running.ui.frames(2)
    assert "://" not in running.state.get(Source).network
    assert [missing.url for missing in running.app.missing.asked] == [url]
    running.app.missing.ask(())
    running.app.state = before
    running.ui.frames(2)


def test_an_address_that_was_opened_before_is_not_asked_about(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIASFREE_CACHE", str(tmp_path))
    url = "https://example.org/networks/x.pkl"
    opened = Session((ViewState().put(Source(network=url)),))
    assert networks.located(opened, None)[2] == (networks.Missing("example.org/networks/x.pkl", url),)
    assert networks.located(opened, None, others=[url]) == (opened, (), ())
    kept = networks.download_of(url).file
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"")
    assert networks.located(opened, None) == (opened, (), ())


def test_the_card_of_a_network_is_bounded():
    facts = SimpleNamespace(metadata={"constructor": "x", "description": "a\x00b\x1b[31m\n" + "long " * 1_000_000, "n": 3, "empty": ""})
    (_, text), (_, number) = card_texts(facts)  # pyright: ignore[reportArgumentType]
    assert text.startswith("a b [31m\nlong") and len(text) == LONGEST_CARD + 1 and number == "3"


@pytest.mark.parametrize("changed", [
    {"fps_limit": 0}, {"fps_limit": -3}, {"window_width": -5}, {"window_height": 10**30}, {"font_scale": float("nan")}, {"recent": [1]},
    {"bookmarks": [[1, 2, 3]]}, {"bookmarks": ["ab"]}, {"bookmarks": [["a", 1]]}, {"workspace": -1}, {"bookmarks": [[1e400, 0]]},
])  # fmt: skip
def test_settings_that_somebody_has_edited_are_set_aside(changed, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(changed))
    found, note = settings.load(path)
    assert found == settings.Settings() and next(iter(changed)) in note


def test_a_file_that_cannot_take_its_name_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError), atomic(tmp_path / "taken") as temporary:
        temporary.write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_field_that_is_no_text_is_named():
    with pytest.raises(StateError, match=r"Source\.network is .* a text of at most"):
        ViewState.from_dict({"format": "aliasfree-view", "version": 1, "Source": {"network": "\udcff"}})


def many(count: int, place: str) -> str:
    """A session of this many keyframes, each with a network of its own."""
    frames = [{"time_s": i, "view": {**EMPTY, "Source": {"network": f"{place}{i}.pkl"}}} for i in range(count)]
    return json.dumps({"format": "aliasfree-session", "version": 1, "timeline": {"keyframes": frames}})


EMPTY = {"format": "aliasfree-view", "version": 1}


@pytest.mark.parametrize("place", ["https://example.org/", "/nowhere/"])
def test_thousands_of_networks_are_looked_for_once(place, tmp_path, monkeypatch):
    """Each was put in its place by going through all views: 800 of them (87 kB) took eight seconds, 8000 a quarter of an hour."""
    monkeypatch.setenv("ALIASFREE_CACHE", str(tmp_path))
    for i in (3, 1999):
        (tmp_path / f"{i}.pkl").write_bytes(b"")
    opened = Session.from_json(many(2000, place))
    looks, get = [], ViewState.get
    monkeypatch.setattr(ViewState, "get", lambda view, kind: looks.append(1) or get(view, kind))
    found, said, missing = networks.located(opened, tmp_path)
    assert len(looks) < 20 * 2000
    if place.startswith("https"):
        assert (len(said), len(missing)) == (0, 2000)
        assert found.timeline.keyframes[7].view.get(Source).network == "example.org/7.pkl"
    else:
        assert (len(said), len(missing)) == (2, 1998)
        assert found.timeline.keyframes[1999].view.get(Source).network == str(tmp_path / "1999.pkl")


def test_a_session_of_many_moved_files_says_a_few(running, tmp_path):
    frames = [{"time_s": i, "view": {**EMPTY, "OwnLatent": {"file": f"/nowhere/{i}.npz"}}} for i in range(500)]
    path = tmp_path / "many.json"
    path.write_text(json.dumps({"format": "aliasfree-session", "version": 1, "timeline": {"keyframes": frames}}))
    before, film = running.state, running.app.context.film.timeline
    running.app.toasts.log.entries.clear()
    running.window.drop([path])
    running.ui.frames(2)
    said = [entry.text for entry in running.app.toasts.log.entries]
    assert len(said) < 20 and any("and 490 more" in text for text in said), said
    running.app.state = before
    running.app.context.film.edit(film)
    running.ui.frames(2)


def test_texts_and_lists_without_end_are_no_sessions(tmp_path):
    with pytest.raises(StateError, match="views has 10001 entries; at most 10000 are expected"):
        Session.from_dict({"format": "aliasfree-session", "version": 1, "views": [EMPTY] * 10_001})
    long = "x" * (LARGEST_TEXT + 1)
    for read in (Session.from_json, ViewState.from_json, origin.session_in):
        with pytest.raises(StateError, match="67,108,865 characters are more than 67,108,864"):
            read(long)


def test_a_list_of_films_is_not_followed(tmp_path):
    """FFmpeg tells what a file is by what is in it: a text that names other files made it open those."""
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "inner.mp4"), "w") as film:
        film.metadata["comment"] = "inner"
        stream = film.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        film.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")) + stream.encode())
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile inner.mp4\n")
    with pytest.raises(StateError, match=r"inner\.mp4 holds no session"):
        film_file.read(tmp_path / "inner.mp4")
    with pytest.raises(StateError, match=r"list\.mp4 is not a readable film"):
        film_file.read(tmp_path / "list.mp4")
    assert film_file.command_in(tmp_path / "inner.mp4") == "inner"


def test_of_a_gif_only_the_end_is_read(tmp_path, monkeypatch):
    picture, comment = io.BytesIO(), json.dumps({"command": "x", "session": EMPTY})
    Image.new("L", (4, 4)).save(picture, "GIF")
    path = tmp_path / "a.gif"
    path.write_bytes(picture.getvalue())
    encoders.add_gif_comment(path, comment)
    with path.open("rb") as file:
        whole = file.read()
    path.write_bytes(whole[:-1] + bytes(1 << 20) + whole[-1:])  # a comment that is not at the end is not looked for
    monkeypatch.setattr(film_file, "LARGEST_COMMENT", 1 << 16)
    with pytest.raises(StateError, match="holds no session"):
        film_file.read(path)
    path.write_bytes(whole)
    assert film_file.read(path) == Session()


def test_a_small_file_of_an_immense_network_is_refused_and_the_picture_stays(running, tmp_path, monkeypatch):
    """Its weights are 24 kB; a picture of it takes 34 GB, which a system may lend until it ends the program."""
    config = GeneratorConfig(8192, z_dim=8, w_dim=8, channel_base=1 << 16, channel_max=8, num_layers=4, num_critical=1, img_channels=64)
    path = tmp_path / "immense.safetensors"
    save_safetensors(build(config, seed=1), path)
    monkeypatch.setattr(heap, "machine_bytes", lambda: 16 << 30)
    before, shown = running.state, running.app.good
    running.window.drop([path])
    running.ui.frames(4)
    assert running.app.frame.error.sentences == (
        "immense.safetensors: two of its layers alone take 34 GB, and this machine has 17 GB of memory. Choose a smaller network."
    )
    assert running.app.good is shown and shown is not None
    running.app.state = before
    running.ui.frames(4)
    assert running.app.frame.error is None
