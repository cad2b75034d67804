"""Downloads: progress, continue, cancel, and every way in which a server can fail. On this machine only."""

import contextlib
import errno
import hashlib
import http.server
import json
import shutil
import ssl
import threading

import pytest

from networks.loading import LoadCancelled, LoadError, connection, fetch, load, loader
from networks.loading.cache import download_of
from tests.networks.loading.pickles import GOLDEN, call, pickled
from tests.networks.loading.server import Site, serving

DATA = (GOLDEN / "tiny_r.pkl").read_bytes()


@pytest.fixture
def site():
    with serving(Site(DATA)) as served:
        yield served


def left_behind(folder):
    """Names of cached files, without locks."""
    return sorted(path.name.split("-", 1)[-1] for path in folder.iterdir() if path.suffix != ".lock") if folder.exists() else []


def test_a_download_is_reported_loaded_and_kept(site, cache_folder):
    seen = []
    loaded = load(site.url, progress=lambda *said: seen.append(said))
    assert loaded.kind == "snapshot" and loaded.ref == site.url and loaded.notes == ()
    assert loaded.sha256 == hashlib.sha256(DATA).hexdigest()
    downloading = [(done, total) for done, total, text in seen if text.startswith("Downloading")]
    assert downloading[-1] == (len(DATA), len(DATA)) and downloading == sorted(downloading) and len(downloading) > 1
    load(site.url)
    assert site.ranges == [None]  # asked once
    assert loaded.path.parent == cache_folder and loaded.path.read_bytes() == DATA


def test_an_interrupted_download_continues(site, cache_folder):
    site.stop_after = 40_000
    with pytest.raises(LoadError, match=r"download failed|40,000 bytes arrived where"):
        load(site.url)
    assert not download_of(site.url).complete and download_of(site.url).partial.stat().st_size == 40_000
    site.stop_after = None
    first = []
    loaded = load(site.url, progress=lambda *said: first.append(said))
    assert site.ranges == [None, "bytes=40000-"]
    assert loaded.sha256 == hashlib.sha256(DATA).hexdigest()
    assert first[0][0] == 40_000
    assert not any(name.endswith((".part", ".part.json")) for name in left_behind(cache_folder))


def test_a_file_that_changed_meanwhile_is_not_spliced(site):
    site.stop_after = 40_000
    with pytest.raises(LoadError):
        load(site.url)
    site.stop_after, site.etag, site.data = None, '"two"', (GOLDEN / "tiny_t.pkl").read_bytes()
    assert load(site.url).sha256 == hashlib.sha256(site.data).hexdigest()


def test_a_server_without_ranges_starts_again(site):
    site.stop_after, site.ranged = 40_000, False
    with pytest.raises(LoadError):
        load(site.url)
    site.stop_after = None
    assert load(site.url).sha256 == hashlib.sha256(DATA).hexdigest()


def test_without_an_etag_nothing_is_continued(site):
    site.stop_after, site.etag = 40_000, ""
    with pytest.raises(LoadError):
        load(site.url)
    site.stop_after = None
    assert load(site.url).size_bytes == len(DATA)
    assert site.ranges == [None, None]


def test_a_part_that_is_longer_than_the_file_starts_again(site):
    place = download_of(site.url)
    place.partial.parent.mkdir(parents=True)
    place.partial.write_bytes(DATA + b"more")
    place.partial_origin.write_text(json.dumps({"validator": site.etag}))
    assert load(site.url).size_bytes == len(DATA)
    assert site.ranges == [f"bytes={len(DATA) + 4}-", None]


@pytest.mark.parametrize("lie", [{"skew": 7}, {"etag": '"two"'}, {"etag": ""}])
def test_a_server_that_continues_another_file_is_asked_from_the_start(site, lie):
    """Elsewhere, by another name, or (with no name at all) one of another length: nothing is spliced, and no retry is needed."""
    site.stop_after = 40_000
    with pytest.raises(LoadError, match="kept and continued"):
        load(site.url)
    site.stop_after, site.lies, site.data = None, True, (GOLDEN / "tiny_t.pkl").read_bytes()
    for name, value in lie.items():
        setattr(site, name, value)
    assert load(site.url).sha256 == hashlib.sha256(site.data).hexdigest()
    assert site.ranges == [None, "bytes=40000-", None]


def test_a_server_that_gives_pieces_gets_there(site):
    site.stop_after = 40_000
    with pytest.raises(LoadError):
        load(site.url)
    site.stop_after, site.piece = None, 60_000
    with pytest.raises(LoadError, match=f"100,000 bytes arrived where {len(DATA):,} were announced"):
        load(site.url)  # its Content-Length is that of the piece
    assert load(site.url).sha256 == hashlib.sha256(DATA).hexdigest()


def test_what_cannot_be_continued_is_neither_kept_nor_promised(site, cache_folder):
    site.stop_after, site.etag = 40_000, ""
    with pytest.raises(LoadError) as caught:
        load(site.url)
    assert "kept" not in str(caught.value)
    assert not any(name.endswith(".part") for name in left_behind(cache_folder))


def test_cancelling_stops_and_a_retry_continues(site, cache_folder):
    def cancelled():
        return any(done >= 16_000 for done, _, _ in seen)

    seen = []
    with pytest.raises(LoadCancelled):
        load(site.url, progress=lambda *said: seen.append(said), cancelled=cancelled)
    assert not download_of(site.url).complete
    assert load(site.url).sha256 == hashlib.sha256(DATA).hexdigest()


def test_cancelling_does_not_wait_for_a_silent_server(site):
    site.stop_after, site.stall = 20_000, threading.Event()
    stop, ended = threading.Event(), []

    def run():
        try:
            load(site.url, cancelled=stop.is_set, progress=lambda done, total, text: arrived.set() if done >= 20_000 else None)
        except LoadCancelled:
            ended.append("cancelled")

    arrived = threading.Event()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert arrived.wait(20)
    stop.set()
    thread.join(20)  # the server itself would stay silent for 30 seconds
    assert ended == ["cancelled"] and not site.stall.is_set()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": 404}, r"the server answered 404 .*Check the address"),
        ({"status": 503}, r"the server answered 503 .*Try again later"),
        ({"announced": len(DATA) + 100}, "download failed|bytes arrived where"),
        ({"announced": 1 << 60}, "no room"),
        ({"data": b"<html>sign in</html>", "content_type": "text/html; charset=utf-8"}, "gives a web page"),
        ({"data": b"<html>sign in</html>"}, "is a web page"),
        ({"data": b""}, "is empty"),
        ({"redirect": "file:///etc/passwd"}, "the server redirects .* to nowhere on the web"),
        ({"redirect": "ftp://127.0.0.1:9/network.pkl"}, "redirects to a ftp: address, which is not followed"),
        ({"redirect": "/network.pkl"}, "the server redirects in a circle.* Check the address"),
        ({"status": 206, "skew": 9}, "nobody had asked for"),
        ({"status": 403}, r"the server answered 403 .*web browser"),
        ({"status": 429, "headers": {"Retry-After": "120"}}, r"the server answered 429 .*120 seconds of patience"),
        ({"headers": {"Content-Encoding": "gzip"}}, r"sent it packed \(gzip\).*web browser"),
    ],
)
def test_servers_that_fail_leave_nothing_in_the_way_of_a_retry(site, changes, message, cache_folder):
    for name, value in changes.items():
        setattr(site, name, value)
    with pytest.raises(LoadError, match=message) as caught:
        load(site.url)
    assert caught.value.what == site.url
    assert not download_of(site.url).complete
    for name, value in vars(Site(DATA)).items():
        if name in changes:
            setattr(site, name, value)
    assert load(site.url).sha256 == hashlib.sha256(DATA).hexdigest()


def test_nobody_there_is_a_clear_error(site):
    with serving(Site(DATA)) as gone:
        url = gone.url
    with pytest.raises(LoadError, match="download failed"):
        load(url)


@pytest.mark.parametrize("silent_from", [0, 40_000])
def test_a_silent_server_is_given_up(site, monkeypatch, silent_from):
    monkeypatch.setattr(connection, "TIMEOUT_S", 0.2)
    site.stop_after, site.stall = silent_from, threading.Event()
    with pytest.raises(LoadError, match="the server was silent for"):
        load(site.url)


@pytest.mark.parametrize("error", [KeyError("unforeseen"), OSError(113, "No route to host"), ssl.SSLCertVerificationError()])
def test_whatever_ends_the_connection_ends_the_download(site, monkeypatch, error):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr(connection.urllib.request, "build_opener", failing)
    with pytest.raises(LoadError, match=r"unforeseen|No route to host|certificate"):
        load(site.url)


def test_what_a_server_says_cannot_draw_on_the_terminal(site, monkeypatch):
    monkeypatch.setattr(http.server.BaseHTTPRequestHandler, "responses", {404: ("\x1b[2Jgone", "")})
    site.status = 404
    with pytest.raises(LoadError) as caught:
        load(site.url)
    assert "\x1b" not in str(caught.value) and "gone" in str(caught.value)


def test_no_redirection_leaves_https():
    request = connection.urllib.request.Request("https://example.org/a")
    with pytest.raises(OSError, match="unprotected"):
        connection._SafeRedirects().redirect_request(request, None, 302, "", {}, "http://example.org/a")


def test_a_length_that_nobody_announced_is_fine(site):
    site.announced = -1
    totals = set()
    assert load(site.url, progress=lambda done, total, text: totals.add(total)).size_bytes == len(DATA)
    assert None in totals


def test_a_download_that_is_no_network_is_not_kept(site, cache_folder):
    site.data = pickled(call("os", "system", "true"))
    with pytest.raises(LoadError, match=r"os\.system"):
        load(site.url)
    assert not download_of(site.url).complete
    site.data = DATA
    assert load(site.url).kind == "snapshot"


def test_what_was_downloaded_and_is_no_network_takes_no_room(site, cache_folder):
    site.data = b"<html>sign in</html>" * 100
    with pytest.raises(LoadError, match="is a web page"):
        load(site.url)
    assert not [path.name for path in download_of(site.url).file.parent.iterdir() if path.stat().st_size]


def test_a_changed_checksum_is_told(site):
    first = load(site.url).sha256
    download_of(site.url).forget()
    assert load(site.url).notes == ()
    download_of(site.url).forget()
    site.data = (GOLDEN / "tiny_t.pkl").read_bytes()
    loaded = load(site.url)
    assert len(loaded.notes) == 1 and first in loaded.notes[0] and loaded.sha256 in loaded.notes[0]
    assert load(site.url).notes == loaded.notes  # and still told when it comes from the cache


def test_two_downloads_of_one_file_do_not_meet(site):
    fcntl = pytest.importorskip("fcntl")
    place = download_of(site.url)
    place.file.parent.mkdir(parents=True)
    with place.file.with_name(place.file.name + ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LoadError, match="being downloaded already"):
            load(site.url)
    assert load(site.url).size_bytes == len(DATA)


def test_a_download_that_another_process_has_just_finished_is_taken(site, monkeypatch):
    place = download_of(site.url)
    monkeypatch.setattr(fetch, "_exclusive", lambda *_: contextlib.nullcontext(place.file.write_bytes(DATA)))
    assert load(site.url).size_bytes == len(DATA) and site.ranges == []


def test_a_kept_copy_that_was_damaged_is_thrown_away_and_one_that_lacks_memory_is_not(site, monkeypatch):
    def out_of_memory(*_):
        raise MemoryError

    place = download_of(site.url)
    with monkeypatch.context() as planted:
        planted.setattr(loader, "fill", out_of_memory)
        with pytest.raises(LoadError, match="not enough memory"):
            load(site.url)
    assert load(site.url).size_bytes == len(DATA) and site.ranges == [None]
    place.file.write_bytes(DATA[:50_000])
    with pytest.raises(LoadError, match="The copy that was kept of it is thrown away: another try downloads it again"):
        load(site.url)
    assert load(site.url).size_bytes == len(DATA) and site.ranges == [None, None]


def test_a_checksum_that_cannot_be_noted_down_is_no_reason_not_to_show_the_network(site, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download_of(site.url).__class__, "remember", full)
    assert "could not be noted down (No space left on device)" in load(site.url).notes[0]


def test_a_full_disk_is_a_clear_error(site, monkeypatch):
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(LoadError, match="no room"):
        load(site.url)


def test_a_cache_that_cannot_be_written_is_a_clear_error(site, cache_folder):
    cache_folder.parent.mkdir(parents=True)
    cache_folder.write_text("a file in the way")
    with pytest.raises(LoadError, match="could not be written"):
        load(site.url)


def test_links_in_a_shared_cache_lead_nowhere(site, cache_folder, tmp_path):
    """Somebody else's links under the names of a lock and of a part: what they lead to was cut off, and then filled with the download."""
    mine = tmp_path / "letter"
    mine.write_text("dear all")
    place = download_of(site.url)
    cache_folder.mkdir(parents=True, exist_ok=True)
    for name in (place.partial, place.file.with_name(place.file.name + ".lock")):
        name.symlink_to(mine)
    assert load(site.url).path.read_bytes() == DATA
    assert mine.read_text() == "dear all"


def test_a_disk_that_fills_up_on_the_way_is_told_and_the_rest_comes_later(site, cache_folder, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as planted:
        planted.setattr(fetch.os, "fsync", full)
        with pytest.raises(LoadError, match=r"could not be written \(No space left on device\).*Make room in"):
            load(site.url)
    assert not download_of(site.url).complete
    assert load(site.url).sha256 == hashlib.sha256(DATA).hexdigest()
