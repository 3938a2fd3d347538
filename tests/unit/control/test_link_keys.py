"""The keys of links: made once, private, read in order."""

from pathlib import Path

import pytest

from control.link_keys import ensure_link_keys, link_keys


def test_the_first_start_makes_a_private_key_and_the_next_ones_keep_it(tmp_path: Path):
    path = tmp_path / "home" / "links.keys"
    ensure_link_keys(path, lambda: "a" * 40)
    ensure_link_keys(path, lambda: "b" * 40)
    assert link_keys(path) == ("a" * 40,)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["links.keys"]


def test_several_keys_are_read_in_their_order(tmp_path: Path):
    path = tmp_path / "links.keys"
    path.write_text("new\n\nold\n")
    path.chmod(0o600)
    assert link_keys(path) == ("new", "old")


@pytest.mark.parametrize(("text", "mode", "why"), [("key", 0o644, "chmod 600"), ("\n", 0o600, "random characters")])
def test_a_file_that_is_no_secret_is_refused_with_what_to_do(tmp_path: Path, text: str, mode: int, why: str):
    path = tmp_path / "links.keys"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(ValueError, match=why):
        link_keys(path)


def test_a_missing_file_is_told_with_its_setting(tmp_path: Path):
    with pytest.raises(ValueError, match="DUNLIN_LINK_KEYS_FILE"):
        link_keys(tmp_path / "links.keys")
