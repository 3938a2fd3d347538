"""Reads an invoice's lines: when the subscription renews next. Pure; raises UnknownShape with the path."""

from datetime import datetime

from recovery.stripe.fields import Object, id_of, listed, moment_at, part


def renews_at(invoice: Object) -> datetime | None:
    """The end of the latest period that the invoice pays in advance: the next renewal (B46). None where its lines do not show it.

    The invoice's own period is the past one; that of its lines is the one paid for. Raises UnknownShape.
    """
    created = moment_at(invoice, "created", "invoice")
    ends = [end for line in listed(invoice, "lines", "invoice") if _of_subscription(line) and (end := _end(line)) is not None]
    return max((end for end in ends if created is None or end > created), default=None)


def _end(line: Object) -> datetime | None:
    return moment_at(part(line, "period", "invoice.lines.data[]"), "end", "invoice.lines.data[].period")


def _of_subscription(line: Object) -> bool:
    where = "invoice.lines.data[]"
    parent = part(line, "parent", where)  # since basil
    details = part(parent, "subscription_item_details", f"{where}.parent")
    return bool(id_of(details, "subscription", where) or id_of(line, "subscription", where))
