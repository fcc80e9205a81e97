"""What a mailbox holds besides conversations: second copies, automatic answers, bounces, newsletters, broken mails.

Belongs here: mails that no figure may count as a ticket of its own. Does not belong here: threads (`mail_shape`).
"""

from random import Random

from pipelines.demo import mime, phrases
from pipelines.demo.hours import DAY, HOUR, local, mail_date
from pipelines.demo.mail_shape import INBOX, SENT, Mail, Mailer

NEWSLETTER = "newsletter@trade-weekly.example"
SPAMMER = "offers@cheap-seo.example"
EXCLUSION_RULES = {
    "newsletters": {
        "from": [NEWSLETTER],
        "why": "bulk mail to the shared address, never a request",
    },
    "known spam": {"from": [SPAMMER], "why": "unsolicited advertising"},
}
"""Rules by which a person drops mails before a migration: name → senders and the reason."""


class Noise:
    """Adds to a mailbox's threads what is no conversation."""

    def __init__(self, rng: Random, mailer: Mailer, own_address: str) -> None:
        """`own_address` is the shared mailbox."""
        self._rng, self._mailer, self._own = rng, mailer, own_address

    def copies(self, mails: list[Mail], count: int) -> list[Mail]:
        """Second copies of the same mail: by another route with other Received lines, or a blind copy to oneself."""
        customers = [
            one
            for one in mails
            if one.folder == INBOX and (one.message_id or one.linked_by != "first")
        ]
        agents = [one for one in mails if one.folder == SENT]
        # A nameless mail's copy is known by its content only. An answer's stays in its thread all the same.
        nameless = [one for one in customers if not one.message_id]
        picked = self._rng.sample(customers, min(len(customers), max(1, count // 2)))
        picked += self._rng.sample(agents, min(len(agents), max(1, count - count // 2)))
        picked += nameless[:1]
        return [self._copy(one) for one in _each_once(picked)]

    def auto_replies(self, mails: list[Mail], count: int) -> list[Mail]:
        """Out-of-office answers to our own answers."""
        answers = [one for one in mails if one.folder == SENT and one.case and one.message_id]
        return [
            self._auto_reply(one) for one in self._rng.sample(answers, min(count, len(answers)))
        ]

    def bounces(self, mails: list[Mail], count: int) -> list[Mail]:
        """Delivery reports about answers that did not arrive."""
        answers = [one for one in mails if one.folder == SENT and one.case and one.message_id]
        return [self._bounce(one) for one in self._rng.sample(answers, min(count, len(answers)))]

    def excluded(self, first: int, last: int, count: int) -> list[Mail]:
        """Newsletters and spam, spread over the span; half of each at least."""
        mails = []
        for number in range(count):
            at = self._rng.randint(first, last)
            mails.append(self._newsletter(at) if number % 2 == 0 else self._spam(at))
        return mails

    def undatable(self, near: int) -> Mail:
        """A mail of which nobody can tell when it was written: no Received line, nonsense in Date."""
        sender = "formular@kontaktformular.example"
        headers = [
            ("From", sender),
            ("To", self._own),
            ("Subject", "Kontaktformular"),
            ("Date", "gestern abend"),
            ("Message-ID", self._mailer.new_id("kontaktformular.example")),
        ]
        part = mime.text_part("Name: n/a\nNachricht: Bitte um Rückruf.\n", "plain", "utf-8", "8bit")
        return Mail(
            at=near,
            folder=INBOX,
            raw=mime.message(headers, part),
            message_id=headers[-1][1],
            case=None,
            subject="Kontaktformular",
            sender=sender,
            kind="held",
            rule="no readable date",
            mbox_line="From formular@kontaktformular.example Sat Feb 30 25:61:00 2025",
        )

    def _copy(self, mail: Mail) -> Mail:
        rng = self._rng
        at = mail.at + rng.randint(2, 90)
        relay = (
            f"from list.acme.example (list.acme.example [198.51.100.{rng.randint(1, 254)}])\n"
            f" by mx2.acme.example with ESMTP id {rng.getrandbits(40):010x}; {mail_date(at, 'UTC')}"
        )
        raw = b"Received: " + relay.encode() + b"\n" + mail.raw
        if mail.folder == INBOX:
            raw = b"Delivered-To: team@acme.example\n" + raw
        return Mail(
            at=at,
            folder=INBOX,
            raw=raw,
            message_id=mail.message_id,
            case=mail.case,
            subject=mail.subject,
            sender=mail.sender,
            kind="copy",
            copy_of=mail,
            linked_by=mail.linked_by,
            traits=set(mail.traits),
        )

    def _auto_reply(self, answer: Mail) -> Mail:
        case = answer.case
        assert case is not None
        rng, customer = self._rng, case.customer
        at = answer.at + rng.randint(5, 90)
        back = local(at + rng.randint(2, 14) * DAY, customer.zone)
        prefix = phrases.everyday(rng, "auto_reply_subject", case.language)
        subject = f"{prefix}{answer.subject}"
        domain = customer.email.rpartition("@")[2]
        text = phrases.everyday(
            rng, "auto_reply", case.language, date=f"{back:%d.%m.%Y}", domain=domain
        )
        message_id = self._mailer.new_id(domain)
        headers = [
            ("Return-Path", "<>"),
            ("Received", self._mailer.received(at, case.address)),
            ("Date", mail_date(at, customer.zone)),
            ("From", mime.address(customer.name, case.address)),
            ("To", self._own),
            ("Subject", mime.encoded_words(subject, "utf-8")),
            ("Message-ID", message_id),
            ("In-Reply-To", answer.message_id or ""),
            ("References", answer.message_id or ""),
            ("Auto-Submitted", "auto-replied"),
            ("X-Auto-Response-Suppress", "All"),
        ]
        part = mime.text_part(text, "plain", "utf-8", "quoted-printable")
        raw = mime.message(headers, part)
        return Mail(at, INBOX, raw, message_id, case, subject, case.address, kind="auto_reply")

    def _bounce(self, answer: Mail) -> Mail:
        case = answer.case
        assert case is not None
        at = answer.at + self._rng.randint(20, 4 * HOUR)
        domain = case.address.rpartition("@")[2]
        sender = f"MAILER-DAEMON@mail.{domain}"
        message_id = self._mailer.new_id(f"mail.{domain}")
        report = (
            f"Reporting-MTA: dns; mail.{domain}\n\nFinal-Recipient: rfc822; {case.address}\n"
            "Action: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 Mailbox full\n"
        )
        returned = answer.raw.partition(b"\n\n")[0] + b"\n"
        parts = [
            mime.text_part(
                f"Your message to {case.address} could not be delivered: mailbox full.",
                *("plain", "us-ascii", "7bit"),
            ),
            mime.raw_part("message/delivery-status", report.encode()),
            mime.raw_part("text/rfc822-headers", returned),
        ]
        headers = [
            ("Return-Path", "<>"),
            ("Received", self._mailer.received(at, sender)),
            ("Date", mail_date(at, "UTC")),
            ("From", f"Mail Delivery System <{sender}>"),
            ("To", self._own),
            ("Subject", "Undelivered Mail Returned to Sender"),
            ("Message-ID", message_id),
            ("Auto-Submitted", "auto-replied"),
        ]
        kind = "; report-type=delivery-status"
        content = mime.multipart("report", parts, self._mailer.boundary(), kind)
        raw = mime.message(headers, content)
        return Mail(
            at,
            INBOX,
            raw,
            message_id,
            case,
            "Undelivered Mail Returned to Sender",
            sender,
            kind="bounce",
        )

    def _newsletter(self, at: int) -> Mail:
        subject = f"Trade weekly no. {self._rng.randint(100, 400)}"
        extra = [
            ("List-Id", "Trade weekly <weekly.trade-weekly.example>"),
            ("List-Unsubscribe", "<mailto:leave@trade-weekly.example>"),
            ("Precedence", "bulk"),
        ]
        text = "This week: parcel prices, new rules for invoices, and ten shops to watch."
        return self._bulk(at, NEWSLETTER, "Trade weekly", subject, text, extra, "newsletters")

    def _spam(self, at: int) -> Mail:
        subject = f"RANK No.1 in {self._rng.randint(2, 9)} DAYS !!!"
        text = "Dear owner, we saw your website. Click http://cheap-seo.example/win now."
        return self._bulk(
            at, SPAMMER, "SEO Team", subject, text, [("X-Spam-Flag", "YES")], "known spam"
        )

    def _bulk(
        self,
        at: int,
        sender: str,
        name: str,
        subject: str,
        text: str,
        extra: list[tuple[str, str]],
        rule: str,
    ) -> Mail:
        message_id = self._mailer.new_id(sender.rpartition("@")[2])
        headers = [
            ("Received", self._mailer.received(at, sender)),
            ("Date", mail_date(at, "UTC")),
            ("From", mime.address(name, sender)),
            ("To", self._own),
            ("Subject", subject),
            ("Message-ID", message_id),
            *extra,
        ]
        part = mime.text_part(f"<html><body><p>{text}</p></body></html>", "html", "utf-8", "8bit")
        raw = mime.message(headers, part)
        return Mail(at, INBOX, raw, message_id, None, subject, sender, kind="excluded", rule=rule)


def _each_once(mails: list[Mail]) -> list[Mail]:
    return list({id(mail): mail for mail in mails}.values())
