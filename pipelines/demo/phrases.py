"""Puts the phrases of `texts/` together into subjects, mails, answers and notes.

Belongs here: reading the phrase files and filling their placeholders. Does not belong here: the phrases
themselves, who says what when (`course`).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

import yaml

from pipelines.demo.hours import local
from pipelines.demo.names import ENDPOINTS, PLANS, PRODUCTS, VERSIONS
from pipelines.demo.people import Agent, Customer

LANGUAGES = ("en", "de", "tr")
SIGNATURE = {
    "en": "acme Support · info@acme.example",
    "de": "acme Support · info@acme.example",
    "tr": "acme Destek · info@acme.example",
}


@cache
def texts(name: str) -> dict[str, Any]:
    """One phrase file, read once."""
    content = files("pipelines.demo").joinpath("texts", f"{name}.yaml").read_bytes()
    loaded: dict[str, Any] = yaml.load(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    return loaded


def slots(rng: Random, customer: Customer, at: int) -> dict[str, str]:
    """What the placeholders of one case stand for; the same in all its messages."""
    language = customer.language
    euros = f"{rng.randint(9, 899)}.{rng.randint(0, 99):02d}"
    amount = {
        "de": euros.replace(".", ",") + " €",
        "en": f"£{euros}",
        "tr": f"{rng.randint(2, 40)}.{rng.randint(100, 999)},90 TL",
    }[language]
    written = local(at, customer.zone)
    weekdays = texts(f"agent_{language}")["everyday"]["weekdays"]
    return {
        "order": f"AC-{rng.randint(10000, 99999)}",
        "invoice": f"R-{written.year}-{rng.randint(1, 9999):04d}",
        "product": rng.choice(PRODUCTS),
        "amount": amount,
        "days": str(rng.randint(3, 21)),
        "user": customer.email,
        "endpoint": rng.choice(ENDPOINTS),
        "time": f"{(written.hour - rng.randint(0, 2)) % 24:02d}:{rng.choice((0, 10, 15, 30, 45)):02d}",
        "city": customer.city,
        "version": rng.choice(VERSIONS),
        "plan": rng.choice(PLANS),
        "code": str(rng.randint(100, 999)),
        "tracking": f"TR{rng.randint(10**8, 10**9 - 1)}",
        "weekday": weekdays[(written.weekday() - rng.randint(1, 4)) % 7],
    }


def subject(rng: Random, issue: str, language: str, values: Mapping[str, str]) -> str:
    """A subject line as customers write them: mostly tidy, now and then shouting or without capitals."""
    text: str = rng.choice(texts(f"customer_{language}")[issue]["subjects"]).format_map(values)
    mood = rng.random()
    if mood < 0.03 and issue != "outage":
        return text.lower()
    if mood < 0.05:
        return f"{text}!!"
    return text


def first_message(rng: Random, issue: str, customer: Customer, values: Mapping[str, str]) -> str:
    """The customer's first mail: greeting, what happened, sometimes a detail, a closing and a name."""
    language = customer.language
    wording = texts(f"customer_{language}")[issue]
    lines = [rng.choice(wording["bodies"]).format_map(values)]
    if rng.random() < 0.25:
        other = rng.choice(wording["bodies"]).format_map(values)
        if other != lines[0]:
            lines.append(other)
    details = rng.sample(wording["details"], k=rng.choices((0, 1, 2), (25, 55, 20))[0])
    lines += [detail.format_map(values) for detail in details]
    everyday = texts(f"agent_{language}")["everyday"]
    parts = [" ".join(lines)] if rng.random() < 0.8 else lines
    if rng.random() < 0.85:
        parts.insert(0, f"{rng.choice(everyday['hello'])},")
    if rng.random() < 0.85:
        parts.append(f"{rng.choice(everyday['bye'])}\n{_signature(rng, customer)}")
    return "\n\n".join(parts)


def customer_says(
    rng: Random, kind: str, issue: str, customer: Customer, values: Mapping[str, str]
) -> str:
    """A customer's later message; `kind` is a key of the everyday phrases (`customer_answers`, …)."""
    language = customer.language
    text: str = rng.choice(texts(f"agent_{language}")["everyday"][kind])
    if "{detail}" in text:
        detail = rng.choice(texts(f"customer_{language}")[issue]["details"])
        text = text.replace("{detail}", detail)
    text = text.format_map(values)
    return f"{text}\n\n{customer.name.split()[0]}" if rng.random() < 0.6 else text


def agent_says(
    rng: Random,
    kind: str,
    issue: str,
    customer: Customer,
    agent: Agent,
    values: Mapping[str, str],
) -> str:
    """An agent's public answer: `question`, `answer`, `solution`, or a key of the everyday phrases."""
    language = customer.language
    own = texts(f"agent_{language}")
    everyday = own["everyday"]
    parts: list[str] = []
    if kind in ("question", "answer", "solution"):
        if rng.random() < 0.7:
            parts.append(rng.choice(everyday["agent_thanks"]))
        parts.append(own["issues"][issue][("question", "answer", "solution").index(kind)])
        if kind == "question":
            parts.append(rng.choice(everyday["ask_back"]))
        if kind == "solution":
            parts.append(rng.choice(everyday["closing_hint"]))
    else:
        parts.append(rng.choice(everyday[kind]))
    name = customer.name.split()[0] if language == "tr" else customer.name
    hello = rng.choice(everyday["agent_hello"]).format(name=name)
    text = " ".join(parts).format_map(values)
    return f"{hello}\n\n{text}\n\n{rng.choice(everyday['agent_bye'])}\n{agent.name}\n{SIGNATURE[language]}"


def everyday(rng: Random, kind: str, language: str, **values: object) -> str:
    """One everyday phrase, e.g. `acknowledgement` with `number=`."""
    phrases: Sequence[str] = texts(f"agent_{language}")["everyday"][kind]
    return rng.choice(phrases).format_map(values)


def note(rng: Random, kind: str, **values: object) -> str:
    """An internal note, in the team's working language."""
    phrases: Sequence[str] = texts("notes")[kind]
    return rng.choice(phrases).format_map(values)


def _signature(rng: Random, customer: Customer) -> str:
    if customer.organisation is None:
        return customer.name if rng.random() < 0.6 else customer.name.split()[0]
    lines = [customer.name, customer.organisation.name]
    if rng.random() < 0.4:
        lines.append(f"Tel. {customer.phone}")
    return "\n".join(lines)
