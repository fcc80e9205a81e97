"""Triage: the first rule that fits gives a priority, and may raise a given one only if it says so."""

import pytest

from sla_rules.policy import load_policies
from sla_rules.triage import TriageOutcome, TriageTicket, triage

ROWS = "".join(f"  {p}: {{response: 1 h}}\n" for p in ("critical", "high", "medium", "low"))
TEXT = f"""
name: p
matrix:
{ROWS}
triage:
  - name: production down
    words: [down, "not working", sunucu*, çöktü]
    where: subject
    channels: [email, web]
    priority: critical
    may_raise: true
  - name: key account
    senders: ["@acme.example", boss@other.example]
    priority: high
  - name: tier
    organisations: [Globex]
    tags: [gold]
    priority: high
    may_raise: true
  - name: invoices
    categories: [billing]
    sources: [info]
    priority: low
  - name: anything about money
    words: refund
    where: body
    priority: medium
"""
RULES = load_policies(TEXT, "triage.yaml")[0].triage


@pytest.mark.parametrize(
    ("ticket", "expected"),
    [
        ({"subject": "Site is DOWN!", "channel": "email"}, ("critical", "production down")),
        ({"subject": "Site is down", "channel": "phone"}, (None, None)),
        ({"body": "Site is down", "channel": "email"}, (None, None)),
        ({"subject": "Download broken", "channel": "email"}, (None, None)),
        ({"subject": "printer not\n working", "channel": "web"}, ("critical", "production down")),
        ({"subject": "SUNUCUYA ULAŞILAMIYOR", "channel": "email"}, ("critical", "production down")),
        ({"subject": "Sistem ÇÖKTÜ", "channel": "email"}, ("critical", "production down")),
        ({"sender": "ann@ACME.example"}, ("high", "key account")),
        ({"sender": "Boss@other.example"}, ("high", "key account")),
        ({"sender": "x@notacme.example"}, (None, None)),
        ({"sender": "x@acme.example.evil.example"}, (None, None)),
        ({"organisation_name": "GLOBEX", "tags": ("gold",)}, ("high", "tier")),
        ({"organisation_name": "Globex"}, (None, None)),
        ({"category": "Billing", "source_key": "info"}, ("low", "invoices")),
        ({"body": "I want a refund."}, ("medium", "anything about money")),
        # The first that fits wins.
        (
            {"subject": "down", "channel": "email", "sender": "a@acme.example"},
            ("critical", "production down"),
        ),
    ],
)
def test_the_first_rule_that_fits_gives_the_priority(ticket, expected):
    assert triage(RULES, TriageTicket(**ticket)) == TriageOutcome(*expected)


@pytest.mark.parametrize(
    ("given", "ticket", "expected"),
    [
        # A rule that may raise does; one that may not leaves what the source gave.
        ("low", {"subject": "down", "channel": "email"}, ("critical", "production down")),
        ("low", {"sender": "a@acme.example"}, ("low", None)),
        # It never lowers, and an equal priority stays the source's own.
        ("critical", {"organisation_name": "Globex", "tags": ("gold",)}, ("critical", None)),
        ("high", {"organisation_name": "Globex", "tags": ("gold",)}, ("high", None)),
        # A word that is no priority counts as none given.
        ("P3", {"body": "refund"}, ("medium", "anything about money")),
    ],
)
def test_a_given_priority_is_only_ever_raised(given, ticket, expected):
    assert triage(RULES, TriageTicket(**ticket, priority=given)) == TriageOutcome(*expected)


def test_without_rules_the_source_decides():
    assert triage((), TriageTicket(priority="low")) == TriageOutcome("low")
    assert triage((), TriageTicket()) == TriageOutcome(None)


def test_words_are_words_and_no_patterns():
    rules = load_policies(TEXT.replace("down, ", "'a.c (x', "), "t.yaml")[0].triage
    assert triage(rules, TriageTicket(subject="abc (x", channel="email")).rule is None
    assert triage(rules, TriageTicket(subject="A.C (X", channel="email")).rule == "production down"
