"""Remote control: who is refused, and that what comes is what the window shows."""

import http.client
import json
import socket
import struct
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from gui_utils.tone import tone_map
from tests.viz.panels.shown import alias_free_facts, frame_of
from tests.viz.test_app import GOLDEN, START, Running
from viz.canvas.canvas import tone_map_of
from viz.compare.pairs import with_views
from viz.compare.picture import GAP, captured
from viz.remote import Client, RemoteError, Session, server as remote_server
from viz.remote.server import RemoteServer
from viz.state import Equivariance, Latent, Pose, Source, Tap, Tone, ViewState

DEADLINE_S = 60


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    running.server = RemoteServer(0, running.window.wake)
    running.app.attached.append(running.server)
    running.client = Client(running.server.address, running.server.token)
    yield running
    running.close()


def meanwhile(running, call):
    """`call()` in another thread, as another program would, while the window's loop runs; its result, or its exception."""
    found = {}

    def work():
        try:
            found["result"] = call()
        except Exception as e:
            found["error"] = e

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    until = time.monotonic() + DEADLINE_S
    while thread.is_alive():
        assert time.monotonic() < until, "the window did not answer"
        running.ui.frames(1)
    if "error" in found:
        raise found["error"]
    return found["result"]


def raw(server, method="GET", path="/state", body=None, **headers):
    """Status and text of a bare HTTP request."""
    port = int(server.address.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    names = {
        "authorization": "Authorization", "host": "Host", "origin": "Origin", "content_length": "Content-Length", "fetch": "Sec-Fetch-Site",
    }  # fmt: skip
    try:
        connection.request(method, path, body, {names[k]: v for k, v in headers.items() if v is not None})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture
def server():
    server = RemoteServer(timeout_s=0.05)  # no window: nobody answers
    yield server
    server.close()


def right(server):
    return f"Bearer {server.token}"


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer wrong", "{token}", "Bearer {token}x", "Basic {token}", "Bearer \xe9"])
def test_a_wrong_token_is_refused(server, token):
    status, text = raw(server, authorization=token.format(token=server.token))
    assert status == 401 and "token" in text


def test_what_nobody_waits_for_any_more_is_not_carried_out(server):
    app = SimpleNamespace(state=START)
    status, text = raw(server, "POST", body=START.edit(Latent, x=5.0).to_json(), authorization=right(server))
    assert status == 504 and "did not answer" in text
    server.each_frame(app)
    assert app.state == START


def test_other_hosts_and_pages_are_refused(server):
    assert raw(server, authorization=right(server), host="example.org")[0] == 403
    assert raw(server, authorization=right(server), host="127.0.0.1:1")[0] == 403
    assert raw(server, authorization=right(server), origin="http://example.org")[0] == 403
    assert raw(server, authorization=right(server), origin="null")[0] == 403
    assert raw(server, authorization=right(server), fetch="same-origin")[0] == 403
    assert server.refusal({"Host": server.address.removeprefix("http://"), "Authorization": right(server)}, "10.0.0.1") is not None
    assert server.refusal({"Host": server.address.removeprefix("http://"), "Authorization": right(server)}, "127.0.0.1") is None
    assert remote_server.HOST == "127.0.0.1"  # nobody else can connect at all


def test_every_server_has_a_token_of_its_own(server):
    other = RemoteServer()
    try:
        assert other.token != server.token and len(other.token) >= 32
    finally:
        other.close()


def test_what_is_not_known_or_too_large_is_refused(server):
    assert raw(server, path="/quit", authorization=right(server))[0] == 404
    assert raw(server, "POST", "/frame.npy", "{}", authorization=right(server))[0] == 404
    assert raw(server, "POST", authorization=right(server), content_length=str(1 << 40))[0] == 413
    assert raw(server, "POST", authorization=right(server), content_length="9" * 5000)[0] == 413  # Python reads no such number


def test_a_client_that_hangs_up_leaves_nothing_in_the_terminal(server, capfd):
    port = int(server.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
        client.sendall(b"GET /state HTTP/1.1\r\nHost: x\r\n")
    assert raw(server, authorization="Bearer wrong")[0] == 401
    server._server.server_close()  # waits for the threads of its requests
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/%2e%2e/state", "/state/", "/state?x=1", "/STATE", "/frame.png.exe"])
def test_there_is_no_way_to_other_files(server, path):
    status, text = raw(server, path=path, authorization=right(server))
    assert status == 404 and "is not known" in json.loads(text)["error"]


def test_who_has_no_token_cannot_make_it_read(server):
    """The answer comes although the body that was announced never does."""
    began = time.monotonic()
    status, text = raw(server, "POST", authorization="Bearer wrong", content_length=str(1 << 20))
    assert status == 401 and "token" in json.loads(text)["error"] and time.monotonic() - began < 10


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "X" * 100])
def test_every_mistake_is_answered_in_json_and_nothing_is_allowed_to_pages(server, method):
    port = int(server.address.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    connection.request(method, "/state", headers={"Authorization": right(server)})
    answer = connection.getresponse()
    assert answer.status == 501 and answer.getheader("Content-Type") == "application/json"
    assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]
    connection.close()


def test_only_so_many_wait_at_once(server, monkeypatch):
    monkeypatch.setattr(server, "_places", threading.Semaphore(0))
    status, text = raw(server, authorization=right(server))
    assert status == 503 and "waiting already" in json.loads(text)["error"]


def test_a_window_that_does_not_answer_is_told_so(server):
    assert raw(server, authorization=right(server))[0] == 504
    with pytest.raises(RemoteError, match="did not answer in time"):
        Client(server.address, server.token).view()


def test_an_answer_that_comes_too_late_is_not_mixed_with_that_there_was_none(server):
    class Slow(str):
        def encode(self, *_):
            assert given_up.wait(DEADLINE_S)
            return b"late"

    given_up = threading.Event()
    window = threading.Thread(target=lambda: server._asked.get(timeout=DEADLINE_S).answer(200, Slow()), daemon=True)
    window.start()
    status, text = raw(server, authorization=right(server))
    given_up.set()
    window.join(DEADLINE_S)
    assert (status, json.loads(text)) == (504, {"error": "the window did not answer in time"})


def test_nobody_there(server):
    server.close()
    with pytest.raises(RemoteError, match="does not answer"):
        Client(server.address, server.token).view()


@pytest.mark.window
def test_the_view_goes_there_and_back(running):
    asked = START.edit(Latent, x=3.5).edit(Pose, turns=0.125, x=0.1)
    meanwhile(running, lambda: running.client.show(asked))
    assert running.state == asked
    back = meanwhile(running, running.client.view)
    assert back.edit(Source, sha256="") == asked and back.get(Source).sha256
    running.ui.key("ctrl+z")
    running.ui.frames(2)
    assert running.state == START  # it is a step of undo like any other


@pytest.mark.window
def test_frames_are_those_of_the_window(running):
    meanwhile(running, lambda: running.client.edit(Latent, x=5.0))
    values = meanwhile(running, running.client.values)
    frame = running.app.renderer.frame
    assert frame.request.view.get(Latent).x == 5.0
    assert values.dtype == np.float32 and np.array_equal(values, frame.picture.values.transpose(2, 0, 1))
    pixels = meanwhile(running, running.client.pixels)
    assert np.array_equal(pixels, tone_map(frame.picture.values, tone_map_of(running.state.get(Tone))))
    facts = meanwhile(running, running.client.facts)
    assert (facts["name"], facts["resolution"], len(facts["taps"])) == ("tiny_r", 32, len(frame.network.taps))


@pytest.mark.parametrize("moves", ["playing", "streaming", "nothing"])
def test_while_the_view_changes_all_the_time_the_newest_picture_is_the_answer(moves):
    frame = frame_of(alias_free_facts(), ViewState().only())
    film, until = SimpleNamespace(playing=moves == "playing"), time.monotonic() + DEADLINE_S if moves == "streaming" else 0.0
    app = SimpleNamespace(renderer=SimpleNamespace(frame=frame), state=START, context=SimpleNamespace(film=film), streaming_until=until)
    asked = remote_server.Asked("GET", "/frame.npy", b"")
    assert remote_server.answered(app, asked) == asked.answered.is_set() == (moves != "nothing")
    assert asked.result.status == (504 if moves == "nothing" else 200)


@pytest.mark.window
def test_compared_pixels_are_those_of_the_window_or_the_first_alone(running):
    tiny_t = str(GOLDEN / "tiny_t.pkl")
    asked = with_views(START, {"network": tiny_t}, {"own_latent": True, "x": 2.0})
    meanwhile(running, lambda: running.client.show(asked))
    pixels = meanwhile(running, running.client.pixels)
    assert np.array_equal(pixels, captured(running.app.renderer.frame, asked)) and pixels.shape == (32, 3 * 32 + 2 * GAP, 3)
    alone = meanwhile(running, lambda: running.client.pixels(first=True))
    assert np.array_equal(alone, pixels[:, :32])
    session = Session(view=asked)
    assert np.array_equal(session.pixels(), pixels) and np.array_equal(session.pixels(first=True), alone)


@pytest.mark.window
def test_a_mistake_is_told_and_changes_nothing(running):
    status = meanwhile(running, lambda: raw(running.server, "POST", body='{"format": "x"}', authorization=right(running.server)))
    assert status[0] == 400 and "not a saved view" in status[1] and running.state == START
    meanwhile(running, lambda: running.client.show(START.put(Source("no such network"))))
    with pytest.raises(RemoteError, match="no such network"):
        meanwhile(running, running.client.values)
    meanwhile(running, lambda: running.client.show(START))
    assert meanwhile(running, running.client.values).shape == (3, 32, 32)


@pytest.mark.window
def test_the_end_of_the_window_is_an_answer(tmp_path):
    running = Running(tmp_path)
    server = RemoteServer(0, running.window.wake)
    running.app.attached.append(server)
    found = []
    thread = threading.Thread(target=lambda: found.append(raw(server, authorization=right(server))), daemon=True)
    thread.start()
    until = time.monotonic() + DEADLINE_S
    while server._asked.empty() and time.monotonic() < until:
        pass
    running.close()
    thread.join(DEADLINE_S)
    assert found and found[0][0] == 503


def test_a_session_needs_no_window():
    session = Session(str(GOLDEN / "tiny_r.pkl"))
    first = session.values()
    assert first.shape == (3, 32, 32) and session.facts().name == "tiny_r"
    session.edit(Latent, x=1.0)
    golden = np.load(GOLDEN / "tiny_r.npz")["image"][1]
    assert np.abs(session.values() - golden).max() <= 1e-4 * np.abs(golden).max()
    assert session.pixels().dtype == np.uint8 and session._repr_png_()[:4] == b"\x89PNG"
    session.edit(Tap, layer=session.facts().taps[0].name)
    assert session.values().shape[0] == session.facts().taps[0].channels
    session.edit(Equivariance, on=True)
    assert session.frame().overlays["equivariance"].fraction == 1
    session.show(ViewState().put(Source("no such network")))
    with pytest.raises(RemoteError, match="no such network"):
        session.values()


@pytest.mark.window
def test_the_notebook_runs_from_its_first_cell_to_its_last(running, monkeypatch):
    """As somebody would run it beside a window that was opened with --remote."""
    path = GOLDEN.parent.parent / "viz" / "guide" / "notebook.ipynb"
    cells = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert len(cells) >= 5 and all(not c["outputs"] for c in cells)
    monkeypatch.setenv("ALIASFREE_ADDRESS", running.server.address)
    monkeypatch.setenv("ALIASFREE_TOKEN", running.server.token)
    names: dict = {}

    def work():
        for cell in cells:
            exec("".join(cell["source"]), names)

    meanwhile(running, work)
    assert isinstance(names["session"], Session) and isinstance(names["window"], Client)
    assert running.state.get(Pose).turns == 19 / 20 and names["pixels"].shape == (32, 32, 3)
    assert names["values"].shape == (3, 64, 64) and names["result"].fraction == 1


@pytest.mark.window
def test_the_flag_opens_the_window_to_this_machine(tmp_path, monkeypatch, capsys):
    from viz import cli

    asked = []
    monkeypatch.setattr("viz.app.run", lambda options: asked.append(options) or 0)
    assert cli.run(["--fresh", "--remote", "--remote-port", "8123", "tiny.pkl"]) == 0
    assert cli.run(["--fresh", "tiny.pkl"]) == 0
    assert [options.remote_port for options in asked] == [8123, None]
    running = Running(tmp_path)
    server = remote_server.attach(running.app, 0)
    try:
        printed = capsys.readouterr().out
        assert server.address in printed and server.token in printed and running.app.attached[-1] is server
    finally:
        running.close()
