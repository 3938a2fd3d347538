import pytest

from sandbox.api import forms
from sandbox.api.errors import Refusal
from sandbox.api.idempotency import KEPT_S, Answer, Keys
from sandbox.faults import Faults
from sandbox.pages.rendering import money


def test_nested_forms_become_nested_values() -> None:
    text = "expand[0]=a.b&expand[1]=c&created[gte]=5&invoice_settings[default_payment_method]=pm_1&types[]=x&types[]=y"
    assert forms.decode(text) == {
        "expand": ["a.b", "c"],
        "created": {"gte": "5"},
        "invoice_settings": {"default_payment_method": "pm_1"},
        "types": ["x", "y"],
    }


def test_a_repeated_call_gets_the_first_answer_for_a_day() -> None:
    keys = Keys()
    assert keys.begin("k", "POST /pay", 0.0) is None
    keys.end("k", 0.0, Answer(402, b"no"))
    assert keys.begin("k", "POST /pay", KEPT_S - 1) == Answer(402, b"no")
    assert keys.begin("k", "POST /pay", KEPT_S) is None


def test_a_key_with_other_parameters_is_an_error() -> None:
    keys = Keys()
    keys.begin("k", "POST /pay", 0.0)
    keys.end("k", 0.0, Answer(200, b"ok"))
    with pytest.raises(Refusal) as refused:
        keys.begin("k", "POST /pay?a=1", 1.0)
    assert (refused.value.status, refused.value.error["type"]) == (400, "idempotency_error")


def test_a_key_in_use_is_refused_until_its_call_ends() -> None:
    keys = Keys()
    keys.begin("k", "POST /pay", 0.0)
    with pytest.raises(Refusal) as refused:
        keys.begin("k", "POST /pay", 0.0)
    assert (refused.value.status, refused.value.error["code"]) == (409, "idempotency_key_in_use")


@pytest.mark.parametrize("status", [400, 404, 429, 503])
def test_a_call_that_was_not_executed_leaves_its_key_free(status: int) -> None:
    keys = Keys()
    keys.begin("k", "POST /pay", 0.0)
    keys.end("k", 0.0, Answer(status, b""))
    assert keys.begin("k", "POST /other", 1.0) is None


def test_ordered_faults_come_once_each_and_unknown_ones_are_refused() -> None:
    faults = Faults()
    faults.order({"pay": "cut_after", "count": 2, "seconds": 1.5}, 0.0)
    assert [fault.kind if fault else None for fault in (faults.next_pay(), faults.next_pay(), faults.next_pay())] == [
        "cut_after",
        "cut_after",
        None,
    ]
    with pytest.raises(ValueError, match="known are"):
        faults.order({"smtp": "explode"}, 0.0)


def test_the_bucket_lets_its_rate_through_and_no_more() -> None:
    faults = Faults()
    faults.order({"rate_limit": {"per_second": 2, "burst": 3}}, 100.0)
    bucket = faults.bucket
    assert bucket is not None
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(101.0) for _ in range(3)] == [True, True, False]


def test_money_is_written_with_the_currencys_own_minor_unit() -> None:
    assert money(123456, "usd") == "1,234.56 USD"
    assert money(1980, "jpy") == "1,980 JPY"
    assert money(1_234_900, "kwd") == "1,234.900 KWD"
    assert money(5, "kwd") == "0.005 KWD"
    assert money(5, "eur") == "0.05 EUR"
