"""Every line of a part is kept, with its part's name."""

import io

from dunlin.stack.console import Console, LogFile


def test_a_line_is_shown_with_its_parts_name_and_logged_as_it_was(tmp_path):
    out, log = io.StringIO(), LogFile(tmp_path / "logs" / "kafka.log")
    Console(out, ["kafka", "clickhouse"]).pump("kafka", io.BytesIO(b"one\ntwo"), log).join()
    assert out.getvalue() == "kafka      | one\nkafka      | two\n"
    assert (tmp_path / "logs" / "kafka.log").read_bytes() == b"one\ntwo\n"


def test_a_quiet_console_shows_the_stacks_own_lines_alone(tmp_path):
    out, log = io.StringIO(), LogFile(tmp_path / "kafka.log")
    console = Console(out, ["kafka"], quiet=True)
    console.pump("kafka", io.BytesIO(b"one\n"), log).join()
    console.write("hello")
    assert out.getvalue() == "dunlin | hello\n"
    assert log.tail(5) == ["one"]


def test_a_terminal_gets_a_colour_per_part(tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    Console(out, ["a", "b"]).pump("b", io.BytesIO(b"one\n"), LogFile(tmp_path / "b.log")).join()
    assert out.getvalue() == "\033[32mb      | \033[0mone\n"


def test_a_terminal_that_is_gone_does_not_stop_the_log(tmp_path):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    log = LogFile(tmp_path / "a.log")
    Console(Gone(), ["a"]).pump("a", io.BytesIO(b"one\ntwo\n"), log).join()
    assert log.tail(5) == ["one", "two"]


def test_one_older_log_is_kept(tmp_path):
    for text in (b"first\n", b"second\n", b"third\n"):
        log = LogFile(tmp_path / "a.log")
        log.write(text)
        log.close()
    assert (tmp_path / "a.log").read_bytes() == b"third\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"second\n"


def test_a_log_starts_again_at_its_limit(tmp_path):
    log = LogFile(tmp_path / "a.log", limit=10)
    for number in range(5):
        log.write(b"line %d\n" % number)
    assert (tmp_path / "a.log.1").read_bytes() == b"line 2\nline 3\n"
    assert log.tail(5) == ["line 4"]
