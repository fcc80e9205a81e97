"""E-mail addresses, phone numbers and names in the one form under which they are compared.

Belongs here: normal forms, which addresses are no person's own, which domain tells a company. Does not belong
here: when two records are one person (`identity`).
"""

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType
from phonenumbers import timezone as phone_zones

GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
"""Dots before the @ mean nothing here, nor does what follows a plus sign.

Source: Google Help, "Dots don't matter in Gmail addresses"; "Send emails from a different address or alias".
"""

ROLE_NAMES = frozenset(
    """abuse account accounting accounts admin administrator all archive billing bounce bounces buchhaltung
    bilgi career careers contact contacto contato customerservice desk destek do-not-reply do_not_reply donotreply
    einkauf email enquiries enquiry feedback finance hello help helpdesk hi hostmaster hr iletisim info
    information inquiries inquiry invoice invoices it jobs kontakt list mail mailer-daemon marketing muhasebe
    news newsletter no-reply no_reply noreply notification notifications office operations ops order orders
    postmaster press purchasing reception rechnung registration returns root sales satis security service
    servicedesk shop staff support system team ticket tickets verkauf web webmaster""".split()  # noqa: SIM905 - a list of words reads best as words
)
"""Local parts that belong to a function, not to a person (RFC 2142 and everyday use in three languages)."""

FREE_MAIL_DOMAINS = frozenset(
    """126.com 163.com aim.com aol.com arcor.de att.net bellsouth.net bk.ru bluewin.ch btinternet.com charter.net
    comcast.net cox.net duck.com earthlink.net email.com fastmail.com fastmail.fm freenet.de free.fr gmail.com
    googlemail.com hey.com hushmail.com icloud.com inbox.ru interia.pl laposte.net libero.it list.ru mac.com
    mail.com mail.de mail.ru mailbox.org me.com mynet.com naver.com ntlworld.com o2.pl onet.pl orange.fr
    posteo.de posteo.net proton.me protonmail.com qq.com rambler.ru rediffmail.com rocketmail.com sbcglobal.net
    seznam.cz sfr.fr shaw.ca sina.com sky.com t-online.de talktalk.net telenet.be terra.com.br tiscali.it tuta.com
    tutanota.com ukr.net uol.com.br verizon.net virgilio.it virginmedia.com wanadoo.fr web.de wp.pl yandex.ru
    yeah.net ymail.com zohomail.com""".split()  # noqa: SIM905 - as above
)
"""Mail providers where anybody has an address: sharing the domain says nothing."""

FREE_MAIL_BRANDS = frozenset({"gmx", "hotmail", "live", "msn", "outlook", "yahoo", "yandex"})
"""Providers with a domain in many countries (`yahoo.co.uk`), told by the name before the country's ending."""

_ADDRESS = re.compile(
    r"(?P<local>\"[^\"\\\r\n]+\"|[^\s@\"<>(),:;\[\]\\]+)@(?P<domain>[^\s@\"<>(),:;\[\]\\]+)"
)
_DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
_COUNTRY_ENDING = re.compile(r"(?:co|com|ne|net|or)\.[a-z]{2}|[a-z]{2,3}")
_LETTERS = str.maketrans(
    {"ı": "i", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_NO_NAME = re.compile(r"[^\w]+|[\d_]+")


def normalise_email(text: str, ignore_plus_at: Collection[str] = ()) -> str | None:
    """An address in the form under which it is compared; None where it is none.

    Small letters throughout, the domain in its ASCII form. At Gmail without dots and without `+…`, and
    `googlemail.com` is `gmail.com`. Elsewhere `anna+shop@` and `anna@` stay two addresses.

    Args:
        text: the address, perhaps with `mailto:` or angle brackets around it.
        ignore_plus_at: domains of which it is known that what follows a plus sign means nothing.
    """
    plain = unicodedata.normalize("NFKC", text).strip().strip("<>").strip()
    found = _ADDRESS.fullmatch(re.sub("^mailto:", "", plain, flags=re.IGNORECASE))
    domain = _ascii_domain(found["domain"]) if found else None
    if found is None or domain is None:
        return None
    local = found["local"].lower()
    if domain in GMAIL_DOMAINS:
        domain, local = "gmail.com", local.partition("+")[0].replace(".", "")
    elif domain in ignore_plus_at:
        local = local.partition("+")[0]
    return f"{local}@{domain}" if local else None


def normalise_phone(text: str, region: str | None) -> str | None:
    """A number as E.164 (`+905321234567`); None where it is none that could be dialled.

    Args:
        text: as it was written.
        region: country (ISO 3166, two letters) of numbers written without one; None: such numbers give None.
    """
    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", text), region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def region_of_zone(time_zone: str) -> str | None:
    """The country in which numbers of a client in this IANA zone are dialled; None where that is not sure."""
    regions = _regions_by_zone().get(time_zone, frozenset())
    return next(iter(regions)) if len(regions) == 1 else None


def normalise_name(text: str) -> str:
    """Words of a name without accents, case, marks or order: `Öztürk, Ayşe` and `ayse ozturk` are one."""
    folded = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return " ".join(sorted(_NO_NAME.sub(" ", plain).split()))


def is_role_address(email: str) -> bool:
    """Whether an address (normalised) belongs to a function (info@, support@), not to one person."""
    local = email.partition("@")[0].partition("+")[0]
    return local in ROLE_NAMES or local.startswith(("noreply", "no-reply", "donotreply", "bounce"))


def organisation_domain(email: str) -> str | None:
    """The domain that tells the company of an address (normalised); None at a provider open to anybody."""
    domain = email.rpartition("@")[2]
    if not domain or domain in FREE_MAIL_DOMAINS:
        return None
    brand, _, ending = domain.partition(".")
    is_free = brand in FREE_MAIL_BRANDS and _COUNTRY_ENDING.fullmatch(ending)
    return None if is_free else domain


def _ascii_domain(domain: str) -> str | None:
    try:
        plain = domain.rstrip(".").lower().encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return plain if _DOMAIN.fullmatch(plain) else None


@lru_cache(maxsize=1)
def _regions_by_zone() -> dict[str, frozenset[str]]:
    """Zone → countries, from the zones that phonenumbers gives for a typical number of each country."""
    found: dict[str, set[str]] = {}
    for region in phonenumbers.SUPPORTED_REGIONS:
        number = phonenumbers.example_number_for_type(region, PhoneNumberType.FIXED_LINE)
        for zone in phone_zones.time_zones_for_geographical_number(number) if number else ():
            found.setdefault(zone, set()).add(region)
    # Its names are older than today's, and London is Ireland's zone to it as well.
    known = {"Europe/London": {"GB"}, "Asia/Kolkata": found.get("Asia/Calcutta", set())}
    return {zone: frozenset(regions) for zone, regions in (found | known).items()}
