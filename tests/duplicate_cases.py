"""Invented pairs of tickets, each with what a careful person would say: the same request, or two.

Belongs here: the labelled pairs. Does not belong here: comparing them (`tests.bench.duplicates`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from transforms.duplicates import TicketText

START = datetime(2026, 3, 2, 9, tzinfo=UTC)

LAMP = (
    "Since this morning the lamp in our entrance does not switch on any more. We changed the bulb and looked at the"
    " fuse, so it cannot be that. Could somebody come by before Friday?"
)
LOGIN = "I cannot log in to the customer portal since the update, it always says that my password has expired."
INVOICE = "The invoice for February has the wrong address on it, please send us a corrected one."
ORDER = "My order 4711 has not arrived yet although the shop says that it was delivered on Monday."
TUERKCE = "Dün aldığım ürün kutudan kırık çıktı, lütfen yenisini gönderir misiniz yoksa para iadesi istiyorum."
DEUTSCH = "Die Spülmaschine bleibt mitten im Programm stehen und zeigt den Fehler E24, bitte schicken Sie einen Techniker."


@dataclass(frozen=True, slots=True)
class DuplicateCase:
    """Two tickets and whether they are one request."""

    name: str
    left: TicketText
    right: TicketText
    is_same: bool


def _ticket(
    key: str,
    minutes: float,
    source: str,
    subject: str,
    text: str,
    who: str = "ada@buyer.example",
    *,
    client: str = "acme",
    message_id: str | None = None,
    later: tuple[str, ...] = (),
) -> TicketText:
    at = START + timedelta(minutes=minutes)
    return TicketText(
        *(key, client, source, f"contact of {who}", subject, text, at, message_id, who, later)
    )


def _pair(
    name: str,
    is_same: bool,
    left: tuple[str, str],
    right: tuple[str, str],
    minutes: float = 12,
    people: tuple[str, str] = ("ada@buyer.example", "ada@buyer.example"),
    sources: tuple[str, str] = ("old inbox", "helpdesk"),
    clients: tuple[str, str] = ("acme", "acme"),
    ids: tuple[str | None, str | None] = (None, None),
    later: tuple[str, ...] = (),
) -> DuplicateCase:
    return DuplicateCase(
        name,
        _ticket(
            "a", 0, sources[0], *left, people[0], client=clients[0], message_id=ids[0], later=later
        ),
        _ticket("b", minutes, sources[1], *right, people[1], client=clients[1], message_id=ids[1]),
        is_same,
    )


def _forwarded(text: str, who: str = "Ada <ada@buyer.example>", subject: str = "Lamp") -> str:
    return (
        f"---------- Forwarded message ---------\nFrom: {who}\nDate: Mon, Mar 2, 2026 at 9:00\n"
        f"Subject: {subject}\nTo: <info@shop.example>\n\n{text}"
    )


def _quoted(text: str) -> str:
    lines = [text[start : start + 60] for start in range(0, len(text), 60)]
    return "Ada <ada@buyer.example> wrote on 2 March 2026:\n" + "\n".join(
        f"> {one}" for one in lines
    )


LEGAL = (
    "\n\nThis e-mail and any files transmitted with it are confidential and intended solely for the use of the individual"
    " to whom they are addressed."
)

SAME = [
    _pair("the same mail in both", True, ("Lamp", LAMP), ("Lamp", LAMP)),
    _pair("reply prefix", True, ("Lamp", LAMP), ("AW: Re: Lamp", LAMP)),
    _pair(
        "plus address",
        True,
        ("Lamp", LAMP),
        ("Lamp", LAMP),
        people=("ada@buyer.example", "ada+shop@buyer.example"),
    ),
    _pair(
        "Gmail's dots",
        True,
        ("Login", LOGIN),
        ("Login", LOGIN),
        people=("a.d.a@gmail.com", "ada@googlemail.com"),
    ),
    _pair(
        "signature in one",
        True,
        ("Lamp", LAMP),
        ("Lamp", f"{LAMP}\n\nBest regards\nAda Long\nBuyer Ltd.\n+44 20 7946 0018"),
    ),
    _pair(
        "signature with dashes",
        True,
        ("Login", LOGIN),
        ("Login", f"{LOGIN}\n-- \nAda Long, Buyer Ltd., 1 High Street"),
    ),
    _pair(
        "sent from a phone", True, ("Login", LOGIN), ("Login", f"{LOGIN}\n\nSent from my iPhone")
    ),
    _pair("legal text", True, ("Lamp", LAMP), ("Lamp", LAMP + LEGAL)),
    _pair("greeting added", True, ("Lamp", LAMP), ("Lamp", f"Dear support team,\n\n{LAMP}")),
    _pair(
        "forwarded by the desk",
        True,
        ("Lamp", LAMP),
        ("Fwd: Lamp", _forwarded(LAMP)),
        people=("ada@buyer.example", "info@shop.example"),
    ),
    _pair(
        "forwarded three hours later",
        True,
        ("Lamp", LAMP),
        ("Fwd: Lamp", _forwarded(LAMP)),
        180,
        ("ada@buyer.example", "info@shop.example"),
    ),
    _pair(
        "forwarded with a note",
        True,
        ("Lamp", LAMP),
        ("Fwd: Lamp", f"Please take this one.\n\n{_forwarded(LAMP)}"),
        30,
        ("ada@buyer.example", "info@shop.example"),
    ),
    _pair("other line breaks", True, ("Lamp", LAMP), ("Lamp", LAMP.replace(". ", ".\n\n"))),
    _pair("typos mended", True, ("Login", LOGIN), ("Login", LOGIN.replace("expired", "expird"))),
    _pair(
        "form sent twice",
        True,
        ("Login", LOGIN),
        ("Login", LOGIN),
        2,
        sources=("helpdesk", "helpdesk"),
    ),
    _pair(
        "the same in Turkish",
        True,
        ("Kırık ürün", TUERKCE),
        ("Ynt: Kırık ürün", f"{TUERKCE}\n\nSaygılarımla\nAyşe"),
    ),
    _pair(
        "the same in German",
        True,
        ("Spülmaschine", DEUTSCH),
        ("WG: Spülmaschine", f"{DEUTSCH}\n\nMit freundlichen Grüßen\nAda Lang"),
    ),
    _pair("order with its number", True, ("Order 4711", ORDER), ("Order 4711", ORDER)),
    _pair(
        "same Message-ID days later",
        True,
        ("Lamp", LAMP),
        ("Lamp", LAMP),
        4_000,
        ids=("<1@buyer.example>", "<1@buyer.example>"),
    ),
    _pair(
        "begins with a later mail",
        True,
        ("Lamp", LAMP),
        ("Re: Lamp", "Nobody came, what now? The entrance is still dark."),
        900,
        ids=("<1@buyer.example>", "<2@buyer.example>"),
        later=("<2@buyer.example>",),
    ),
    _pair("mail and portal, other subject", True, ("Lamp", LAMP), ("Electrician wanted", LAMP), 40),
    _pair("quote left below", True, ("Lamp", LAMP), ("Lamp", f"{LAMP}\n\n{_quoted(INVOICE)}")),
    _pair(
        "one sentence added",
        True,
        ("Lamp", LAMP),
        ("Lamp", f"{LAMP} The caretaker knows about it."),
    ),
    _pair(
        "said again in other words",
        True,
        ("Lamp", LAMP),
        (
            "Light",
            "Our hall light has been dead since today; bulb and fuse are fine. Please send an electrician this week.",
        ),
        30,
    ),
    _pair(
        "chat and mail, cut short",
        True,
        ("Login", LOGIN),
        ("Login", "cannot log in to portal since update, says password expired"),
        5,
    ),
]

TWO = [
    _pair(
        "two orders", False, ("Order 4711", ORDER), ("Order 4712", ORDER.replace("4711", "4712"))
    ),
    _pair(
        "two invoices",
        False,
        ("Invoice", INVOICE),
        ("Invoice", INVOICE.replace("February", "March")),
    ),
    _pair(
        "two invoices by number",
        False,
        ("Invoice 101", f"{INVOICE} It is number 101."),
        ("Invoice 102", f"{INVOICE} It is number 102."),
    ),
    _pair("two machines", False, ("Broken", LAMP), ("Broken", LAMP.replace("lamp", "heating"))),
    _pair("two floors", False, ("Lamp", LAMP), ("Lamp", LAMP.replace("entrance", "cellar"))),
    _pair(
        "monthly request",
        False,
        ("Meter reading", "Please send us the reading of the meter for our records."),
        ("Meter reading", "Please send us the reading of the meter for our records."),
        43_200,
    ),
    _pair(
        "weekly request in one source",
        False,
        ("Backup", "The weekly backup report is missing again, please have a look."),
        ("Backup", "The weekly backup report is missing again, please have a look."),
        10_080,
        sources=("helpdesk", "helpdesk"),
    ),
    _pair("the same fault next day", False, ("Login", LOGIN), ("Login", LOGIN), 1_500),
    _pair(
        "same text, two customers",
        False,
        ("Lamp", LAMP),
        ("Lamp", LAMP),
        people=("ada@buyer.example", "bob@other.example"),
    ),
    _pair(
        "same text, two colleagues",
        False,
        ("Login", LOGIN),
        ("Login", LOGIN),
        people=("ada@buyer.example", "eve@buyer.example"),
    ),
    _pair(
        "same text, two clients", False, ("Lamp", LAMP), ("Lamp", LAMP), clients=("acme", "beta")
    ),
    _pair(
        "same mail, two clients",
        False,
        ("Lamp", LAMP),
        ("Lamp", LAMP),
        clients=("acme", "beta"),
        ids=("<1@x.example>", "<1@x.example>"),
    ),
    _pair(
        "one id for all mails of a scanner",
        False,
        ("Scan", "Contract with Brown Ltd., signed on both sides."),
        ("Fault", "There is no toner left in the second tray."),
        ids=("<0@scanner>", "<0@scanner>"),
    ),
    _pair(
        "a translation",
        False,
        (
            "Dishwasher",
            "The dishwasher stops in the middle of the programme and shows the error E24, please send a technician.",
        ),
        ("Spülmaschine", DEUTSCH),
    ),
    _pair("another request beside", False, ("Lamp", LAMP), ("Invoice", INVOICE)),
    _pair("short words", False, ("Help", "please help"), ("Help", "please help")),
    _pair(
        "the same greeting alone",
        False,
        ("Question", "Hello, I have a question about my contract, thank you!"),
        ("Question", "Hello, I have a question about my delivery, thank you!"),
    ),
    _pair(
        "forward of somebody else's mail",
        False,
        ("Lamp", LAMP),
        ("Fwd: Lamp", _forwarded(LAMP, "Bob <bob@other.example>")),
        people=("ada@buyer.example", "info@shop.example"),
    ),
    _pair(
        "forward of another mail of the same person",
        False,
        ("Lamp", LAMP),
        ("Fwd: Invoice", _forwarded(INVOICE, subject="Invoice")),
        people=("ada@buyer.example", "info@shop.example"),
    ),
    _pair(
        "forwarded two days later",
        False,
        ("Lamp", LAMP),
        ("Fwd: Lamp", _forwarded(LAMP)),
        2_900,
        ("ada@buyer.example", "info@shop.example"),
    ),
    _pair(
        "answer that quotes the first",
        False,
        ("Lamp", LAMP),
        ("Invoice", f"{INVOICE}\n\n{_quoted(LAMP)}"),
    ),
    _pair(
        "thanks for the first",
        False,
        ("Lamp", LAMP),
        ("Re: Lamp", f"Thank you, it works again, you can close it.\n\n{_quoted(LAMP)}"),
    ),
    _pair(
        "two alerts of one host",
        False,
        ("Disk full", "Disk /var of host web-1 is 95 % full, please clean up."),
        ("Disk full", "Disk /var of host web-2 is 95 % full, please clean up."),
    ),
    _pair(
        "on and off",
        False,
        ("Alert", "The temperature in the server room has risen above the limit that was set."),
        ("Alert", "The temperature in the server room has fallen below the limit that was set."),
    ),
    _pair(
        "cancel and keep",
        False,
        ("Contract", "Please cancel my contract at the end of the month as agreed by telephone."),
        (
            "Contract",
            "Please do not cancel my contract at the end of the month as agreed by telephone.",
        ),
    ),
    _pair(
        "two parcels in Turkish",
        False,
        ("Kargo", "12345 numaralı kargom hâlâ gelmedi, nerede olduğunu söyler misiniz?"),
        ("Kargo", "67890 numaralı kargom hâlâ gelmedi, nerede olduğunu söyler misiniz?"),
    ),
]

CASES = [*SAME, *TWO]
