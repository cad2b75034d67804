"""The contract of the render thread, with a pipeline that does what the test wants."""

import threading

import pytest

from viz.render_thread import RenderThread
from viz.request import Frame, RenderError
from viz.state import Latent, Source, ViewState

DEADLINE_S = 20


class Planned:
    """A pipeline whose renders wait for `gate` and are counted."""

    def __init__(self):
        self.gate, self.entered = threading.Event(), threading.Event()
        self.seen, self.fail = [], None

    def render(self, request, *, newest=lambda: None, may_stop=False, progress=None):
        self.entered.set()
        self.seen.append((request, may_stop))
        assert self.gate.wait(DEADLINE_S)
        if self.fail:
            raise self.fail
        return None if may_stop and newest() is not None else Frame(request)

    def refine(self, frame, *, newest, settled):
        return iter(())


@pytest.fixture
def planned():
    return Planned()


@pytest.fixture
def thread(planned):
    thread = RenderThread(make=lambda: planned)
    yield thread
    planned.gate.set()
    thread.close(DEADLINE_S)
    assert not thread._thread.is_alive()


def view(x: float) -> ViewState:
    return ViewState().edit(Latent, x=x)


def test_a_thousand_requests_during_one_render_cost_two_renders(thread, planned):
    thread.submit(view(0))
    assert planned.entered.wait(DEADLINE_S)
    for i in range(1, 1001):
        thread.submit(view(i))
    planned.gate.set()
    assert thread.wait_idle(DEADLINE_S)
    assert len(planned.seen) == 2 and thread.frame.request.view == view(1000)


def test_a_frame_says_which_question_it_answers(thread, planned):
    planned.gate.set()
    ticket = thread.submit(view(3))
    assert thread.wait_idle(DEADLINE_S)
    assert (thread.frame.request.ticket, thread.frame.request.view) == (ticket, view(3))


def test_from_the_request_to_its_answer_the_thread_is_busy_at_every_moment(planned):
    class Watched(RenderThread):
        """Looks, as the window does without the lock, in the moment in which a request is taken."""

        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == "_pending" and value is None and threading.current_thread() is not threading.main_thread():
                looked.append(self.busy)

    looked: list[bool] = []
    planned.gate.set()
    thread = Watched(make=lambda: planned)
    thread.submit(view(0))
    assert thread.wait_idle(DEADLINE_S) and not thread.busy
    thread.close(DEADLINE_S)
    assert looked == [True]


def test_steady_dragging_never_starves(thread, planned):
    """A superseded synthesis may stop, but the one after it may not."""
    thread.submit(view(0))
    assert planned.entered.wait(DEADLINE_S)
    thread.submit(view(1))  # supersedes the first, which stops
    planned.gate.set()
    assert thread.wait_idle(DEADLINE_S)
    assert [may_stop for _, may_stop in planned.seen] == [True, False]
    assert thread.frame.request.view == view(1)


def test_wake_is_called_for_every_frame(planned):
    woken = threading.Event()
    planned.gate.set()
    thread = RenderThread(wake=woken.set, make=lambda: planned)
    assert thread.wait_idle(DEADLINE_S)
    woken.clear()
    thread.submit(view(1))
    assert woken.wait(DEADLINE_S)
    thread.close(DEADLINE_S)


def test_an_engine_that_cannot_start_answers_with_an_error():
    def broken():
        raise ImportError("no torch here")

    thread = RenderThread(make=broken)
    thread.submit(view(0))
    assert thread.wait_idle(DEADLINE_S)
    assert isinstance(thread.frame.error, RenderError) and "no torch here" in thread.frame.error.message
    thread.close(DEADLINE_S)
    assert not thread._thread.is_alive()


def test_an_exception_in_the_pipeline_itself_leaves_a_living_thread(thread, planned):
    planned.fail = RuntimeError("planted")
    planned.gate.set()
    thread.submit(view(0))
    assert thread.wait_idle(DEADLINE_S)
    assert "planted" in thread.frame.error.message
    planned.fail = None
    thread.submit(view(1))
    assert thread.wait_idle(DEADLINE_S) and thread.frame.error is None


def test_an_exception_while_measuring_leaves_a_living_thread(thread, planned, monkeypatch):
    def failing(frame, *, newest, settled):
        yield frame
        raise MemoryError("planted")

    planned.gate.set()
    with monkeypatch.context() as fault:
        fault.setattr(planned, "refine", failing)
        thread.submit(view(0))
        assert thread.wait_idle(DEADLINE_S)
        assert "planted" in thread.frame.error.message and thread.frame.request.view == view(0)
    thread.submit(view(1))
    assert thread.wait_idle(DEADLINE_S) and thread.frame.error is None and thread.frame.request.view == view(1)


def test_closing_stops_a_long_load():
    started = threading.Event()

    class Loading:
        def render(self, request, *, newest, may_stop, progress):
            started.set()
            deadline = threading.Event()
            while newest() is None or newest().get(Source) == request.view.get(Source):
                assert not deadline.wait(0.001)
            return None

    thread = RenderThread(make=Loading)
    thread.submit(ViewState().put(Source("elsewhere")))
    assert started.wait(DEADLINE_S)
    thread.close(DEADLINE_S)
    assert not thread._thread.is_alive()
