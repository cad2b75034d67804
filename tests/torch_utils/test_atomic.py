"""Files that appear whole or not at all."""

import os
import sys

import pytest

from torch_utils.atomic import atomic


def test_a_file_appears_whole_with_the_rights_of_the_users_other_files(tmp_path, monkeypatch):
    (tmp_path / "plain").touch()
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("another thread's file would be made with these rights"))
    with atomic(tmp_path / "file") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "file").exists()
    assert (tmp_path / "file").read_text() == "new" and {p.name for p in tmp_path.iterdir()} == {"plain", "file"}
    assert sys.platform == "win32" or (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_fails_half_way_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic(path) as temporary:
        temporary.write_text("ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_that_was_meant_and_not_the_temporary_one(tmp_path):
    with pytest.raises(FileNotFoundError) as gone, atomic(tmp_path / "nowhere" / "file"):
        pass
    with pytest.raises(OSError) as full, atomic(tmp_path / "file"):
        raise OSError(28, "No space left on device")
    with pytest.raises(OSError) as other, atomic(tmp_path / "file"):
        (tmp_path / "other").read_bytes()
    files = [error.value.filename for error in (gone, full, other)]
    assert files == [str(tmp_path / "nowhere" / "file"), str(tmp_path / "file"), str(tmp_path / "other")]


@pytest.mark.skipif(sys.platform == "win32", reason="links and rights of POSIX")
def test_a_link_stays_a_link_and_a_private_file_private(tmp_path):
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "settings.json", tmp_path / "settings.json"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to("there/settings.json")
    with atomic(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink() and real.read_text() == "new" and real.stat().st_mode & 0o777 == 0o600
    dangling = tmp_path / "dangling"
    dangling.symlink_to("there/none")
    with atomic(dangling) as temporary:
        temporary.write_text("made")
    assert (tmp_path / "there" / "none").read_text() == "made" and dangling.is_symlink()


@pytest.mark.skipif(sys.platform != "linux", reason="names of 255 bytes")
@pytest.mark.parametrize("name", ["n" * 251 + ".npz", "語" * 83 + "a.npz"], ids=["ascii", "wide"])
def test_a_name_may_be_as_long_as_the_system_has_it(name, tmp_path):
    with atomic(tmp_path / name) as temporary:
        temporary.write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == [name]
