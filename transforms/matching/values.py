"""Names, addresses and dates in the forms under which scored matching compares them.

Belongs here: one value in, its normal form out. Does not belong here: comparing two of them (`similarity`).
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from transforms.identity_values import GMAIL_DOMAINS, organisation_domain
from transforms.matching.word_lists import (
    GIVEN_NAMES,
    LEGAL_FORMS,
    NICKNAMES,
    SCRIPTS,
    SHORT_WORDS,
    STOP_WORDS,
    STREET_WORDS,
)

_WORD = re.compile(r"[^\W_]+")
_NO_LETTER = re.compile(r"[\W\d_]+")
_NO_DIGIT = re.compile(r"\D+")
_APOSTROPHE = re.compile(r"(?<=\w)['’`´](?=\w)")
_DOTTED = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_NUMBER = re.compile(r"\d+[a-z]?")
_TITLES = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "miss",
        "dr",
        "prof",
        "herr",
        "frau",
        "mme",
        "mlle",
        "sir",
        "dipl",
        "ing",
        "bay",
        "bayan",
        "jr",
        "sr",
    ]
)
_SOUNDS = (
    *(("sch", "s"), ("tch", "c"), ("ph", "f"), ("gh", "g"), ("ck", "k"), ("th", "t"), ("sh", "s")),
    *(("ch", "c"), ("dt", "t"), ("wr", "r"), ("kn", "n"), ("qu", "k"), ("x", "ks"), ("z", "s")),
    *(("c", "k"), ("q", "k"), ("v", "f"), ("w", "f"), ("j", "y"), ("h", "")),
)
_VOWELS = str.maketrans("", "", "aeiouy")
_DIGRAPHS = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("ss", "s"), ("ph", "f"), ("y", "i"))


def fold(text: str) -> str:
    """Small Latin letters without marks; Cyrillic and Greek are transliterated."""
    if text.isascii():
        return text.lower()
    plain = text.casefold().translate(SCRIPTS)
    plain = unicodedata.normalize("NFKD", plain).translate(SCRIPTS)
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def name_word(text: str) -> str:
    """A given or a family name: words parted by one blank, without titles; empty where no letter is left."""
    words = _NO_LETTER.sub(" ", _APOSTROPHE.sub("", fold(text))).split()
    return " ".join([word for word in words if word not in _TITLES] or words)


def split_name(text: str) -> tuple[str, str]:
    """(given, family) of a name in one string: the last word is the family's, or what stands before a comma."""
    first, comma, rest = text.partition(",")
    if comma and name_word(rest):
        return name_word(rest), name_word(first)
    words = name_word(text).split()
    if len(words) < 2:
        return " ".join(words), ""
    return " ".join(words[:-1]), words[-1]


def sound(word: str) -> str:
    """How a name sounds, roughly: first letter and consonants. `Meyer`, `Maier` → `mr`; empty stays empty."""
    plain = word.replace(" ", "")
    for written, heard in _SOUNDS:
        plain = plain.replace(written, heard)
    if not plain:
        return word[:1]
    rest = plain[1:].translate(_VOWELS)
    return "".join(
        letter
        for at, letter in enumerate(plain[0] + rest)
        if at == 0 or letter != (plain[0] + rest)[at - 1]
    )[:6]


def loose(word: str) -> str:
    """A name without the differences of transliteration: `mueller`, `muller` → `muler`."""
    for written, plain in _DIGRAPHS:
        word = word.replace(written, plain)
    return "".join(letter for at, letter in enumerate(word) if at == 0 or letter != word[at - 1])


@lru_cache(maxsize=1)
def _groups() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, forms in enumerate(NICKNAMES):
        for form in forms:
            found.setdefault(form, set()).add(number)
    return {form: frozenset(numbers) for form, numbers in found.items()}


def is_known_name(name: str) -> bool:
    """Whether a given name is known as such, so that it is no slip of another known one."""
    return name in GIVEN_NAMES or name in _groups()


def has_nickname(name: str) -> bool:
    """Whether other forms of a given name are known."""
    return name in _groups()


def is_nickname(left: str, right: str) -> bool:
    """Whether both are forms of one given name."""
    groups = _groups()
    return not groups.get(left, frozenset()).isdisjoint(groups.get(right, frozenset()))


def email_text(text: str) -> str:
    """An address for comparing, also where it is damaged: small letters, Gmail's and plus rules."""
    plain = text.strip().strip("<>").lower().removeprefix("mailto:")
    local, _, domain = plain.rpartition("@")
    if not local:
        return plain
    local = local.partition("+")[0] or local
    if domain in GMAIL_DOMAINS:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"


@lru_cache(maxsize=100_000)
def own_domain(domain: str) -> str:
    """A company's domain; empty for a provider open to anybody. Web addresses give their host."""
    host = re.sub(r"^[a-z]+://", "", domain.strip().lower()).partition("/")[0].removeprefix("www.")
    return organisation_domain(f"x@{host}") or "" if "." in host else ""


def phone_digits(text: str) -> str:
    """A number's digits without zeros in front; empty under seven, which is no number to know anybody by."""
    digits = _NO_DIGIT.sub("", text).lstrip("0")
    if len(digits) == 11 and digits[0] == "8" and not text.lstrip().startswith("+"):
        # Russia and Kazakhstan dial 8 where others write +7.
        digits = f"7{digits[1:]}"
    return digits if len(digits) >= 7 and len(set(digits)) > 2 else ""


def born_number(text: str) -> int:
    """`1980-12-31` → 19801231; -1 where it is no such date."""
    digits = _NO_DIGIT.sub("", text[:10])
    return int(digits) if len(digits) == 8 and digits > "10000000" else -1


def place_word(text: str) -> str:
    """A city, postcode, region or attribute as words."""
    return " ".join(_WORD.findall(_APOSTROPHE.sub("", fold(text))))


def street_parts(text: str, number: str | None) -> tuple[str, str]:
    """(street, house number): the number may stand in the street's text, before or behind the name."""
    words = _WORD.findall(_APOSTROPHE.sub("", fold(text)))
    house = place_word(number) if number else ""
    if not number:
        at = next((at for at, word in enumerate(words) if _NUMBER.fullmatch(word)), None)
        if at is not None and len(words) > 1:
            house = words.pop(at)
            # `12 Main St, Apt 4`, `1020 West Bryn Mawr 211`: what follows a leading number is a flat.
            if at == 0:
                words = [word for word in words if not word.isdigit()] or words
    kept = [STREET_WORDS.get(word, word) for word in words]
    return " ".join(word for word in kept if word) or " ".join(words), house


def organisation_words(text: str) -> tuple[str, ...]:
    """Words of an organisation's name without legal form and fillers, in their compared forms, sorted."""
    plain_text = _DOTTED.sub(lambda found: found[0].replace(".", "") + " ", fold(text))
    words = _WORD.findall(_APOSTROPHE.sub("", plain_text))
    plain = [_singular(SHORT_WORDS.get(word, word)) for word in words if word not in STOP_WORDS]
    kept = _without_legal_form(plain)
    return tuple(sorted(set(kept or plain or words)))


def _without_legal_form(words: Iterable[str]) -> list[str]:
    return [word for word in words if word not in LEGAL_FORMS]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 4 and word.endswith("s") and not word.endswith("ss") else word
