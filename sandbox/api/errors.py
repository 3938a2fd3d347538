"""Refusals of the API, with the bodies Stripe sends (https://docs.stripe.com/api/errors)."""

from sandbox.api import payment_shapes
from sandbox.simulation.records import Charge, Invoice, Json


class Refusal(Exception):
    """An API answer that is not a success: HTTP status and the `error` hash."""

    def __init__(self, status: int, kind: str, message: str, code: str | None = None, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.error: Json = {"message": message, "type": kind, **({"code": code} if code else {}), **more}


def missing(what: str, key: str, param: str = "id", status: int = 404) -> Refusal:
    """No object of this id."""
    return Refusal(status, "invalid_request_error", f"No such {what}: '{key}'", "resource_missing", param=param)


def invalid(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    """A request that can never work unchanged: 400."""
    more = {"param": param} if param else {}
    return Refusal(400, "invalid_request_error", message, code, **more)


def card_refused(bill: Invoice, taken: Charge) -> Refusal:
    """The bank said no: 402 with the codes, the charge and the payment intent."""
    assert taken.decline is not None  # noqa: S101 - callers raise this for declined charges only
    error = payment_shapes.error(taken, taken.decline)
    if taken.decline.requires_action:
        error["code"] = "invoice_payment_intent_requires_action"
        error["decline_code"] = None
        error["message"] = "This payment requires additional user action before it can be completed successfully."
        del error["charge"]
    error["payment_intent"] = payment_shapes.payment_intent(bill)
    return Refusal(402, "card_error", error.pop("message"), error.pop("code"), **_without_type(error))


def _without_type(error: Json) -> Json:
    return {key: value for key, value in error.items() if key != "type"}
