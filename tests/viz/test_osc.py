"""Open Sound Control in: real datagrams on this machine's own interface, to a window that runs."""

from __future__ import annotations

import argparse
import difflib
import socket
import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from tests.viz.panels.shown import alias_free_facts
from tests.viz.test_app import Running
from viz.cli.arguments import osc_place
from viz.cli.window import add_window_arguments
from viz.errors import CommandError
from viz.guide import text
from viz.remote import listening, osc
from viz.remote.addresses import OscError, addresses, applied, table
from viz.remote.osc import OscInput
from viz.state import Channels, Latent, LatentPath, LearnedPose, Pose, Slice, Tap, Truncation, Unwarp, ViewState

DEADLINE_S = 30
FACTS = alias_free_facts(translation_limit=0.7)


# ---------------------------------------------------------------------------------------------------------- addresses


def test_the_guide_lists_every_address():
    page = text.source("beyond-the-window")
    assert "\n".join(table()) in page, "in place of the table there belongs:\n" + "\n".join(table())


def test_every_address_has_the_range_of_its_control_and_sets_what_it_names():
    for address in addresses().values():
        assert address.low < address.high or address.choices or address.type is bool, address.path
        value = address.choices[-1] if address.choices else address.checked(1e300 if address.type is not bool else 1)
        view = applied(ViewState(), None, address.path, (value,))
        assert getattr(view.get(address.kind), address.field) == value, address.path
        assert ViewState.from_json(view.to_json()) == view, f"{address.path}: what comes in can be saved and opened"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("/pose/turns", 0.1, Pose(turns=0.1)),
        ("/Pose/turns", -6.75, Pose(turns=0.25)),
        ("/pose/turns", 0.5, Pose(turns=0.5)),  # the end of a fader
        ("/pose/turns", 0.625, Pose(turns=-0.375)),
        ("/learned_pose/turns", 1.25, LearnedPose(turns=0.25)),
        ("/pose/scale", 100.0, Pose(scale=4.0)),
        ("/pose/mirror", 1.0, Pose(mirror=True)),
        ("/pose/mirror", False, Pose()),
        ("/pose/x", 0.10000000149011612, Pose(x=0.1)),
        ("/pose/x", 5.0, Pose(x=0.7)),  # what this network has learned to draw
        ("/truncation/cutoff", 3.4, Truncation(cutoff=3)),
        ("/LatentPath/position", 1.5, LatentPath(position=1.5)),
        ("/channels/mode", "pca", Channels(mode="pca")),
        ("/layer", "next", Tap()),
        ("/layer", "previous", Tap("L10_64_3")),
        ("/layer", "L3_52_96", Tap("L3_52_96")),
        ("/layer", "output", Tap()),
    ],
)
def test_values_are_kept_within_the_controls_range(path, value, expected):
    assert applied(ViewState(), FACTS, path, (value,)).get(type(expected)) == expected


@pytest.mark.parametrize(
    ("path", "values", "sentence"),
    [
        ("/pose/turn", (0.1,), "did you mean /pose/turns?"),
        ("/source/network", ("http://example.org/a.pkl",), "there is no address"),
        ("/device/device", ("cuda",), "there is no address"),
        ("/own_latent/file", ("a.npz",), "there is no address"),
        ("/pose/turns", ("a lot",), "a number is expected"),
        ("/pose/turns", (float("nan"),), "a number is expected"),
        ("/pose/turns", (None,), "a number is expected"),
        ("/pose/turns", ([0.1],), "a number is expected"),
        ("/pose/turns", (), "comes with 0 values"),
        ("/latent/x", (1.0, 2.0), "comes with 2 values"),
        ("/channels/mode", ("all",), "one of rgb, single"),
        ("/channels/mode", (1,), "one of rgb, single"),
        ("/layer", ("L99",), "next, previous, or input"),
    ],
)
def test_what_cannot_be_is_said_with_its_address(path, values, sentence):
    with pytest.raises(OscError, match="/") as said:
        applied(ViewState(), FACTS, path, values)
    assert sentence in str(said.value) and len(str(said.value)) < 400


# --------------------------------------------------------------------------------------------------------- datagrams


class Listening(Running):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.osc = OscInput(wake=self.window.wake)
        self.app.attached.append(self.osc)
        self.client = SimpleUDPClient(*self.osc.place)

    def close(self) -> None:
        self.client._sock.close()
        super().close()


@pytest.fixture
def running(tmp_path):
    running = Listening(tmp_path)
    yield running
    running.close()


def until(running, done):
    end = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < end, f"never came: {running.app.toasts.texts}"
        running.ui.frames(1)


def test_a_message_sets_its_field_and_leaves_the_path_that_would_hide_it(running):
    running.app.state = running.state.put(LatentPath((1, 2), 0.5))
    running.client.send_message("/latent/x", 2.5)
    until(running, lambda: running.state.get(Latent).x == 2.5)
    assert running.state.get(LatentPath) == LatentPath()
    until(running, lambda: running.app.good.request.view.get(Latent).x == 2.5)


def test_a_stream_is_one_step_of_undo_and_asks_for_few_pictures(running):
    running.ui.frames(3)
    before, steps, requests = running.state, len(running.app.history.past), running.app.requests
    for i in range(1, 501):
        running.client.send_message("/pose/turns", i / 1000)
        if i % 100 == 0:
            running.ui.frames(1)
    until(running, lambda: running.state.get(Pose).turns == 0.5)
    assert running.app.requests - requests <= 12, "one a frame at most, not one a message"
    assert len(running.app.history.past) == steps, "the gesture goes on"
    until(running, lambda: len(running.app.history.past) > steps)
    running.ui.key("ctrl+z")
    assert len(running.app.history.past) == steps and running.state == before


def test_a_bundle_is_taken_whole_and_every_step_between_layers_counts(running):
    bundle = OscBundleBuilder(IMMEDIATELY)
    for path, value in (("/unwarp/on", True), ("/layer", "previous"), ("/layer", "previous"), ("/truncation/psi", 0.5)):
        message = OscMessageBuilder(path)
        message.add_arg(value)
        bundle.add_content(message.build())
    running.client.send(bundle.build())
    until(running, lambda: running.state.get(Truncation).psi == 0.5)
    names = [tap.name for tap in running.app.good.network.taps]
    assert running.state.get(Unwarp).on and running.state.get(Tap).layer == names[-3]


def test_what_is_wrong_is_said_once_and_changes_nothing(running, caplog):
    before = running.state
    for _ in range(3):
        running.client.send_message("/pose/turns", "a lot")
        running.client.send_message("/nothing", 1.0)
        for junk in (b"", b"\0", b"/a", b"#bundle\0" + b"\xff" * 40, b"/pose/y\0,q\0\0", bytes(range(256)) * 4):
            running.client._sock.sendto(junk, running.osc.place)
        running.client.send_message("/slice/x0", 0.25)
        until(running, lambda: running.state.get(Slice).x0 == 0.25)
    assert running.state.get(Pose) == before.get(Pose) and caplog.records == []
    texts = [entry.text for entry in running.app.toasts.log.entries if "OSC" in entry.text]
    assert len(texts) == len(set(texts)) == 4 and all(entry.count == 1 for entry in running.app.toasts.log.entries)
    assert any("a lot" in text for text in texts) and any("/nothing" in text for text in texts)
    for i in range(100):
        running.client.send_message(f"/other/{i}", 1.0)
    running.client.send_message("/slice/x0", -0.25)
    until(running, lambda: running.state.get(Slice).x0 == -0.25)
    assert sum("OSC" in entry.text for entry in running.app.toasts.log.entries) <= osc.MOST_TOLD


def bundle(*elements: bytes, sizes: tuple[int, ...] = ()) -> bytes:
    parts = (struct.pack(">i", size) + each for each, size in zip(elements, sizes or map(len, elements), strict=True))
    return b"#bundle\0" + struct.pack(">Q", 1) + b"".join(parts)


MESSAGE = b"/slice/x0\0\0\0,f\0\0" + struct.pack(">f", 0.25)
ENDLESS = (  # each would keep the parser for ever, or take it where nothing is
    bundle(b"", sizes=(-4,)),
    bundle(MESSAGE, b"", sizes=(len(MESSAGE), -len(MESSAGE) - 8)),
    bundle(bundle(b"", sizes=(-4,))),
    bundle(b"", sizes=(0,)),
    bundle(MESSAGE, sizes=(1 << 30,)),
    bundle(MESSAGE) + b"\0\0\1",
    b"#bundle\0" + bytes(9),
)


def test_a_bundle_that_leads_back_does_not_keep_the_listener(running):
    """One datagram of 20 bytes, from whoever can reach the port, was the end of listening, and took a core for ever."""
    assert not any(map(osc.leads_to_its_end, ENDLESS))
    assert all(map(osc.leads_to_its_end, (b"", MESSAGE, bundle(), bundle(MESSAGE, bundle(MESSAGE), bundle()))))
    for data in ENDLESS:
        running.client._sock.sendto(data, running.osc.place)
    running.client._sock.sendto(bundle(bundle(MESSAGE)), running.osc.place)
    until(running, lambda: running.state.get(Slice).x0 == 0.25)


def test_the_deepest_bundle_costs_little():
    data = MESSAGE
    while len(data) + 20 < 65_500:
        data = bundle(data)
    began = time.perf_counter()
    assert osc.leads_to_its_end(data)
    assert time.perf_counter() - began < 2


def test_addresses_that_do_not_exist_cost_nothing_once_enough_was_said(running, monkeypatch):
    """A phone sends its position a hundred times a second, whatever the window understands."""
    running.osc._told |= {str(i) for i in range(osc.MOST_TOLD)}
    compared: list[str] = []
    monkeypatch.setattr(difflib, "get_close_matches", lambda path, *_, **__: compared.append(path) or [])
    for i in range(20):
        running.client.send_message(f"/accxyz/{i}", 1.0)
    running.client.send_message("/slice/x0", 0.25)
    until(running, lambda: running.state.get(Slice).x0 == 0.25)
    assert not compared
    with pytest.raises(OscError) as said:
        applied(ViewState(), FACTS, "/" + 60_000 * "a", (1.0,))
    assert "there is no address" in str(said.value) and len(compared[0]) <= 60, "a long name is not compared whole"


def test_it_listens_on_this_machine_only_and_ends_at_once():
    listening = OscInput()
    host, port = listening.place
    assert host == "127.0.0.1"
    begun = time.monotonic()
    listening.close()
    assert time.monotonic() - begun < osc.LOOK_S and not listening._thread.is_alive()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind((host, port))


@pytest.mark.parametrize(
    ("words", "place"),
    [("9000", ("127.0.0.1", 9000)), ("0.0.0.0:7", ("0.0.0.0", 7)), ("[::1]:9000", ("::1", 9000)), ("127.0.0.1:0", ("127.0.0.1", 0))],
)
def test_another_interface_is_named(words, place):
    assert osc_place(words) == place


@pytest.mark.parametrize("words", ["", "osc", "65536", "-1", "example.org:9000", ":9000", "1.2.3.4"])
def test_a_place_that_is_none_is_refused(words):
    with pytest.raises(argparse.ArgumentTypeError):
        osc_place(words)


def test_the_command_line_reaches_the_window(running, capsys):
    parser = argparse.ArgumentParser()
    add_window_arguments(parser)
    assert parser.parse_args([]).osc is None
    running.app.options = replace(running.app.options, osc=parser.parse_args(["--osc", "0"]).osc)
    listening.attach(running.app)
    found = running.app.attached[-1]
    assert isinstance(found, OscInput) and f"127.0.0.1, port {found.place[1]}" in capsys.readouterr().out


def test_a_taken_port_and_a_missing_package_are_sentences(running, monkeypatch):
    with pytest.raises(CommandError, match="--osc 127"):
        osc.attach(running.app, *running.osc.place)
    monkeypatch.setitem(__import__("sys").modules, "pythonosc.osc_packet", None)
    with pytest.raises(CommandError, match=r"aliasfree-visualizer\[osc\]"):
        osc.attach(running.app, "127.0.0.1", 0)
