"""Chords that are over before a frame is drawn."""

from gui_utils.chords import Chords
from gui_utils.libraries import glfw

CTRL_DOWN, CTRL_UP = (glfw.KEY_LEFT_CONTROL, 0, glfw.PRESS, 0), (glfw.KEY_LEFT_CONTROL, 0, glfw.RELEASE, 2)
Z_DOWN, Z_UP = (glfw.KEY_Z, 0, glfw.PRESS, 2), (glfw.KEY_Z, 0, glfw.RELEASE, 0)


def test_a_modifier_goes_up_after_the_frame_that_saw_its_key():
    passed = []
    chords = Chords(passed.append)
    for event in (CTRL_DOWN, Z_DOWN, CTRL_UP, Z_UP) * 2:  # tapped twice within one frame
        chords.key(event)
    assert passed == [CTRL_DOWN, Z_DOWN]
    assert chords.frame_drawn()
    assert passed == [CTRL_DOWN, Z_DOWN, CTRL_UP, Z_UP, CTRL_DOWN, Z_DOWN]
    assert chords.frame_drawn()
    assert passed == [CTRL_DOWN, Z_DOWN, CTRL_UP, Z_UP] * 2
    assert not chords.frame_drawn()


def test_nothing_waits_without_need():
    passed = []
    chords = Chords(passed.append)
    for event in (CTRL_DOWN, CTRL_UP, Z_DOWN, Z_UP):
        chords.key(event)
    assert passed == [CTRL_DOWN, CTRL_UP, Z_DOWN, Z_UP]
    chords.key(CTRL_DOWN)
    chords.key(Z_DOWN)
    assert not chords.frame_drawn()
    chords.key(CTRL_UP)  # a frame has seen the chord
    assert passed[-1] == CTRL_UP
