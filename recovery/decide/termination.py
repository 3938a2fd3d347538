"""Every decision ends: a loop is held to a measure that must grow, and the events of one decision to a bound."""

EVENTS, EVENTS_OF_A_CASE = 64, 32
"""Most events of one decision: so many, and so many for each case of the row, several times what any way through the rules needs."""

WHAT_TO_DO = "Nothing was written. This is a fault of the program: report it with the dead letter, and redrive that once it is mended."


class DecisionDoesNotEnd(RuntimeError):
    """A decision came round again without progress. What caused it is dead-lettered, and the customer's row stays as it was."""


class Rounds:
    """Counts the rounds of one loop: each must begin with a greater measure than the one before."""

    __slots__ = ("_last", "_what")

    def __init__(self, what: str) -> None:
        """`what` names the loop and the case in the error's text."""
        self._what = what
        self._last: int | None = None

    def next_round(self, measure: int) -> None:
        """Begin a round. Raises DecisionDoesNotEnd when nothing came of the last one."""
        if self._last is not None and measure <= self._last:
            raise DecisionDoesNotEnd(f"{self._what} came round again without progress (still at {measure}). {WHAT_TO_DO}")
        self._last = measure


def most_events(cases: int) -> int:
    """How many events one decision about a row with so many cases may have."""
    return EVENTS + EVENTS_OF_A_CASE * cases


def too_many(customer: str, events: int) -> DecisionDoesNotEnd:
    """The error for a decision with more events than can be."""
    about = customer or "an object without a customer"
    return DecisionDoesNotEnd(f"One decision about {about} has more than {events} events. {WHAT_TO_DO}")
