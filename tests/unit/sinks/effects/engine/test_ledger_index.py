"""What the sink asks of its ledger many times a second is answered from an index, however many effects are remembered."""

import sqlalchemy as sql

from sinks.effects.engine.ledger import Ledger


def plan_of(ledger, ask):
    """How SQLite answers the last statement of a call."""
    statements = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        statements.append((statement, parameters))

    sql.event.listen(ledger.engine, "before_cursor_execute", note)
    ask()
    sql.event.remove(ledger.engine, "before_cursor_execute", note)
    statement, parameters = statements[-1]
    with ledger.engine.connect() as db:
        return " ".join(str(row[3]) for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))


def test_outcomes_that_are_not_published_are_found_by_the_index(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    plan = plan_of(ledger, ledger.to_publish)
    ledger.close()
    assert "USING INDEX effects_unfinished" in plan
    assert "SCAN" not in plan
