"""Idempotency keys: the first answer is kept for 24 hours of business time and given again to every repeat."""

from dataclasses import dataclass, field

from sandbox.api.errors import Refusal

KEPT_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered first."""

    status: int
    body: bytes


@dataclass(slots=True)
class Keys:
    """Seen keys with a fingerprint of their parameters."""

    _answers: dict[str, tuple[str, float, Answer]] = field(default_factory=dict)
    _busy: dict[str, str] = field(default_factory=dict)

    def begin(self, key: str, call: str, at: float) -> Answer | None:
        """The first answer when this call was made before, else None and the key is in use.

        400 idempotency_error with other parameters, 409 idempotency_key_in_use while the first call still runs.
        """
        known = self._answers.get(key)
        if known is not None and at - known[1] >= KEPT_S:
            del self._answers[key]
            known = None
        running = self._busy.get(key)
        if (known and known[0] != call) or (running and running != call):
            raise Refusal(
                400,
                "idempotency_error",
                f"Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
            )
        if running:
            raise Refusal(
                409,
                "invalid_request_error",
                f"There is currently another in-progress request using this Idempotent Key ({key}).",
                "idempotency_key_in_use",
            )
        if known:
            return known[2]
        self._busy[key] = call
        return None

    def end(self, key: str, at: float, answer: Answer) -> None:
        """Keep the answer, unless it says that the request was never executed (400, 404, 409, 429)."""
        call = self._busy.pop(key)
        if answer.status in (200, 402, 500):
            self._answers[key] = (call, at, answer)
