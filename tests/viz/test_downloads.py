"""A network that is being downloaded holds up nothing that does not need it."""

import threading

import pytest

from tests.networks.loading.pickles import GOLDEN
from tests.networks.loading.server import Site, serving
from viz.pipeline import Pipeline
from viz.render_thread import RenderThread
from viz.state import Compare, Latent, Source, ViewState

DEADLINE_S = 30
SHOWN = ViewState().put(Source(network=str(GOLDEN / "tiny_r.pkl")))


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A server that sends a part and then nothing, until `stall` is set."""
    monkeypatch.setenv("ALIASFREE_CACHE", str(tmp_path))
    with serving(Site((GOLDEN / "tiny_t.pkl").read_bytes(), stop_after=40_000, stall=threading.Event())) as served:
        yield served


@pytest.fixture
def renderer():
    arrived = threading.Condition()

    def wake():
        with arrived:
            arrived.notify_all()

    thread = RenderThread(wake, Pipeline)

    def until(holds):
        with arrived:
            assert arrived.wait_for(holds, DEADLINE_S)
        return thread.frame

    yield thread, until
    thread.close()


def shown_at(thread, x):
    return thread.frame is not None and thread.frame.error is None and thread.frame.request.view.get(Latent).x == x


def test_the_first_view_is_dragged_while_the_network_beside_it_is_downloaded(renderer, site):
    thread, until = renderer
    view = SHOWN.put(Compare(on=True, network=site.url))
    thread.submit(view)
    until(lambda: thread.progress is not None and thread.progress.text.startswith("Downloading"))
    for x in (3.0, 4.0):
        thread.submit(view.edit(Latent, x=x))
        until(lambda x=x: shown_at(thread, x))
        until(lambda: thread.progress is not None and thread.progress.text.startswith("Downloading"))  # and goes on, and says so
    assert site.ranges == [None]


def test_a_network_that_nobody_wants_any_more_is_not_downloaded_further(renderer, site):
    thread, until = renderer
    thread.submit(SHOWN.put(Compare(on=True, network=site.url)))
    until(lambda: thread.progress is not None and thread.progress.text.startswith("Downloading"))
    thread.submit(SHOWN.edit(Latent, x=5.0))
    until(lambda: shown_at(thread, 5.0))
    until(lambda: not [t for t in threading.enumerate() if t.name == "network download" and t.is_alive()])
