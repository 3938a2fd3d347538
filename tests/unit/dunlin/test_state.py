"""The state file tells other programs the truth about the stack, whole and privately."""

from dunlin.stack import state


def a_state() -> state.StackState:
    kafka = state.PartState(phase="ready", ready=True, pid=42, restarts=1, ports={"clients": 9092}, urls={"bootstrap": "127.0.0.1:9092"})
    return state.StackState(supervisor=7, home="/somewhere", phase="ready", ready_after=1.2, parts={"kafka": kafka})


def test_what_is_written_is_read(tmp_path):
    state.write(tmp_path, a_state())
    assert state.read(tmp_path) == a_state()


def test_only_the_owner_may_read_it(tmp_path):
    state.write(tmp_path, a_state())
    assert state.file_of(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_rewrite_replaces_the_file_and_never_edits_it(tmp_path):
    state.write(tmp_path, a_state())
    with state.file_of(tmp_path).open() as opened_before:
        state.write(tmp_path, state.StackState(supervisor=8, home="/elsewhere"))
        assert '"supervisor": 7' in opened_before.read()
    assert [path.name for path in state.file_of(tmp_path).parent.iterdir()] == ["stack.json"]


def test_before_the_first_stack_there_is_no_state(tmp_path):
    assert state.read(tmp_path) is None
