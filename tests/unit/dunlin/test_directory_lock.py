"""A directory belongs to one program."""

import os

import pytest

from dunlin.stack import directory_lock


def test_a_second_owner_is_refused_and_told_who_is_first(tmp_path):
    fd = directory_lock.acquire(tmp_path)
    with pytest.raises(directory_lock.InUseError, match=f"process {os.getpid()}"):
        directory_lock.acquire(tmp_path)
    os.close(fd)


def test_the_lock_ends_with_its_descriptor(tmp_path):
    os.close(directory_lock.acquire(tmp_path))
    assert not directory_lock.is_held(tmp_path)
    os.close(directory_lock.acquire(tmp_path))


def test_asking_does_not_take_the_lock(tmp_path):
    fd = directory_lock.acquire(tmp_path)
    assert directory_lock.is_held(tmp_path)
    os.close(fd)
    assert not directory_lock.is_held(tmp_path)


def test_a_lock_without_a_readable_pid_is_still_a_lock(tmp_path):
    fd = directory_lock.acquire(tmp_path)
    (tmp_path / "pid").unlink()
    with pytest.raises(directory_lock.InUseError, match="another process"):
        directory_lock.acquire(tmp_path)
    os.close(fd)
