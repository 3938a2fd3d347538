"""The length of a text as telephones count it."""

import pytest

from recovery.presentation.messages.gsm import fits, plain, segments
from sinks.effects.sms import phones


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("ç" + "a" * 69, 1),
        ("ç" + "a" * 70, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("", 1),
    ],
)
def test_segments_are_counted_as_networks_count_them(text, number):
    """An escaped letter takes two places and is never torn apart; one letter outside of GSM-7 makes all letters wide."""
    assert segments(text) == number


def test_what_fits_is_what_the_standard_lists():
    assert fits("à é è ù ì ò ä ö ü ß ñ Ç € [x] ~ @ £")
    assert not any(fits(letter) for letter in "áíóúêçôîûâ’“–ł\u202f\xa0")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Café Ñandú", "Café Ñandu"),
        ("Pâtisserie Ça", "Patisserie Ça"),
        ("O’Neill – Sons", "O'Neill - Sons"),
        ("Łódź", "Łódź"),
        ("コーヒー", "コーヒー"),
    ],
)
def test_a_name_loses_an_accent_and_never_a_letter(name, shown):
    assert plain(name) == shown


@pytest.mark.parametrize(
    ("customer", "number", "why"),
    [
        ({"phone": "+49 (0) 151 1234 5678"}, "+4915112345678", ""),
        ({"phone": "0151 12345678", "address": {"country": "DE"}}, "+4915112345678", ""),
        ({"phone": "415-555-2671", "address": {"country": "us"}}, "+14155552671", ""),
        ({"phone": "0151 12345678"}, "", "unusable_phone"),
        ({"phone": "+49 30 901820"}, "", "unusable_phone"),
        ({"phone": "+44 909 879 0000"}, "", "unusable_phone"),
        ({"phone": "ask my wife"}, "", "unusable_phone"),
        ({"phone": None}, "", "no_phone"),
        ({}, "", "no_phone"),
    ],
)
def test_only_a_number_that_can_read_a_text_is_used(customer, number, why):
    """B55: landlines and dear numbers are none."""
    assert phones.of_customer(customer) == (number, why)
