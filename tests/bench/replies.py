"""How often the author's words are found exactly, beside three other libraries: `python -m tests.bench.replies`.

Belongs here: the sets, the comparison, what is printed. The sets lie in the shared data (`DESKBRIDGE_SHARED_DATA`) except
our own cases (`tests.reply_cases`), which were written before the rules. The others are installed from the package
registry into `.bench/replies`, once, and answer in a process of their own.

White space is ignored. Of the set `talon` an answer counts with and without the program's signature, since its makers
count that as reply. Of its HTML the others get the text that we make of it; quotequail its own reading of HTML.
"""

import argparse
import email.policy
import json
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from tests.reply_cases import CASES
from transforms.reply.html import split_html_reply
from transforms.reply.split import split_reply
from transforms.reply.view import reply_text
from transforms.text import html_to_text

REPOSITORY = Path(__file__).parent.parent.parent
REQUIREMENTS = ("mail-parser-reply==1.36", "email-reply-parser==0.5.12", "quotequail==0.5.4")
OURS = "deskbridge"

_ANSWERS = """
import json, sys, time
import quotequail
from email_reply_parser import EmailReplyParser as Email
from mailparser_reply import EmailReplyParser as Mail
from mailparser_reply.constants import MAIL_LANGUAGES

mail = Mail(languages=[name for name in MAIL_LANGUAGES if name != "david"])


def unwrapped(text, html):
    found = quotequail.unwrap_html(html) if html else quotequail.unwrap(text)
    if found is None:
        return html or text
    ends = ("html_top", "html_bottom") if html else ("text_top", "text_bottom")
    return "\\n".join(found[end] for end in ends if found.get(end))


tools = {
    "mail-parser-reply": lambda text, html: mail.parse_reply(text=text),
    "email-reply-parser": lambda text, html: Email.parse_reply(text),
    "quotequail": unwrapped,
}
out = {"answers": {name: [] for name in tools}, "seconds": {}}
messages = json.load(sys.stdin)
for name, tool in tools.items():
    began = time.perf_counter()
    for text, html in messages:
        try:
            answer = tool(text, html) or ""
        except Exception as error:
            answer = "failed: %r" % error
        out["answers"][name].append(answer)
    out["seconds"][name] = time.perf_counter() - began
json.dump(out, sys.stdout)
"""

_SPACE = re.compile(r"\s+")
_TAG = re.compile(r"<[^<>]+>")


class UnavailableError(Exception):
    """The other libraries cannot be installed or run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its text, its HTML where it is of HTML, and the answers that count as right (none: not known)."""

    name: str
    text: str
    html: str | None = None
    right: tuple[str, ...] = ()


def discourse(data: Path) -> list[Message]:
    """The replies whose words the makers of email_reply_trimmer wrote down."""
    return [
        Message(one["file"], text, right=(one["expected_reply"],))
        for one, text in _replies(data)
        if "expected_reply" in one
    ]


def unknown(data: Path) -> list[Message]:
    """The replies of two other libraries, of which nobody wrote down what is right."""
    return [
        Message(one["file"], text) for one, text in _replies(data) if "expected_reply" not in one
    ]


def talon(data: Path) -> list[Message]:
    """The plain replies of talon. Source: its tests; `Hello` unless a file beside says more."""
    folder = data / "tickets" / "mail" / "reply_quoting_talon" / "standard_replies"
    found = []
    for path in sorted(folder.glob("*.eml")):
        text = _body(path, "plain")
        beside = path.with_name(path.stem + "_reply_text")
        told = beside.read_text("utf-8") if beside.exists() else "Hello"
        found.append(Message(path.name, text, right=(told, told.split("\n")[0])))
    return found


def talon_html(data: Path) -> list[Message]:
    """The HTML replies of talon: one answer for all files of its folder, and two that stand alone."""
    folder = data / "tickets" / "mail" / "reply_quoting_talon"
    right = dict.fromkeys((folder / "html_replies").glob("*"), "Hi. I am fine. Thanks, Alex")
    right[folder / "OLK_SRC_BODY_SECTION.html"] = "Reply"
    right[folder / "reply-separated-by-hr.html"] = "Hi there Bob"
    found = []
    for path in sorted(right):
        html = _decoded(path.read_bytes())
        found.append(Message(path.name, html_to_text(html), html, (right[path],)))
    return found


def own() -> list[Message]:
    """Our own cases, written before the rules."""
    return [Message(case.name, case.text, right=(case.reply,)) for case in CASES]


def short_comments(count: int, *, marked: bool) -> list[tuple[str, None]]:
    """Comments of two to four sentences, no two alike; with a quote, a signature or a phone's line where `marked`."""
    sentences = (
        "The lamp in room {} does not switch on since Monday.",
        "I have tried the other socket, and nothing happened at all.",
        "Could you send a new one to our office in Lyon, please?",
        "Order {} came without the cable: can we get it this week?",
        "Thank you for the quick help, it works again!",
        "- first I unplugged it\n- then I waited {} minutes",
        "Bonjour, la lampe ne s'allume plus. Merci d'avance, Zoé",
        "Hallo, die Lampe {} flackert weiterhin. Viele Grüße",
    )
    marks = (
        "\n\n-- \nPat Sample\nAcme Ltd.",
        "\n\nSent from my iPhone",
        "\n\nOn Tue, Mar 3, 2026 at 4:05 PM Support <help@acme.example> wrote:\n\n> Is it on?\n> Does it blink?",
        "\n\nVon: Hilfe <hilfe@firma.example>\nGesendet: Montag, 2. März 2026 09:14\nAn: Pat\nBetreff: Lampe\n\nGeht sie?",
    )
    return [
        (
            "\n".join(sentences[(n * step + step) % len(sentences)] for step in range(1, 3 + n % 3))
            .replace("{}", str(n)) + (marks[n % len(marks)] if marked else ""),
            None,
        )
        for n in range(count)
    ]  # fmt: skip


def support_mails(data: Path) -> list[tuple[str, str | None]]:
    """The bodies of two years of a support list, plain text and HTML."""
    found: list[tuple[str, str | None]] = []
    for name in ("usrp-2022", "usrp-2023"):
        with tarfile.open(data / "mail" / "threads" / f"{name}.tar.xz") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is None:
                    continue
                message = email.message_from_bytes(
                    file.read(), EmailMessage, policy=email.policy.default
                )
                try:
                    plain, html = message.get_body(("plain",)), message.get_body(("html",))
                    if plain is not None:
                        found.append((plain.get_content(), html.get_content() if html else None))
                except (LookupError, ValueError):
                    continue
    return found


def speed(data: Path, rounds: int = 5) -> Iterator[str]:
    """Comments a second whose words are found, best of some rounds, in seconds of this process alone."""
    mails = support_mails(data)[::4] if data.is_dir() else []
    for name, comments in {
        "short comments": short_comments(5_000, marked=False),
        "short, with marks": short_comments(5_000, marked=True),
        "mails of a support list": mails,
        "the same, without HTML": [(text, None) for text, _ in mails],
    }.items():
        best = 0.0
        for _ in range(rounds):
            began = time.process_time()
            for text, html in comments:
                reply_text(text, html)
            best = max(best, len(comments) / max(time.process_time() - began, 1e-9))
        size = sum(len(text) for text, _ in comments) // max(len(comments), 1)
        yield f"{name:24} {len(comments):5} of {size:4} letters: {best:9,.0f}/s"


def answers(messages: Sequence[Message]) -> tuple[dict[str, list[str]], dict[str, float]]:
    """Each library's answers in order, ours among them, and the seconds each took."""
    began = time.perf_counter()
    ours = [
        split_html_reply(one.html).reply if one.html else split_reply(one.text).reply
        for one in messages
    ]
    seconds = {OURS: time.perf_counter() - began}
    theirs, their_seconds = _others(messages)
    return {OURS: ours, **theirs}, {**seconds, **their_seconds}


def is_right(message: Message, answer: str) -> bool:
    """Whether an answer is one of the right ones, white space (and the tags of HTML) ignored."""
    if message.html:
        answer = html_to_text(answer) if _TAG.search(answer) else answer
    return bare(answer) in {bare(right) for right in message.right}


def bare(text: str) -> str:
    """A text without white space."""
    return _SPACE.sub("", text)


def _replies(data: Path) -> list[tuple[dict[str, str], str]]:
    folder = data / "mail"
    lines = (folder / "replies" / "expected.jsonl").read_text("utf-8").splitlines()
    return [
        (one, (folder / one["file"]).read_bytes().decode("utf-8", "replace"))
        for one in map(json.loads, lines)
    ]


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _body(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        message = email.message_from_binary_file(file, EmailMessage, policy=email.policy.default)
    body = message.get_body((kind,))
    return str(body.get_content()) if body is not None else ""


def _others(messages: Sequence[Message]) -> tuple[dict[str, list[str]], dict[str, float]]:
    done = subprocess.run(
        [str(_python()), "-c", _ANSWERS],
        input=json.dumps([[one.text, one.html] for one in messages]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UnavailableError(done.stderr.strip()[-300:])
    out = json.loads(done.stdout)
    return out["answers"], out["seconds"]


def _python() -> Path:
    place = REPOSITORY / ".bench" / "replies"
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        for command in (
            [sys.executable, "-m", "venv", str(place)],
            [str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UnavailableError(f"{' '.join(REQUIREMENTS)}: {done.stderr.strip()[-300:]}")
        (place / "ready").touch()
    return python


def main() -> None:
    """Print the rates of each set and library, and what was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--show", action="store_true", help="print what we and the others say")
    parser.add_argument("--speed", action="store_true", help="only how fast ours is")
    chosen = parser.parse_args()
    show = chosen.show
    data = Path(os.environ.get("DESKBRIDGE_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if chosen.speed:
        for line in speed(data):
            print(line)
        return
    sets = {
        "discourse": discourse(data),
        "talon": talon(data),
        "talon, HTML": talon_html(data),
        "our own cases": own(),
    }
    for name, messages in sets.items():
        found, seconds = answers(messages)
        print(f"{name}: {len(messages)} messages")
        for library, given in found.items():
            right = [is_right(one, answer) for one, answer in zip(messages, given, strict=True)]
            rate = len(messages) / seconds[library]
            print(
                f"  {library:20} {sum(right):3} exact ({sum(right) / len(right):4.0%}), {rate:7,.0f}/s"
            )
            if show and library == OURS:
                for one, answer, good in zip(messages, given, right, strict=True):
                    if not good:
                        print(f"    missed {one.name}: {answer[:200]!r}")
    messages = unknown(data)
    found, _ = answers(messages)
    print(f"of two others, without a truth: {len(messages)} messages")
    for library in list(found)[1:]:
        same = sum(bare(a) == bare(b) for a, b in zip(found[OURS], found[library], strict=True))
        print(f"  we and {library:20} agree on {same}")
    if show:
        for i, one in enumerate(messages):
            print(f"    {one.name}: {found[OURS][i][:300]!r}")


if __name__ == "__main__":
    main()
