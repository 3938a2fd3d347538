"""No unverified byte ever gets on Kafka's class path."""

import hashlib
from pathlib import Path

import pytest

from dunlin.kafka_server import jars
from dunlin.kafka_server.pinned import JARS, Jar

CONTENT = b"the very bytes that were pinned"
JAR = Jar("org.example", "thing", "1.0", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def source(*answers):
    """A source that gives these bytes, or raises these errors, one after the other."""
    left = list(answers)

    def fetch(jar: Jar, directory: Path) -> Path:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / jar.filename
        path.write_bytes(answer)
        return path

    fetch.left = left
    return fetch


def silent(text: str) -> None:
    """Nobody listens."""


def test_the_pinned_list_has_34_different_jars_of_38_megabytes():
    assert len({jar.filename for jar in JARS}) == 34
    assert 38_000_000 < sum(jar.size for jar in JARS) < 39_000_000
    assert all(len(jar.sha256) == 64 for jar in JARS)


def test_an_absent_jar_is_fetched_and_kept(tmp_path):
    assert jars.ensure(tmp_path, [source(CONTENT)], silent, [JAR]) == [tmp_path / "thing-1.0.jar"]
    assert (tmp_path / "thing-1.0.jar").read_bytes() == CONTENT


def test_an_intact_jar_is_not_fetched_again(tmp_path):
    (tmp_path / JAR.filename).write_bytes(CONTENT)
    assert jars.ensure(tmp_path, [], silent, [JAR]) == [tmp_path / JAR.filename]


def test_a_damaged_jar_in_the_cache_is_fetched_anew(tmp_path):
    (tmp_path / JAR.filename).write_bytes(CONTENT[::-1])
    jars.ensure(tmp_path, [source(CONTENT)], silent, [JAR])
    assert (tmp_path / JAR.filename).read_bytes() == CONTENT


def test_a_download_cut_in_the_middle_is_repeated(tmp_path):
    jars.ensure(tmp_path, [source(CONTENT[:10], CONTENT)], silent, [JAR])
    assert (tmp_path / JAR.filename).read_bytes() == CONTENT


def test_wrong_bytes_of_the_right_length_are_refused_and_leave_nothing_behind(tmp_path):
    with pytest.raises(jars.JarsMissingError, match="not the pinned jar"):
        jars.ensure(tmp_path, [source(*[CONTENT[::-1]] * jars.ATTEMPTS)], silent, [JAR])
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_fails_hands_over_to_the_next(tmp_path):
    jars.ensure(tmp_path, [source(ConnectionError("no network")), source(CONTENT)], silent, [JAR])
    assert (tmp_path / JAR.filename).read_bytes() == CONTENT


def test_when_all_sources_fail_the_reasons_and_a_way_out_are_told(tmp_path):
    with pytest.raises(jars.JarsMissingError, match=r"no network.*DUNLIN_KAFKA_JARS"):
        jars.ensure(tmp_path, [source(ConnectionError("no network"))], silent, [JAR])


def test_an_offline_directory_must_be_complete_and_intact(tmp_path):
    with pytest.raises(jars.JarsMissingError, match=r"thing-1\.0\.jar"):
        jars.from_directory(tmp_path, [JAR])
    (tmp_path / JAR.filename).write_bytes(CONTENT)
    assert jars.from_directory(tmp_path, [JAR]) == [tmp_path / JAR.filename]


def test_a_local_maven_repository_is_a_source(tmp_path):
    lies = tmp_path / "repository" / JAR.path
    lies.parent.mkdir(parents=True)
    lies.write_bytes(CONTENT)
    cache = tmp_path / "cache"
    jars.ensure(cache, [jars.from_local_repository(tmp_path / "repository")], silent, [JAR])
    assert (cache / JAR.filename).read_bytes() == CONTENT
