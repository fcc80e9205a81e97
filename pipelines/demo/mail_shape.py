"""The cases as mail: a thread each, the customer's mails in the inbox, the agents' answers among the sent ones.

Belongs here: how people's mail programs write and answer. Does not belong here: newsletters, bounces and other
things that are no conversation (`mail_noise`), bytes of MIME (`mime`).
"""

from dataclasses import dataclass, field
from html import escape
from random import Random

from pipelines.demo import mime, phrases
from pipelines.demo.case import Case, File, Message, Step
from pipelines.demo.files import make_file
from pipelines.demo.hours import DAY, local, mail_date
from pipelines.demo.people import Agent

INBOX, SENT = "INBOX", "Sent"
_WRITING: dict[str, tuple[tuple[str, str, float], ...]] = {
    "en": (("us-ascii", "7bit", 45), ("utf-8", "quoted-printable", 40), ("utf-8", "8bit", 15)),
    "de": (
        ("utf-8", "quoted-printable", 45),
        ("windows-1252", "quoted-printable", 25),
        ("iso-8859-1", "8bit", 10),
        ("utf-8", "base64", 20),
    ),
    "tr": (
        ("utf-8", "base64", 35),
        ("iso-8859-9", "quoted-printable", 30),
        ("windows-1254", "8bit", 10),
        ("utf-8", "8bit", 25),
    ),
}
_CLIENTS = (
    "Microsoft Outlook 16.0",
    "Apple Mail (2.3774.600.62)",
    "Mozilla Thunderbird",
    "iPhone Mail (22F76)",
    "Roundcube Webmail/1.6.9",
)


@dataclass(slots=True)
class Mail:
    """One mail as it lies in a folder, and what is known about it."""

    at: int
    folder: str
    raw: bytes
    message_id: str | None
    case: Case | None
    subject: str
    sender: str
    kind: str = "message"
    copy_of: "Mail | None" = None
    linked_by: str = "references"
    traits: set[str] = field(default_factory=set)
    rule: str | None = None
    mbox_line: str | None = None


class Mailer:
    """Writes threads."""

    def __init__(self, rng: Random, own_address: str) -> None:
        """`own_address` is the shared mailbox that customers write to."""
        self._rng = rng
        self._own = own_address

    def thread(self, case: Case) -> list[Mail]:
        """The case's mails, oldest first."""
        mails: list[Mail] = []
        said: list[tuple[Mail, str]] = []
        subject = case.subject
        client = self._rng.choice(_CLIENTS)
        writing = self._writing(case.language)
        for step in case.steps:
            if step.message is None or not step.message.is_public or step.message.author is None:
                continue
            is_renamed = any(mail.message_id for mail in mails) and self._rng.random() < 0.015
            if is_renamed:
                subject = f"{subject} - {case.values['order']}"
            mail = self._mail(
                case, step, step.message, subject, said, client, writing, is_renamed=is_renamed
            )
            mails.append(mail)
            said.append((mail, step.message.text))
        return mails

    def new_id(self, domain: str) -> str:
        """A Message-ID, with its angle brackets."""
        return f"<{self._rng.getrandbits(72):018x}@{domain}>"

    def boundary(self) -> str:
        """A multipart boundary."""
        return f"=_{self._rng.getrandbits(64):016x}"

    def received(self, at: int, sender: str) -> str:
        """A Received line of the mailbox's own server."""
        host = sender.rpartition("@")[2] or "unknown.example"
        return (
            f"from mail.{host} (mail.{host} [192.0.2.{self._rng.randint(1, 254)}])\n"
            f" by mx.acme.example with ESMTPS id {self._rng.getrandbits(40):010x}\n"
            f" for <{self._own}>; {mail_date(at, 'UTC')}"
        )

    def _writing(self, language: str) -> tuple[str, str]:
        kinds = _WRITING[language]
        charset, encoding, _ = self._rng.choices(kinds, [weight for _, _, weight in kinds])[0]
        return charset, encoding

    def _mail(
        self,
        case: Case,
        step: Step,
        said: Message,
        subject: str,
        before: list[tuple[Mail, str]],
        client: str,
        writing: tuple[str, str],
        *,
        is_renamed: bool,
    ) -> Mail:
        rng = self._rng
        by_agent = isinstance(said.author, Agent)
        charset, encoding = ("utf-8", "quoted-printable") if by_agent else writing
        sender_name, sender, receiver_name, receiver, zone = self._ends(case, said)
        message_id = self.new_id("acme.example" if by_agent else sender.rpartition("@")[2])
        traits = {"changed subject"} if is_renamed else set()
        if not by_agent and rng.random() < 0.018 and (before or is_telling(subject)):
            traits.add("no Message-ID")
        if before:
            prefix = "Re: " if by_agent else phrases.everyday(rng, "reply_prefix", case.language)
            subject = f"{prefix}{subject}"
        headers = []
        if not by_agent:
            headers += [
                ("Return-Path", f"<{sender}>"),
                ("Received", self.received(step.at + 3, sender)),
            ]
        headers += [
            ("Date", mail_date(step.at, zone)),
            ("From", mime.address(sender_name, sender, charset)),
            ("To", mime.address(receiver_name, receiver, charset)),
            (
                "Subject",
                self._subject_line(subject, charset, encoding, traits, is_reply=bool(before)),
            ),
        ]
        if "no Message-ID" not in traits:
            headers.append(("Message-ID", message_id))
        linked_by, links = self._links(before, step.at, traits, may_lose=is_telling(case.subject))
        headers += links
        headers.append(("X-Mailer", "acme Mail" if by_agent else client))
        text = said.text
        if before and rng.random() < 0.7:
            text += self._quote(case, before[-1])
        content = self._content(text, said.files, charset, encoding, traits, by_agent=by_agent)
        return Mail(
            at=step.at,
            folder=SENT if by_agent else INBOX,
            raw=mime.message(headers, content),
            message_id=None if "no Message-ID" in traits else message_id,
            case=case,
            subject=subject,
            sender=sender,
            linked_by=linked_by,
            traits=traits,
        )

    def _subject_line(
        self, subject: str, charset: str, encoding: str, traits: set[str], *, is_reply: bool
    ) -> str:
        """The subject as a header; a few old programs send it as raw bytes of their own charset."""
        is_old = is_reply and encoding == "8bit" and charset != "utf-8" and not subject.isascii()
        if is_old and self._rng.random() < 0.25:
            traits.update(("raw header", "changed subject"))
            return subject.encode(charset, "replace").decode("ascii", "surrogateescape")
        return mime.encoded_words(subject, charset)

    def _ends(self, case: Case, said: Message) -> tuple[str, str, str, str, str]:
        """Sender's name and address, receiver's name and address, the sender's zone."""
        customer = case.customer
        address = case.address
        if isinstance(said.author, Agent):
            agent = said.author
            own = agent.email if self._rng.random() < 0.06 else self._own
            return f"{agent.name} (acme Support)", own, customer.name, address, agent.zone
        name = "" if self._rng.random() < 0.05 else customer.name
        return name, address, "acme Support", self._own, customer.zone

    def _links(
        self, before: list[tuple[Mail, str]], at: int, traits: set[str], *, may_lose: bool
    ) -> tuple[str, list[tuple[str, str]]]:
        """How the mail tells its place in the thread: references mostly, now and then the subject alone."""
        known = [mail.message_id for mail, _ in before if mail.message_id]
        if not before:
            return "first", []
        if not known:
            return "subject", []
        may_lose = may_lose and at - before[-1][0].at < 10 * DAY
        may_lose = may_lose and "changed subject" not in traits
        may_lose = may_lose and not any(mail.linked_by == "subject" for mail, _ in before)
        draw = self._rng.random()
        if draw < 0.045 and may_lose:
            traits.add("no reference headers")
            return "subject", []
        if draw < 0.2:
            return "in-reply-to", [("In-Reply-To", known[-1])]
        chain = "\n ".join(known[-10:])
        if draw < 0.26:
            return "references", [("References", chain)]
        return "references", [("In-Reply-To", known[-1]), ("References", chain)]

    def _quote(self, case: Case, before: tuple[Mail, str]) -> str:
        mail, text = before
        written = local(mail.at, case.customer.zone)
        values = {
            "date": f"{written:%d.%m.%Y}",
            "time": f"{written:%H:%M}",
            "who": f"{mail.sender}",
        }
        head = phrases.everyday(self._rng, "quote_head", case.language, **values)
        quoted = "\n".join(f"> {line}" if line else ">" for line in text.splitlines())
        return f"\n\n{head}\n{quoted}\n"

    def _content(
        self,
        text: str,
        files: tuple[File, ...],
        charset: str,
        encoding: str,
        traits: set[str],
        *,
        by_agent: bool,
    ) -> mime.Part:
        rng = self._rng
        plain = mime.text_part(text, "plain", charset, encoding)
        draw = rng.random()
        content = plain
        if draw < (0.5 if by_agent else 0.33):
            html = mime.text_part(_html(text), "html", charset, _for_html(encoding))
            if draw < 0.05 and not by_agent:
                traits.add("html only")
                content = html
            else:
                traits.add("html")
                content = mime.multipart("alternative", [plain, html], self.boundary())
        elif draw > 0.985 and not by_agent:
            traits.add("inline image")
            content = self._with_picture(text, charset, encoding)
        if files:
            traits.add("attachment")
            parts = [content, *(self._attached(file) for file in files)]
            content = mime.multipart("mixed", parts, self.boundary())
        return content

    def _with_picture(self, text: str, charset: str, encoding: str) -> mime.Part:
        picture = make_file(self._rng, "screenshot.png")
        content_id = f"{self._rng.getrandbits(48):012x}@inline.example"
        markup = _html(text).replace(
            "</body>", f'<p><img src="cid:{content_id}" alt=""></p></body>'
        )
        html = mime.text_part(markup, "html", charset, _for_html(encoding))
        image = mime.file_part(
            picture.name, picture.media_type, picture.content, content_id=content_id
        )
        return mime.multipart("related", [html, image], self.boundary(), '; type="text/html"')

    def _attached(self, file: File) -> mime.Part:
        name = file.name
        if self._rng.random() < 0.15:
            stem, _, ending = name.rpartition(".")
            name = f"{stem} – Übersicht {self._rng.randint(1, 9)}.{ending}"
        return mime.file_part(
            name, file.media_type, file.content, old_style=self._rng.random() < 0.3
        )


def is_telling(subject: str) -> bool:
    """Whether a subject alone may hold a thread together: several words, and nothing hostile in it."""
    words = [word for word in subject.split() if word.strip("!?.:").isalpha()]
    return len(words) >= 3 and len(subject) >= 16


def _for_html(encoding: str) -> str:
    return "quoted-printable" if encoding == "7bit" else encoding


def _html(text: str) -> str:
    blocks = []
    for part in escape(text, quote=False).split("\n\n"):
        lines = part.strip("\n").splitlines()
        told = [line for line in lines if not line.startswith("&gt;")]
        quoted = [line.removeprefix("&gt;").strip() for line in lines if line.startswith("&gt;")]
        if told:
            blocks.append(f"<p>{'<br>'.join(told)}</p>")
        if quoted:
            inner = "<br>\n".join(quoted)
            blocks.append(f'<blockquote type="cite">{inner}</blockquote>')
    body = "\n".join(blocks)
    return (
        f"<html><head><style>p {{ margin: 0 0 1em }}</style></head>\n<body>{body}\n</body></html>"
    )
