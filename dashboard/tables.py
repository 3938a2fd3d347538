"""Frame to table, pure: warehouse columns in, what people read out."""

import pandas as pd

from dashboard.amounts import money
from recovery.presentation import labels
from recovery.presentation.amounts import major


def active(rows: pd.DataFrame, currency: str) -> pd.DataFrame:
    """The active failures as people read them."""
    return pd.DataFrame(
        {
            "Status": [[labels.label(labels.STATUSES, status)] for status in rows["status"]],
            "Amount": [float(major(minor, currency)) for minor in rows["amount_minor"]],
            "Decline": [code.replace("_", " ") or labels.KINDS[""] for code in rows["decline_code"]],
            "Retries": [int(n) for n in rows["retry_count"]],
            "Mails": [int(n) for n in rows["dunning_step"]],
            "Next action": [labels.label(labels.NEXT, action) for action in rows["next_action"]],
            "When": pd.to_datetime(rows["next_action_at"], utc=True),
            "Failed": pd.to_datetime(rows["opened_at"], utc=True),
            "Invoice": rows["invoice"],
            "Customer": rows["customer"],
        }
    )


def log(rows: pd.DataFrame) -> pd.DataFrame:
    """Events as people read them."""
    back = rows["event_type"].isin(["payment_recovered", "partial_payment", "recovery_reversed"])
    minors = rows["recovered_minor"].where(back, rows["amount_minor"])
    amounts = [money(int(minor), str(code)) if code else "" for minor, code in zip(minors, rows["currency"], strict=True)]
    return pd.DataFrame(
        {
            "Time": pd.to_datetime(rows["occurred_at"], utc=True),
            "Event": [labels.label(labels.EVENTS, name) for name in rows["event_type"]],
            "Result": [result.replace("_", " ") for result in rows["result"]],
            "Why": ["" if word == kind else labels.sentence(word) for word, kind in zip(rows["reason"], rows["event_type"], strict=True)],
            "Amount": amounts,
            "Status": [labels.label(labels.STATUSES, status) if status else "" for status in rows["status"]],
            "Invoice": rows["invoice"],
            "Customer": rows["customer"],
        }
    )


def not_done_groups(groups: pd.DataFrame) -> pd.DataFrame:
    """Reasons for things not done, with their numbers."""
    return pd.DataFrame(
        {
            "Not done": [labels.label(labels.NOT_DONE, what) for what in groups["not_done"]],
            "Why": [labels.sentence(reason) for reason in groups["reason"]],
            "Times": [int(n) for n in groups["n"]],
            "Payments": [int(n) for n in groups["invoices"]],
        }
    )


def not_done(rows: pd.DataFrame) -> pd.DataFrame:
    """Things not done, one by one."""
    pairs = zip(rows["amount_minor"], rows["currency"], strict=True)
    return pd.DataFrame(
        {
            "Time": pd.to_datetime(rows["occurred_at"], utc=True),
            "Not done": [labels.label(labels.NOT_DONE, what) for what in rows["not_done"]],
            "Why": [labels.sentence(reason) for reason in rows["reason"]],
            "Amount": [money(int(minor), str(currency)) if currency else "" for minor, currency in pairs],
            "Invoice": rows["invoice"],
            "Customer": rows["customer"],
        }
    )
