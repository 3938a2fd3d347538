"""Secrets that sign webhooks: a rotation leaves time for both ends (B92)."""

from pathlib import Path

import pytest
from standardwebhooks import Webhook

from control.webhook_secrets import begin_rotation, create, finish_rotation, secret_of, secrets_in

OLD, NEW = secret_of(b"o" * 32), secret_of(b"n" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create(tmp_path / "crm.secrets", OLD)
    return tmp_path / "crm.secrets"


def test_both_sign_until_the_rotation_is_finished_and_the_file_stays_private(path: Path) -> None:
    assert begin_rotation(path, NEW) == 2
    assert secrets_in(path) == [OLD, NEW]
    assert path.stat().st_mode & 0o777 == 0o600
    assert finish_rotation(path) == 1
    assert secrets_in(path) == [NEW]
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_lost_by_rotating_twice_or_finishing_what_was_not_begun(path: Path) -> None:
    with pytest.raises(ValueError, match="no rotation"):
        finish_rotation(path)
    begin_rotation(path, NEW)
    with pytest.raises(ValueError, match="under way"):
        begin_rotation(path, NEW)
    assert secrets_in(path) == [OLD, NEW]


def test_an_existing_file_is_never_begun_anew(path: Path) -> None:
    with pytest.raises(FileExistsError):
        create(path, NEW)
    assert secrets_in(path) == [OLD]


def test_a_secret_is_what_the_library_takes() -> None:
    assert Webhook(NEW)._whsecret == b"n" * 32
