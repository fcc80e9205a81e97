"""acme's agents and teams, and the customers who write to them.

Belongs here: who exists. Does not belong here: what they write (`phrases`), ids in any helpdesk (`…_shape`).
"""

import re
import unicodedata
from dataclasses import dataclass
from random import Random

from pipelines.demo.hours import DAY, HOUR, ISTANBUL_OFFSET
from pipelines.demo.names import CITIES, COMPANIES, FIRST_NAMES, FREE_MAIL, LAST_NAMES

DOMAIN = "acme.example"
SHARED_ADDRESS = "info@acme.example"
LEGACY_ADDRESS = "destek@acme.example"
ZONES = {"de": "Europe/Berlin", "en": "Europe/London", "tr": "Europe/Istanbul"}
TEAMS = {"support": "Customer Care", "billing": "Billing", "engineering": "Engineering"}
HOSTILE_NAMES = ("=cmd|' /C calc'!A0", "<b>Bobby</b> @channel", "שרה לוי", "Zoë 🦊 O'Neill-Ünal")
"""One customer of each source calls himself so."""
SHIFTS = ("asia", "istanbul", "berlin")
"""Eight hours each from midnight on, Istanbul's time."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One of acme's people."""

    number: int
    name: str
    email: str
    team: str
    shift: str
    zone: str


@dataclass(frozen=True, slots=True)
class Organisation:
    """A customer's company."""

    number: int
    name: str
    domain: str
    language: str
    tier: str


@dataclass(frozen=True, slots=True)
class Customer:
    """A person who writes. `addresses` maps a source to the spelling of the address used there."""

    number: int
    name: str
    email: str
    language: str
    zone: str
    city: str
    phone: str
    sources: tuple[str, ...]
    organisation: Organisation | None = None
    other_spelling: str | None = None

    def address(self, source: str) -> str:
        """The address this person writes from in one source; only the second channel may have another spelling."""
        if self.other_spelling and len(self.sources) > 1 and source == self.sources[1]:
            return self.other_spelling
        return self.email


AGENTS: tuple[Agent, ...] = (
    Agent(1, "Mei Tanaka", "mei.tanaka@acme.example", "support", "asia", "Asia/Singapore"),
    Agent(2, "Elif Kaya", "elif.kaya@acme.example", "support", "istanbul", "Europe/Istanbul"),
    Agent(3, "Burak Şahin", "burak.sahin@acme.example", "support", "istanbul", "Europe/Istanbul"),
    Agent(4, "Jonas Weber", "jonas.weber@acme.example", "support", "berlin", "Europe/Berlin"),
    Agent(
        5, "Zeynep Arslan", "zeynep.arslan@acme.example", "billing", "istanbul", "Europe/Istanbul"
    ),
    Agent(6, "Clara Hoffmann", "clara.hoffmann@acme.example", "billing", "berlin", "Europe/Berlin"),
    Agent(7, "Arjun Nair", "arjun.nair@acme.example", "engineering", "asia", "Asia/Singapore"),
    Agent(
        8, "Can Özdemir", "can.ozdemir@acme.example", "engineering", "istanbul", "Europe/Istanbul"
    ),
    Agent(
        9, "Sophie Krüger", "sophie.krueger@acme.example", "engineering", "berlin", "Europe/Berlin"
    ),
)


def agent_on_shift(rng: Random, at: int, team: str) -> Agent:
    """Someone of the team whose shift covers the instant, else someone of the team."""
    shift = SHIFTS[(at + ISTANBUL_OFFSET) % DAY // (8 * HOUR)]
    of_team = [agent for agent in AGENTS if agent.team == team]
    on_shift = [agent for agent in of_team if agent.shift == shift]
    return rng.choice(on_shift or of_team)


def make_organisations(rng: Random) -> list[Organisation]:
    """Every company of the name list, with a contract tier."""
    tiers = ("standard", "standard", "standard", "premium", "premium", "enterprise")
    organisations: list[Organisation] = []
    for language in ("de", "en", "tr"):
        for name, domain in COMPANIES[language]:
            number = len(organisations) + 1
            organisations.append(Organisation(number, name, domain, language, rng.choice(tiers)))
    return organisations


def make_customers(
    rng: Random, organisations: list[Organisation], size: float
) -> tuple[list[Customer], list[Customer]]:
    """The customers, and those of them who write on two channels."""
    pools = (("zendesk", 470), ("freshdesk", 330), ("mail", 230), ("legacy", 130))
    two_channel = (("zendesk", "mail", 34), ("freshdesk", "mail", 20), ("zendesk", "freshdesk", 12))
    plan: list[tuple[str, ...]] = []
    for source, count in pools:
        plan += [(source,)] * max(6, round(count * size))
    for first, second, count in two_channel:
        plan += [(first, second)] * max(2, round(count * size))
    taken: set[str] = set()
    strange = dict(zip((plan.index((source,)) for source, _ in pools), HOSTILE_NAMES, strict=True))
    customers = [
        _customer(rng, number, sources, organisations, taken, strange.get(number - 1))
        for number, sources in enumerate(plan, start=1)
    ]
    return customers, [customer for customer in customers if len(customer.sources) > 1]


def _customer(
    rng: Random,
    number: int,
    sources: tuple[str, ...],
    organisations: list[Organisation],
    taken: set[str],
    strange_name: str | None,
) -> Customer:
    language = rng.choices(("tr", "de", "en"), (40, 35, 25))[0]
    first, last = rng.choice(FIRST_NAMES[language]), rng.choice(LAST_NAMES[language])
    organisation = None
    if rng.random() < 0.6:
        organisation = rng.choice([one for one in organisations if one.language == language])
    domain = organisation.domain if organisation else rng.choice(FREE_MAIL[language])
    given, family = plain_letters(first), plain_letters(last)
    forms = (f"{given}.{family}", f"{given[0]}.{family}", f"{given}{family}", f"{family}.{given}")
    local_part = rng.choice(forms)
    while f"{local_part}@{domain}" in taken:
        local_part = f"{local_part}{rng.randint(1, 99)}"
    email = f"{local_part}@{domain}"
    taken.add(email)
    other = None
    if len(sources) > 1 and number % 2 == 0:
        capital = ".".join(part.capitalize() for part in local_part.split("."))
        other = (
            f"{capital}@{domain}"
            if number % 4 == 0
            else f"{local_part}+{rng.choice(('acme', 'shop', 'support'))}@{domain}"
        )
    return Customer(
        number=number,
        name=strange_name or f"{first} {last}",
        email=email,
        language=language,
        zone=ZONES[language],
        city=rng.choice(CITIES[language]),
        phone=_phone(rng, language),
        sources=sources,
        organisation=organisation,
        other_spelling=other,
    )


def _phone(rng: Random, language: str) -> str:
    if language == "de":
        return f"+49 30 23125 {rng.randint(100, 999)}"
    if language == "en":
        return f"+44 20 7946 0{rng.randint(100, 999)}"
    return f"+90 212 555 {rng.randint(10, 99)} {rng.randint(10, 99)}"


def plain_letters(text: str) -> str:
    """Lower case without accents, fit for the left side of an address."""
    for letter, plain in (("ß", "ss"), ("ı", "i"), ("ä", "ae"), ("ö", "oe"), ("ü", "ue")):
        text = text.replace(letter, plain)
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return re.sub(r"[^a-z]", "", decomposed)
