"""Who really wrote a mail: senders that lists, forwarders and web forms rewrote, and originals that were forwarded.

Belongs here: what headers and text tell of the writer. Does not belong here: which addresses are the desk's own
(`mail_batch`), whether a person wrote at all (`mail_automatic`).

Nothing is guessed: where a list put its own address into From and nothing tells whose mail it was, the writer has a
name and no address. A list is nobody's customer.

Source: Mailman 3, "DMARC mitigations" (From becomes `NAME via LIST <list>`, the writer goes to Reply-To or Cc);
Google Groups (X-Original-From, X-Original-Sender); the Sender Rewriting Scheme's draft (SRS0, SRS1); BATV's draft
(prvs=); RFC 5322 §3.6.6 (Resent-From tells who handed a mail on, never who wrote it).
"""

import re
from collections.abc import Callable, Sequence

from transforms.mail_addresses import mailbox_of, normalise_address, parse_addresses
from transforms.mail_headers import MailAddress
from transforms.mail_mime import Part
from transforms.quote_headers import forwarded_original
from transforms.text import is_forward

Header = Callable[[str], str]
"""Gives the unfolded value of a header by its name, "" where the mail has none."""

LONGEST_NAME = 300
"""Letters of a name that are looked at: the patterns take their square."""

_VIA = re.compile(
    r"^(?P<name>.+?)[\"'”]?\s+(?:via|über|por medio de|a través de|através de|tramite|przez|prostřednictvím|через"
    r"|経由|通过|kautta|aracılığıyla)\s+\S.*$",
    re.I,
)
_VIA_BEHIND = re.compile(r"^(?P<name>.+?)[\"'”]?,?\s+\S.*\s(?:aracılığıyla|üzerinden|経由)$", re.I)
_SRS0 = re.compile(r"^srs0[=+-][^=]*=[^=]*=(?P<domain>[^=@]+)=(?P<local>[^@]+)@", re.I)
_SRS1 = re.compile(
    r"^srs1[=+-][^=]*=[^=]*==?[^=]*=[^=]*=(?P<domain>[^=@]+)=(?P<local>[^@]+)@", re.I
)
_PRVS = re.compile(
    r"^prvs=(?:[0-9a-f]{4,12}=(?P<local>[^@]+)|(?P<first>[^=@]+)=[0-9a-f]{4,12})@(?P<domain>.+)$",
    re.I,
)
_DMARC = re.compile(
    r"^(?P<local>[^=@]+)(?:=40|=)(?P<domain>[a-z0-9-]+(?:\.[a-z0-9-]+)+)@dmarc\.", re.I
)
_BOUNCES = re.compile(r"^(?:bounces?|return|mailer-daemon|postmaster|.*-bounces?)(?:\W.*)?@", re.I)
_NO_REPLY = re.compile(
    r"^(?:no[-_.]?reply|do[-_.]?not[-_.]?reply|noreply\W.*|mailer|wordpress|webform|form|forms|formmail|web|www-data"
    r"|notifications?|kontaktformular|contact-?form|anfrage|bounce|apache|nobody)(?:\W.*)?@",
    re.I,
)


def true_sender(
    header: Header,
    sender: MailAddress | None,
    reply_to: Sequence[MailAddress],
    cc: Sequence[MailAddress],
    originals: Sequence[MailAddress],
    lists: Sequence[str] = (),
    envelope: Sequence[MailAddress] = (),
) -> MailAddress | None:
    """Who wrote the mail, where a list, a forwarder or a form put its own address into From.

    Tries what lists keep of the writer (X-Original-From and its like), then the first Reply-To that is not the
    rewriter, then a Cc entry of the same name; addresses that forwarders folded into their own are unfolded.

    Args:
        header: the mail's headers.
        sender: what From says.
        reply_to: whom answers go to.
        cc: who got a copy.
        originals: what lists kept of the writer, best first.
        lists: addresses of the lists that handed the mail on.
        envelope: the envelope's sender, where a list kept it: the last resort, bounces may go elsewhere.

    Returns:
        None where nobody is named at all; an address of "" where only a name is known.
    """
    if sender is None:
        return next((each for each in reply_to if each.address not in lists), None)
    unfolded = unfolded_address(sender.address)
    if unfolded is not None:
        return MailAddress(sender.name, unfolded)
    name = _via_name(sender.name)
    is_list = sender.address in lists
    if name is None and not is_list:
        return _behind_a_form(header, sender, reply_to)
    rewriters = {sender.address, *lists}
    kept = [each for each in originals if each.address and each.address not in rewriters]
    others = [each for each in reply_to if each.address and each.address not in rewriters]
    shown = (name or sender.name).casefold()
    same = [each for each in cc if each.address not in rewriters and each.name.casefold() == shown]
    sent_by = [
        MailAddress(each.name, unfolded_address(each.address) or each.address)
        for each in envelope
        if each.address and each.address not in rewriters and not _BOUNCES.match(each.address)
    ]
    found = next(iter((*kept, *others, *(each for each in same if each.address), *sent_by)), None)
    if found is not None:
        return MailAddress(found.name or name or sender.name, found.address)
    return MailAddress(name or sender.name, "") if is_list else sender


def unfolded_address(address: str) -> str | None:
    """The address that a forwarder folded into one of its own (SRS, BATV, `@dmarc.…`); None where there is none."""
    match = _SRS0.match(address) or _SRS1.match(address) or _DMARC.match(address)
    if match is not None:
        return normalise_address(f"{match['local']}@{match['domain']}")
    match = _PRVS.match(address)
    if match is not None:
        return normalise_address(f"{match['local'] or match['first']}@{match['domain']}")
    return None


def _via_name(name: str) -> str | None:
    name = name[:LONGEST_NAME]
    match = _VIA.match(name) or _VIA_BEHIND.match(name)
    return match["name"].strip(" \"'“”") if match else None


def _behind_a_form(
    header: Header, sender: MailAddress, reply_to: Sequence[MailAddress]
) -> MailAddress:
    """The one person whom answers go to, where a program of another domain sent the mail for them."""
    if not _NO_REPLY.match(sender.address) or header("List-Unsubscribe"):
        return sender
    others = {each.address: each for each in reply_to if each.address}
    others.pop(sender.address, None)
    if len(others) != 1:
        return sender
    only = next(iter(others.values()))
    if _NO_REPLY.match(only.address) or _site(only.address) == _site(sender.address):
        return sender
    return MailAddress(only.name or sender.name, only.address)


def _site(address: str) -> str:
    """The last two labels of an address's domain: enough to tell a company from its customers."""
    return ".".join(address.rpartition("@")[2].split(".")[-2:])


def forwarded_from(
    subject: str, text: str, enclosed: Sequence[Part], charset: str | None
) -> MailAddress | None:
    """Who wrote the mail that this one hands on; None where it is no forward or does not tell.

    An enclosed message counts where the subject is a forward's or there is next to no text beside it.
    """
    told = forwarded_original(text, subject)
    if told is not None:
        answer = told.reply_to
        return answer if answer is not None and answer.address else told.sender
    if enclosed and (is_forward(subject) or len(text.split()) < 30):
        for value in (enclosed[0].get("From"), enclosed[0].get("Sender")):
            for person in parse_addresses(value, charset):
                if person.address:
                    return person
    return None


def writer_of(
    sender: MailAddress | None,
    reply_to: Sequence[MailAddress],
    recipients: Sequence[MailAddress],
    forwarded: MailAddress | None,
    is_own: Callable[[str], bool],
) -> MailAddress | None:
    """The customer behind a mail that the desk's own address or an agent sent to the desk; else `sender`.

    A form on our site writes from our address to our address and names the customer in Reply-To; an agent forwards
    what a customer sent to them. What goes to anybody outside is the desk's own word.

    Args:
        sender: who sent it (`true_sender`).
        reply_to: whom answers go to.
        recipients: To and Cc.
        forwarded: who wrote what it hands on.
        is_own: whether an address is the desk's.
    """
    if sender is None or not is_own(sender.address):
        return sender
    if any(each.address and not is_own(each.address) for each in recipients):
        return sender
    if forwarded is not None and not is_own(forwarded.address):
        return forwarded
    others = {mailbox_of(each.address): each for each in reply_to if each.address}
    outside = [each for each in others.values() if not is_own(each.address)]
    if len(outside) != 1:
        return sender
    return MailAddress(outside[0].name or sender.name, outside[0].address)
