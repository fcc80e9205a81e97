"""A sync in a process of its own that can be killed at any instant, and that notes each page it was given.

python -m tests.faults.logged_sync CONFIGURATION CLIENT LOG SOURCE…
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connectors.contract import Cursor, Page
from connectors.mailbox.gmail import GmailSource
from connectors.mailbox.graph import GraphSource
from connectors.mailbox.imap import ImapSource
from pipelines import ingest
from pipelines.runtime import opened

PAGE_MAILS = 40
"""So few that a small mailbox has several pages, with instants between them."""


class Logged:
    """A source whose pages are noted before they are stored: one line each, written at once."""

    def __init__(self, source: Any, name: str, log: int) -> None:
        self._source = source
        self._name = name
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        for page in self._source.pull(stream, cursor):
            names = "\x1f".join(record.remote_id for record in page.records)
            digest = hashlib.sha256(names.encode("utf-8", "surrogatepass")).hexdigest()
            line = json.dumps([self._name, stream, len(page.records), digest])
            os.write(self._log, f"{line}\n".encode())
            yield page


def main() -> None:
    config, client_key, log_path, *only = sys.argv[1:]
    for source in (GmailSource, GraphSource, ImapSource):
        source.__init__.__kwdefaults__["page_mails"] = PAGE_MAILS  # type: ignore[misc]
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    real = ingest.wire

    def wire(settings: Any, client_key: str, source: Any, *rest: Any) -> Any:
        wired = real(settings, client_key, source, *rest)
        return type(wired)(Logged(wired.source, source.id, log), wired.transform)

    ingest.wire = wire  # type: ignore[assignment]
    with opened(Path(config)) as runtime:
        os.write(log, b'["begun"]\n')
        report = ingest.ingest_client(runtime, client_key, only)
    if report.errors:
        sys.exit("; ".join(map(str, report.errors)))
    os.write(log, b'["ended"]\n')


if __name__ == "__main__":
    main()
