"""Refused credentials, ended OAuth rights, a log-in page with status 200: told clearly, and nobody else is harmed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.pool import NullPool

from connectors.standins.oauth import TokenDesk
from connectors.standins.zendesk import ZendeskStandin
from connectors.warehouse.tables import raw_record, sync_cursor

SEED, SECRET, TOKEN = "seed-refresh-token", "made-up-secret", "made-up-token"
SCALE = 600
CONFIGURATION = """\
clients:
  acme:
    time_zone: Europe/Istanbul
    sources:
      - id: zendesk
        type: zendesk
        base_url: {acme}
        oauth: {{client_id: deskbridge, client_secret: {secret}, refresh_token: {seed}}}
        time_scale: {scale}
        tries: 2
  beta:
    time_zone: Europe/Berlin
    sources:
      - {{id: zendesk, type: zendesk, base_url: "{beta}", email: ops@acme.example, token: {token}, time_scale: {scale}}}
"""


def tickets(first: int, last: int) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "subject": f"printer {number}",
            "status": "open",
            "requester_id": 7,
            "created_at": f"2026-11-01T08:{number:02}:00Z",
            "updated_at": f"2026-11-01T08:{number:02}:00Z",
        }
        for number in range(first, last + 1)
    ]


@dataclass
class Bench:
    folder: Path
    desk: TokenDesk
    acme: ZendeskStandin
    beta: ZendeskStandin

    def configure(self, **changes: str) -> None:
        given = {
            "acme": self.acme.base_url,
            "beta": self.beta.base_url,
            "secret": SECRET,
            "seed": SEED,
            "token": TOKEN,
            "scale": str(SCALE),
        }
        text = CONFIGURATION.format(**(given | changes))
        (self.folder / "deskbridge.yaml").write_text(text, "utf-8")

    def sync(self, client: str) -> tuple[int, str]:
        """A process of its own, as a schedule starts it."""
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from pipelines.cli import main; main()",
                "sync",
                "--client",
                client,
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=100,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def state(self) -> tuple[dict[str, int], dict[tuple[str, str], str]]:
        """Records by client, and the cursors."""
        engine = create_engine(f"sqlite:///{self.folder / 'warehouse.db'}", poolclass=NullPool)
        with engine.connect() as connection:
            counted = connection.execute(
                select(raw_record.c.client_key, func.count()).group_by(raw_record.c.client_key)
            )
            records = {row[0]: int(row[1]) for row in counted}
            rows = connection.execute(select(sync_cursor)).mappings()
            cursors = {(row["client_key"], row["stream"]): repr(row["cursor"]) for row in rows}
        return records, cursors


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    desk = TokenDesk(refresh_token=SEED, client_secret=SECRET)
    with ExitStack() as stack:
        standins = [
            stack.enter_context(
                ZendeskStandin(
                    {"tickets": tickets(1, 5)}, token=TOKEN, time_scale=SCALE, oauth=oauth
                )
            )
            for oauth in (desk, None)
        ]
        made = Bench(tmp_path, desk, *standins)
        made.configure()
        yield made


def test_an_ended_right_is_told_and_the_cursor_stays(bench: Bench) -> None:
    assert bench.sync("acme")[0] == 0
    assert bench.desk.refreshes == 1, "one refresh serves the whole sync"
    before = bench.state()
    assert before[0]["acme"] >= 5
    bench.desk.revoke()
    code, said = bench.sync("acme")
    assert code != 0
    assert "client acme, source zendesk" in said and "authorise the OAuth client again" in said
    assert SEED not in said and SECRET not in said and "Traceback" not in said
    assert bench.state() == before
    assert bench.sync("beta")[0] == 0, "the other client goes on"
    assert bench.state()[0]["beta"] >= 5
    bench.desk.authorise("second-seed")
    bench.configure(seed="second-seed")
    assert bench.sync("acme")[0] == 0


def test_a_refused_token_is_told_and_the_cursor_stays(bench: Bench) -> None:
    assert bench.sync("beta")[0] == 0
    before = bench.state()
    bench.configure(token="another-made-up-token")
    code, said = bench.sync("beta")
    assert code != 0
    assert "client beta, source zendesk" in said and "the credential is refused" in said
    assert "another-made-up-token" not in said and "Traceback" not in said
    assert bench.state() == before
    assert bench.sync("acme")[0] == 0


def test_a_page_with_status_200_is_told_and_the_cursor_stays(bench: Bench) -> None:
    assert bench.sync("beta")[0] == bench.sync("acme")[0] == 0
    before = bench.state()
    page = "<html><body>Scheduled maintenance</body></html>"
    bench.beta.faults.add("*", "status", status=200, body=page, times=None)
    code, said = bench.sync("beta")
    assert code != 0
    assert "client beta, source zendesk" in said and "is not JSON" in said
    assert "Traceback" not in said
    assert bench.state() == before
    assert bench.sync("acme")[0] == 0
    bench.beta.faults.clear()
    assert bench.sync("beta")[0] == 0
