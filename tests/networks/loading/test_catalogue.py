"""The catalogue, and what a reference means. The window asks before torch is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from networks.loading import LoadError, catalogue, resolve
from networks.loading.cache import download_of, file_name

ROOT = Path(__file__).parents[3]


def test_bundled_networks_come_first_then_the_published_ones():
    entries = catalogue()
    kinds = [entry.kind for entry in entries]
    assert kinds == sorted(kinds) and set(kinds) == {"bundled", "published"}
    assert len({entry.name for entry in entries}) == len(entries)
    published = [entry for entry in entries if entry.kind == "published"]
    assert [sum(e.name.startswith(p) for e in published) for p in ("stylegan3-r-", "stylegan3-t-", "stylegan2-")] == [6, 6, 15]


def test_a_bundled_entry_describes_its_file():
    globe = next(entry for entry in catalogue() if entry.name == "globe-r-64")
    assert (globe.kind, globe.config, globe.resolution, globe.url, globe.cached) == ("bundled", "R", 64, "", True)
    assert globe.path is not None and globe.size_bytes == globe.path.stat().st_size
    assert "public domain" in globe.licence and "Globes" in globe.description


def test_a_published_entry_shows_its_licence_and_address():
    entry = next(entry for entry in catalogue() if entry.name == "stylegan3-t-ffhqu-256x256")
    assert entry.url.endswith("/models/nvidia/research/stylegan3/versions/1/files/stylegan3-t-ffhqu-256x256.pkl")
    assert (entry.config, entry.resolution, entry.size_bytes) == ("T", 256, None)
    assert "non-commercial" in entry.licence
    dog = next(entry for entry in catalogue() if entry.name == "stylegan2-lsundog-256x256")
    assert "/research/stylegan2/" in dog.url and dog.config == "A"


def test_an_entry_knows_whether_it_is_cached():
    entry = next(entry for entry in catalogue() if entry.kind == "published")
    assert not entry.cached
    file = download_of(entry.url).file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    assert entry.cached


def test_the_catalogue_needs_neither_torch_nor_numpy():
    code = (
        "import sys; from networks.loading import catalogue, resolve, LoadError; entries = catalogue(); resolve('globe-r-64');"
        "[e.cached for e in entries]; print([m for m in ('torch', 'numpy', 'scipy', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_names_mean_networks_of_the_catalogue():
    assert resolve("globe-r-64").path == next(e.path for e in catalogue() if e.name == "globe-r-64")
    place = resolve("stylegan2-ffhq-256x256")
    assert place.path is None and place.url.endswith("stylegan2-ffhq-256x256.pkl")
    assert resolve("https://example.org/a/network.pkl").url == "https://example.org/a/network.pkl"


def test_a_path_in_the_way_of_a_name_needs_a_dot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("globe-r-64").write_bytes(b"mine")
    assert resolve("./globe-r-64").path == tmp_path / "globe-r-64"
    entry = resolve("globe-r-64").entry
    assert entry is not None and entry.kind == "bundled"


def test_a_folder_means_its_newest_snapshot(tmp_path):
    for name in ("network-snapshot-000200.pkl", "network-snapshot-001000.pkl", "network-snapshot-000999.pkl", "fakes009999.png"):
        (tmp_path / name).write_bytes(b"x")
    os.utime(tmp_path / "network-snapshot-000200.pkl", (2e9, 2e9))  # copied last, but not the furthest
    (tmp_path / "network-snapshot-999999.pkl").mkdir()
    assert resolve(tmp_path).path == tmp_path / "network-snapshot-001000.pkl"


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("", "reference is empty"),
        ("no/such/file.pkl", "no such file"),
        ("stylegan3-t-ffhqu-256x25", 'Did you mean "stylegan3-t-ffhqu-256x256"?'),
        ("globe-r-64.safetensors", 'Did you mean "globe-r-64"?'),
        ("ftp://example.org/network.pkl", "ftp:// addresses are not supported"),
        ("file:///etc/passwd", "file:// addresses are not supported"),
        ("a\0b", "not a usable path|no such file"),
        ("caf\udce9.pkl", "not valid text"),  # of an older encoding than UTF-8
        ("x" * 5000, "not a usable path"),
        (".", "holds no network-snapshot"),
    ],
)
def test_references_that_mean_nothing_are_clear_errors(ref, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoadError, match=message) as caught:
        resolve(ref)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/network.pkl?version=2", "network.pkl"),
        ("https://example.org/", "network"),
        ("https://example.org/..%2f..%2fevil", ".._evil".lstrip(".")),
        ("https://example.org/a%00b.pkl", "a_b.pkl"),
    ],
)
def test_addresses_become_harmless_file_names(url, name):
    assert file_name(url).endswith(name) and "/" not in file_name(url) and not file_name(url).startswith(".")
