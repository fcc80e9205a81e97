"""A soak of mailboxes over Graph and the Gmail API: they live while they are read, with faults and cuts; the end is theirs.

Longer: DESKBRIDGE_SOAK_SECONDS (real seconds of life), DESKBRIDGE_SOAK_MAILS, DESKBRIDGE_SOAK_SEED. Documented seconds
pass 600 times as fast, which only the vendors' limits notice.
"""

import hashlib
import itertools
import json
import os
import random
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from time import monotonic
from typing import Any

import pytest

from connectors.errors import ConnectorError
from connectors.http import Policy
from connectors.mailbox import gmail_api, graph_api
from connectors.mailbox.by_id import hashed_key
from connectors.mailbox.gmail import GmailSource, key_of
from connectors.mailbox.graph import GraphSource
from connectors.mailbox.seen import SeenMails
from connectors.standins.gmail import GmailStandin
from connectors.standins.graph import GraphStandin

SECONDS = float(os.environ.get("DESKBRIDGE_SOAK_SECONDS", "2"))
MAILS = int(os.environ.get("DESKBRIDGE_SOAK_MAILS", "150"))
SEED = int(os.environ.get("DESKBRIDGE_SOAK_SEED", "7"))
SCALE = 600.0
USER = "info@acme.example"
POLICY = Policy(tries=2, deadline_seconds=5, backoff_seconds=0.005, wait_cap_seconds=2)
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("status", {"status": 503}),
    ("status", {"status": 500, "times": 3}),
    ("status", {"status": 429, "headers": {"Retry-After": "0.02"}}),
    ("status", {"status": 429}),
    ("status", {"status": 200, "body": "<html>log in</html>"}),
    ("drop_request", {}),
    ("drop_reply", {}),
    ("truncate", {}),
)


def content_of(number: int) -> bytes:
    return f"Message-ID: <{number}@buyer.example>\r\n\r\nbroken {number}\r\n".encode()


class GraphLife:
    """A Microsoft 365 mailbox in which things happen."""

    routes = ("delta", "mime", "messages", "folder")

    def __init__(self, rng: random.Random) -> None:
        self.server = GraphStandin(USER, requests_per_window=2_000, time_scale=SCALE)
        self.rng, self.numbers = rng, itertools.count()
        self.read = [self.server.folder(name) for name in ("inbox", "sentitems")]
        self.other = self.server.folder("archive")
        for _ in range(MAILS):
            self.deliver()

    def source(self) -> GraphSource:
        session = graph_api.open_session(
            f"{self.server.base_url}/v1.0", None, USER, policy=POLICY, time_scale=SCALE
        )
        return GraphSource(session, USER, page_mails=20)

    def deliver(self) -> None:
        folder = self.rng.choice([*self.read, self.read[0], self.other])
        is_draft = self.rng.random() < 0.1
        self.server.deliver(folder, content_of(next(self.numbers)), is_draft=is_draft)

    def act(self) -> str:
        server, rng = self.server, self.rng
        mail = rng.choice(list(server.mails.values()))
        folder = rng.choice([*self.read, self.other])
        what = rng.choice(
            ["deliver"] * 6
            + ["move"] * 3
            + ["return", "remove", "reimport", "change", "state", "hide"]
        )
        if what == "deliver":
            self.deliver()
        elif what == "move":
            server.move(mail, folder)
        elif what == "return":
            here = server.folders[mail.folder]
            server.move(mail, folder)
            server.move(mail, here)
        elif what == "remove":
            server.remove(mail)
        elif what == "reimport":
            server.reimport(mail, folder)
        elif what == "change":
            server.change(mail, is_draft=False)
        elif what == "state" and rng.random() < 0.3:
            server.forget_state()
        elif what == "hide":
            server.hides_moves = not server.hides_moves
        return what

    def dump(self) -> dict[int, bytes]:
        return {hashed_key(one): body for one, body in self.server.dump(*self.read).items()}


class GmailLife:
    """A Gmail mailbox in which things happen."""

    routes = ("history", "message", "messages", "profile")

    def __init__(self, rng: random.Random) -> None:
        self.server = GmailStandin(USER, units_per_minute=15_000, time_scale=SCALE)
        self.rng, self.numbers = rng, itertools.count()
        for _ in range(MAILS):
            self.deliver()

    def source(self) -> GmailSource:
        session = gmail_api.open_session(
            f"{self.server.base_url}/gmail/v1", None, policy=POLICY, time_scale=SCALE
        )
        return GmailSource(session, USER, page_mails=20)

    def deliver(self) -> None:
        label = self.rng.choice(["INBOX"] * 6 + ["SENT", "SPAM", "DRAFT", "CHAT"])
        self.server.deliver(content_of(next(self.numbers)), {label})

    def act(self) -> str:
        server, rng = self.server, self.rng
        mail = rng.choice(list(server.mails.values()))
        what = rng.choice(
            ["deliver"] * 6
            + ["trash"] * 2
            + ["back"] * 3
            + ["star", "remove", "history", "tokens", "labels"]
        )
        if what == "deliver":
            self.deliver()
        elif what == "trash":
            server.relabel(mail, add={rng.choice(["TRASH", "SPAM"])})
        elif what == "back":
            server.relabel(mail, add={"INBOX"}, remove=mail.labels & {"TRASH", "SPAM"})
        elif what == "star":
            server.relabel(mail, add={"STARRED"})
        elif what == "remove":
            server.remove(mail)
        elif what == "history" and rng.random() < 0.3:
            server.forget_history()
        elif what == "tokens":
            server.forget_tokens()
        elif what == "labels":
            server.tells_labels = not server.tells_labels
        return what

    def dump(self) -> dict[int, bytes]:
        return {key_of(one): body for one, body in self.server.dump().items()}


class Held:
    """What a warehouse would hold, and the cursor as it would be stored."""

    def __init__(self) -> None:
        self.cursor: Any = None
        self.records: dict[str, bytes] = {}
        self.given: Counter[str] = Counter()

    def take(self, pages: Iterator[Any], at_most: int) -> None:
        """Reads some pages and is cut."""
        try:
            for page in itertools.islice(pages, at_most):
                for record in page.records:
                    if record.is_tombstone:
                        self.records.pop(record.remote_id, None)
                    else:
                        self.records[record.remote_id] = record.payload
                        self.given[record.remote_id] += 1
                self.cursor = json.loads(json.dumps(page.cursor))
        finally:
            pages.close()  # type: ignore[attr-defined]

    def present(self) -> Collection[int]:
        """The keys of mails that the cursor says to lie there."""
        seen = SeenMails(self.cursor["mails"], key_bytes=8)
        return {key for container in seen.containers() for key in seen.keys(container)}


@pytest.mark.parametrize("kind", [GraphLife, GmailLife])
def test_a_mailbox_that_lives_is_read_to_its_own_dump(kind: Any) -> None:
    rng = random.Random(SEED)
    life = kind(rng)
    held, done, acts = Held(), threading.Event(), Counter[str]()
    errors: Counter[str] = Counter()

    def live() -> None:
        until = monotonic() + SECONDS
        while monotonic() < until:
            with life.server.lock:
                acts[life.act()] += 1
            if rng.random() < 0.08:
                fault, options = rng.choice(FAULTS)
                life.server.faults.add(rng.choice(life.routes), fault, **options)
                acts["fault"] += 1
            done.wait(0.004)
        done.set()

    with life.server as server:
        writer = threading.Thread(target=live)
        writer.start()
        cuts = random.Random(SEED + 1)
        while not done.is_set():
            source = life.source()
            try:
                held.take(source.pull("mails", held.cursor), cuts.choice([1, 2, 3, 1_000]))
            except ConnectorError as error:
                errors[type(error).__name__] += 1
            finally:
                source.close()
        writer.join()
        server.faults.clear()
        for _ in range(2):
            source = life.source()
            held.take(source.pull("mails", held.cursor), 1_000_000)
            source.close()
        dump = life.dump()
        print(
            f"\n{kind.__name__}, time × {SCALE:.0f}: {next(life.numbers)} mails made, {len(dump)} there at the end, "
            f"{len(held.records)} held, {sum(server.calls.values())} calls, acts {dict(acts)}, errors {dict(errors)}"
        )
        wanted = {f"sha256:{hashlib.sha256(body).hexdigest()}": body for body in dump.values()}
        assert wanted.items() <= held.records.items()
        made = {content_of(number) for number in range(next(life.numbers))}
        assert set(held.records.values()) <= made
        assert len(set(held.records.values())) == len(held.records)
        if kind is GraphLife:
            assert server.without_immutable == []
            assert set(held.present()) == set(dump)
        else:
            assert set(dump) <= set(held.present())
        source = life.source()
        found = source.recount("mails", held.cursor, list(held.records))
        held.take(found.pages, 1_000_000)
        source.close()
        assert sum(one.missing + one.arrived for one in found.containers) == 0
        assert set(held.present()) == set(dump)
