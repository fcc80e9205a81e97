"""Invented contacts with known duplicates, any number of them, the same for one seed.

Belongs here: making people, households, companies and damaged copies. Does not belong here: matching them.

Names are as uneven as in life (a few are borne by many), one person in three shares company, domain and switchboard
with others, one in five a household. A copy differs as contacts of two systems do: slips, nicknames, initials,
swapped names, another address of mail, a missing number, a move.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

_GIVEN = [
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Elif",
    "Fatma",
    "Georg",
    "Hannah",
    "Igor",
    "Julia",
    "Karl",
    "Lena",
    "Mehmet",
    "Nora",
    "Omar",
    "Paula",
    "Quentin",
    "Rosa",
    "Samuel",
    "Thomas",
    "Ursula",
    "Victor",
    "Wanda",
    "Xenia",
    "Yusuf",
    "Zoe",
    "Michael",
    "Robert",
    "William",
    "Elizabeth",
    "Katherine",
    "James",
    "Margaret",
    "Peter",
    "Maria",
    "Ahmet",
    "Ayse",
    "Stefan",
    "Alexander",
    "Christian",
    "Daniel",
    "Martin",
    "Susan",
    "Barbara",
    "Joseph",
    "Andrew",
    "Emma",
    "Lukas",
    "Laura",
    "Jonas",
    "Sofia",
]
_STARTS = [
    "Al",
    "Ber",
    "Cor",
    "Dan",
    "El",
    "Fal",
    "Gar",
    "Hol",
    "In",
    "Jor",
    "Kal",
    "Lam",
    "Mor",
    "Nor",
    "Os",
    "Per",
    "Quin",
    "Ros",
    "Sal",
    "Tor",
    "Ul",
    "Var",
    "Wes",
    "Yil",
    "Zim",
]
_MIDDLES = [
    "",
    "a",
    "e",
    "i",
    "o",
    "u",
    "ar",
    "en",
    "il",
    "on",
    "ur",
    "ach",
    "ell",
    "inn",
    "ost",
    "und",
]
_ENDS = [
    "er",
    "mann",
    "sen",
    "son",
    "ov",
    "ski",
    "oglu",
    "ez",
    "ini",
    "ard",
    "berg",
    "feld",
    "stein",
    "ton",
    "well",
    "ley",
    "man",
    "dorf",
    "ic",
    "u",
]
_STREETS = [
    "Oak",
    "Mill",
    "Church",
    "Station",
    "Garden",
    "River",
    "Hill",
    "Market",
    "School",
    "Castle",
    "Lake",
    "Forest",
    "Bridge",
    "Field",
    "Abbey",
]
_KINDS = ["Street", "Road", "Avenue", "Lane", "Way"]
_CITIES = [f"{a}{b}" for a in _STARTS for b in ("ford", "ham", "stadt", "ville", "bury", "köy")]
_FREE = ("gmail.com", "outlook.com", "web.de", "yahoo.com", "gmx.net")
_NICK = {
    "Robert": "Bob",
    "William": "Bill",
    "Elizabeth": "Liz",
    "Katherine": "Kate",
    "James": "Jim",
    "Michael": "Mike",
}


@dataclass(frozen=True, slots=True)
class Contact:
    """One record; `person` is the truth."""

    key: str
    person: int
    given: str
    family: str
    email: str
    phone: str
    company: str
    street: str
    city: str
    postcode: str


def contacts(records: int, seed: int = 7, duplicates: float = 0.1) -> Iterator[Contact]:
    """So many records, of which a share are damaged copies of earlier ones."""
    maker = _Maker(random.Random(seed), records)
    originals = records - int(records * duplicates)
    recent: list[Contact] = []
    made = 0
    for person in range(originals):
        contact = maker.person(person, recent)
        recent.append(contact)
        if len(recent) > 200:
            recent.pop(0)
        yield contact
        while made < (person + 1) * (records - originals) // originals:
            made += 1
            yield maker.copy(maker.random.choice(recent), f"d{made:08d}")


class _Maker:
    def __init__(self, source: random.Random, records: int) -> None:
        self.random = source
        families = max(200, int(records**0.75))
        self._families = list(
            dict.fromkeys(
                source.choice(_STARTS)
                + source.choice(_MIDDLES)
                + source.choice(_MIDDLES)
                + source.choice(_ENDS)
                for _ in range(families)
            )
        )
        self._taken: set[str] = set()
        self._companies = max(20, records // 30)

    def person(self, number: int, recent: list[Contact]) -> Contact:
        pick = self.random
        given = _GIVEN[min(int(pick.expovariate(1) * 12), len(_GIVEN) - 1)]
        if pick.random() < 0.3:
            given = (
                pick.choice(_STARTS)
                + pick.choice(_MIDDLES)
                + pick.choice(("a", "o", "is", "ina", "us", "ian"))
            )
        families = self._families
        family = families[min(int(pick.expovariate(1) * len(families) / 12), len(families) - 1)]
        city = pick.randrange(len(_CITIES))
        street = f"{pick.choice(_STREETS)}{pick.choice(_ENDS)} {pick.choice(_KINDS)} {pick.randrange(1, 180)}"
        postcode = f"{10_000 + city * 40 + pick.randrange(40)}"
        phone = f"+49{pick.randrange(150, 180)}{pick.randrange(10_000_000, 99_999_999)}"
        company = ""
        local = self._local(given, family)
        email = f"{local}@{pick.choice(_FREE)}"
        if pick.random() < 0.35:
            firm = min(int(pick.expovariate(1) * self._companies / 6), self._companies)
            maker = random.Random(firm)
            company = f"{maker.choice(_STARTS)}{maker.choice(_ENDS)} {maker.choice(('Systems', 'Trading', 'Logistics', 'Labs'))} {firm} GmbH"
            email = f"{local}@firm{firm}.example"
            if pick.random() < 0.4:
                phone = f"+4930{1_000_000 + firm * 7}"
        elif recent and pick.random() < 0.3:
            other = pick.choice(recent)
            while given == other.given:
                given = pick.choice(_GIVEN)
            family = other.family if pick.random() < 0.8 else family
            street, city, postcode = other.street, _CITIES.index(other.city), other.postcode
            phone = other.phone if pick.random() < 0.4 else phone
            email = f"{self._local(given, family)}@{pick.choice(_FREE)}"
        email = self._free(email)
        return Contact(
            f"c{number:08d}",
            number,
            given,
            family,
            email,
            phone,
            company,
            street,
            _CITIES[city],
            postcode,
        )

    def _free(self, email: str) -> str:
        """The address, or one like it that nobody has yet."""
        local, _, domain = email.partition("@")
        # Dots mean nothing at some providers, so that they do not tell two people apart here either.
        while (plain := local.replace(".", "") + domain) in self._taken:
            local = f"{local}{self.random.randrange(10)}"
        self._taken.add(plain)
        return f"{local}@{domain}"

    def _local(self, given: str, family: str) -> str:
        pick = self.random
        plain = family.lower()
        form = pick.choice(("{g}.{f}", "{i}{f}", "{g}{f}", "{g}.{f}{n}", "{f}{n}", "{w}{n}"))
        return form.format(
            g=given.lower(),
            i=given[0].lower(),
            f=plain,
            n=pick.randrange(1, 999),
            w=pick.choice(_STREETS).lower() + pick.choice(_ENDS),
        )

    def copy(self, one: Contact, key: str) -> Contact:
        pick = self.random
        given, family, email, phone = one.given, one.family, one.email, one.phone
        changed = replace(one, key=key)
        draw = pick.random
        if draw() < 0.12:
            given = _NICK.get(given, given)
        if draw() < 0.08:
            given = given[:1] + "."
        if draw() < 0.12:
            given = self._slip(given)
        if draw() < 0.12:
            family = self._slip(family)
        if draw() < 0.05:
            given, family = family, given
        if draw() < 0.04:
            given = ""
        if draw() < 0.15:
            email = ""
        elif draw() < 0.2:
            email = self._free(f"{self._local(one.given, one.family)}@{pick.choice(_FREE)}")
        elif draw() < 0.08:
            email = self._slip(email)
        if draw() < 0.25:
            phone = ""
        elif draw() < 0.1:
            phone = f"+49{pick.randrange(150, 180)}{pick.randrange(10_000_000, 99_999_999)}"
        elif draw() < 0.3:
            phone = "0" + phone[3:]
        if draw() < 0.3:
            changed = replace(
                changed, street="", city="" if draw() < 0.5 else one.city, postcode=""
            )
        elif draw() < 0.1:
            changed = replace(changed, street=self._slip(one.street))
        if draw() < 0.3:
            changed = replace(changed, company="")
        return replace(changed, given=given, family=family, email=email, phone=phone)

    def _slip(self, text: str) -> str:
        if len(text) < 3:
            return text
        at = self.random.randrange(1, len(text) - 1)
        letter = self.random.choice("aeinrst")
        return self.random.choice(
            (
                text[:at] + text[at + 1 :],
                text[:at] + letter + text[at:],
                text[:at] + letter + text[at + 1 :],
                text[:at] + text[at + 1] + text[at] + text[at + 2 :],
            )
        )
