"""A record's identities and its key: normal forms by rule, a key from the record alone."""

from collections.abc import Sequence

import pytest

from transforms.identity import first_key, identities_of
from transforms.identity_values import (
    is_role_address,
    normalise_email,
    normalise_name,
    normalise_phone,
    organisation_domain,
    region_of_zone,
)
from transforms.model import SourcePerson


def person(
    emails: Sequence[str] = (), external_id: str | None = None, *, is_agent: bool = False
) -> SourcePerson:
    return SourcePerson("7", is_agent, emails=tuple(emails), external_id=external_id)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Anna.Berg@ACME.example ", "anna.berg@acme.example"),
        ("<mailto:anna@acme.example>", "anna@acme.example"),
        ("A.n.n.a+shop@GoogleMail.com", "anna@gmail.com"),
        ("anna+shop@acme.example", "anna+shop@acme.example"),
        ("anna@müller.example", "anna@xn--mller-kva.example"),
        ("anna＠acme．example", "anna@acme.example"),
        ('"anna berg"@acme.example', '"anna berg"@acme.example'),
        ("+tag@gmail.com", None),
        ("anna@acme", None),
        ("anna@@acme.example", None),
        ("anna berg@acme.example", None),
        ("anna@acme.example, bob@acme.example", None),
        ("=cmd|calc@x", None),
        ("n/a", None),
        ("", None),
    ],
)
def test_addresses_have_one_form(text: str, expected: str | None) -> None:
    assert normalise_email(text) == expected


def test_plus_addresses_of_a_named_domain_are_one() -> None:
    assert normalise_email("anna+x@acme.example", {"acme.example"}) == "anna@acme.example"


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("0532 123 45 67", "TR", "+905321234567"),
        ("+90 (532) 123-4567", None, "+905321234567"),
        ("030 901820", "DE", "+4930901820"),
        ("0532 123 45 67", None, None),
        ("12", "DE", None),
        ("call me", "DE", None),
        ("", "DE", None),
    ],
)
def test_phone_numbers_have_one_form(text: str, region: str | None, expected: str | None) -> None:
    assert normalise_phone(text, region) == expected


def test_the_country_of_a_zone() -> None:
    zones = ("Europe/Istanbul", "Europe/Berlin", "Europe/London", "Asia/Kolkata", "UTC")
    assert [region_of_zone(zone) for zone in zones] == ["TR", "DE", "GB", "IN", None]


@pytest.mark.parametrize(
    ("left", "right", "are_one"),
    [
        ("Öztürk, Ayşe", "ayse ozturk", True),
        ("IŞIK Işıl", "isil isik", True),
        ("Müller-Weiß Jörg", "Jorg Muller Weiss", True),
        ("Anna Berg", "Anna Bergmann", False),
    ],
)
def test_names_are_compared_without_accents_and_order(left: str, right: str, are_one: bool) -> None:
    assert (normalise_name(left) == normalise_name(right)) is are_one


def test_which_domains_tell_a_company_and_which_addresses_a_function() -> None:
    free = (
        "a@gmail.com",
        "a@yahoo.co.uk",
        "a@hotmail.com",
        "a@gmx.de",
        "a@web.de",
        "a@live.com.tr",
    )
    assert [organisation_domain(email) for email in free] == [None] * len(free)
    own = ("a@acme.example", "a@yahoo.acme.example", "a@outlook-partners.example")
    assert [organisation_domain(email) for email in own] == [e.partition("@")[2] for e in own]
    assert is_role_address("info@acme.example")
    assert is_role_address("noreply-123@acme.example")
    assert not is_role_address("information.desk.anna@acme.example")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            person(["Anna@ACME.example", "info@acme.example", "a.berg@acme.example"], " 77 "),
            [
                ("email", "anna@acme.example"),
                ("email", "a.berg@acme.example"),
                ("external_id", "77"),
                ("source", "zendesk/7"),
            ],
        ),
        (person(["info@acme.example"]), [("email", "info@acme.example"), ("source", "zendesk/7")]),
        (person(["info@acme.example"], "77"), [("external_id", "77"), ("source", "zendesk/7")]),
        (person(["no address"]), [("source", "zendesk/7")]),
        (person([], "77", is_agent=True), [("source", "zendesk/7")]),
    ],
)
def test_identities_strongest_first(told: SourcePerson, expected: list[tuple[str, str]]) -> None:
    assert list(identities_of(told, "zendesk")) == expected


def test_a_key_comes_from_the_first_identity_alone() -> None:
    key = first_key("acme", "contact", "zendesk", person(["anna@acme.example", "b@acme.example"]))
    assert key == first_key("acme", "contact", "mail", person(["ANNA@acme.example"], "77"))
    assert key.startswith("contact-")
    others = {
        first_key("other", "contact", "zendesk", person(["anna@acme.example"])),
        first_key("acme", "agent", "zendesk", person(["anna@acme.example"])),
        first_key("acme", "contact", "zendesk", person(["b@acme.example"])),
        first_key("acme", "contact", "zendesk", person()),
        first_key("acme", "contact", "mail", person()),
    }
    assert len(others | {key}) == 6
