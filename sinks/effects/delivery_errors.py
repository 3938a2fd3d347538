"""The three ends of handing something over, to whomever: taken, not taken, and broken off when it may have been taken."""


class TemporaryFailure(Exception):
    """It was not taken, for a passing reason; `after` is how many wall seconds the other side wants to be left alone, 0 if it named none.

    The text holds no address and no number of a person.
    """

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class PermanentFailure(Exception):
    """It was rejected permanently. The text is the outcome's reason, without an address or number."""


class DeliveryUnknown(Exception):
    """The connection broke, or the other side failed, after it was handed over: it may have been taken."""
