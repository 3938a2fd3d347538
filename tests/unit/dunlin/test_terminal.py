"""What others wrote is shown on the operator's terminal as it is: no markup, no control codes, no forged lines."""

import io

from rich.table import Table

from dunlin.cli.terminal import PlainConsole, echo
from dunlin.stack.console import Console, LogFile

HOSTILE = "in_[/red][bold]\x1b[2J\x1b]0;t\x07:smile:"
SHOWN = r"in_[/red][bold]\x1b[2J\x1b]0;t\x07:smile:"


def test_an_id_in_a_line_and_in_a_table_is_neither_markup_nor_control_code(capsys):
    console = PlainConsole()
    console.width = 200
    console.print(f"{HOSTILE} of customer cus_1", highlight=False)
    table = Table("what", box=None)
    table.add_row(HOSTILE)
    console.print(table)
    shown = capsys.readouterr().out
    assert shown.count(SHOWN) == 2
    assert "\x1b" not in shown


def test_text_on_standard_error_is_escaped_and_keeps_its_lines(capsys):
    echo(f"one\ntwo {HOSTILE}", err=True)
    assert capsys.readouterr().err == f"one\ntwo {SHOWN}\n"


def test_a_line_of_a_part_cannot_drive_the_terminal_of_the_supervisor(tmp_path):
    out = io.StringIO()
    line = b"paid\x1b[2J\x9b2J\rdunlin | all is well\n"
    Console(out, ["kafka"]).pump("kafka", io.BytesIO(line), LogFile(tmp_path / "kafka.log")).join()
    assert out.getvalue() == "kafka  | paid\\x1b[2J\ufffd2J\\rdunlin | all is well\n"
