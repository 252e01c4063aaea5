"""What is personal is found by its form; versions, dates, prices and code, which look like it, stay."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caif.feedback.personal import Mask, masked

PERSONAL = {
    "email": [
        "ann@example.org", "ann.b+news@mail.example.co.uk", "björn@exämple.de", "a_b@x-y.io", "mailto:ann@example.org",
    ],
    "phone": [
        "+49 30 1234567", "+1 (415) 555-2671", "+44 20 7946 0958", "+33.1.23.45.67.89", "+4915112345678", "0049 30 1234567",
        "415-555-2671", "(415) 555-2671", "1-800-555-0199", "415.555.2671", "01 23 45 67 89", "01.23.45.67.89",
        "030 12345678", "07700 900123", "(020) 7946 0958", "0151/12345678", "+49 (0)30 123456",
    ],
    "card": ["4111 1111 1111 1111", "4111-1111-1111-1111", "4111111111111111", "378282246310005", "3782 822463 10005"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "FR14 2004 1010 0505 0001 3M02 606"],
    "ip": ["203.0.113.7", "192.168.1.20", "8.8.8.8", "2001:db8::8a2e:370:7334", "fe80::1ff:fe23:4567:890a",
           "2001:0db8:85a3:0000:0000:8a2e:0370:7334"],
    "address": ["221B Baker Street", "1600 Pennsylvania Avenue", "12 Old Mill Rd.", "742 Evergreen Terrace, Apt 3",
                "Hauptstraße 12", "Musterstr. 5a", "12 rue de la Paix", "P.O. Box 1234", "Postfach 4711"],
}  # fmt: skip
INNOCENT = [
    "Python 3.11.7 and torch 2.10.0", "version 1.2.3.4", "release 10.0.19041.1", "v2.0.0.1", "firmware 12.1.0.9",
    "127.0.0.1:8080", "netmask 255.255.255.0", "listen on 0.0.0.0", "section 1.2.3.4",
    "2024-01-02", "01.02.2024", "01-02-2024 10:30", "2024-01-02T10:30:00", "02/01/2024", "12:30:45", "1999-2004", "1700000000",
    "1700000000123", "the 2008 Wall Street crash", "in 1929 Wall Street fell", "a 2 way street",
    "$1,234.56", "€1.234,56", "1 234 567", "USD 4,000,000", "3.141592653589793", "1e-10", "100000000", "+1,000,000",
    "x = a[10:20]; y = 0x1F", "std::vector<int> a;", "bad::face", "for (i = 0; i < 1000; i++)", "git@github.com:caif/caif.git",
    "@app.route('/')", "npm i react@18.2.0", "a@b", "1234567890123456", "4111 1111 1111 1112", "ISBN 978-3-16-148410-0",
    "rgb(255, 128, 0)", "10 000 m", "1/2 + 3/4 = 5/4", "(1) first (2) second", "§ 123 Abs. 2", "100 200 300 400 500",
    "MAC 00:1A:2B:3C:4D:5E", "sha 89ab12cd34ef5678", "room 101", "chapter 11", "call 911", "phone 12 Pro", "<email-1>", "<phone-12>",
    "DE88370400440532013000", "AB12 IS NOT AN ACCOUNT NUMBER AT ALL", "I live 3 miles from Main Street", "0.4111111111111111",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "said"), [(kind, said) for kind, all_said in PERSONAL.items() for said in all_said])
def test_what_is_personal_is_masked_wherever_it_stands(kind, said):
    """The whole of it goes, and what stands around it stays."""
    prefix = "mailto:" if said.startswith("mailto:") else ""
    for around in ("{}", "Write to {}, please.", "({})", "it is:\n{}\nthanks", '"{}"'):
        assert masked(around.format(said)) == around.format(f"{prefix}<{kind}-1>")


@pytest.mark.parametrize("said", INNOCENT)
def test_what_only_looks_like_it_stays(said):
    """A text that has lost its versions, dates and prices is no use for training."""
    for around in ("{}", "It is {} there", "a, {}."):
        assert masked(around.format(said)) == around.format(said)


def test_a_number_behind_a_word_that_says_so_is_a_phone_number():
    """Without a country code or the usual groups it is a number like any other."""
    assert masked("my phone: 5552671 and 5552671 apples") == "my phone: <phone-1> and 5552671 apples"
    assert masked("call me at 415 555 2671 or later") == "call me at <phone-1> or later"


def test_the_same_find_has_the_same_placeholder_throughout_a_conversation():
    """However it is written; another find has another number, and kinds are numbered apart."""
    mask = Mask()
    assert mask("ann@x.org, bob@x.org") == ("<email-1>, <email-2>", ["email", "email"])
    assert mask("ANN@x.org or +49 30 1234567") == ("<email-1> or <phone-1>", ["email", "phone"])
    assert mask("+49-30-1234567") == ("<phone-1>", ["phone"])


PIECES = st.sampled_from(
    [*(said for all_said in PERSONAL.values() for said in all_said), *INNOCENT, " ", "-", ".", "1", "+", "@", "a"]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=8).map("".join) | st.text("0123456789 +-.:@()abZ/", max_size=60)


@settings(deadline=None, max_examples=150)
@given(text=TEXTS)
def test_a_masked_text_holds_nothing_more_and_is_not_changed_again(text):
    """What stood beside a find is looked at once more when that is gone; so masking twice is masking once."""
    once, _ = Mask()(text)
    assert Mask()(once) == (once, [])


@settings(deadline=None)
@given(
    said=st.lists(st.sampled_from([one for all_said in PERSONAL.values() for one in all_said]), min_size=1, max_size=5)
)
def test_nothing_of_what_was_planted_is_left(said):
    """Told by the values themselves, not by the patterns that found them."""
    text = masked(" and then ".join(said))
    assert not any(one.removeprefix("mailto:") in text for one in said)
    assert not re.search(r"\d{3}", re.sub(r"<\w+-\d+>", "", text))


@pytest.mark.parametrize(
    "text", ["a" * 50_000 + "@", "a.b" * 17_000, "A-" * 25_000, "1 A " * 12_500, "1.1." * 12_500, "AB12" * 12_500,
             "+1 " * 17_000, "phone 1 " * 6_000, "1 " * 25_000, "2001:" * 10_000, "a@a." * 12_500, "Aa " * 17_000, "0" * 50_000,
             "12 rue de " * 5_000, "01 " * 17_000],
    ids=lambda text: text[:8],
)  # fmt: skip
def test_no_text_takes_long(text):
    """50,000 characters made to lead patterns astray are done in a moment: nothing is looked at twice without bound."""
    started = time.process_time()
    masked(text)
    assert time.process_time() - started < 2
