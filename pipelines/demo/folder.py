"""The demo's folder: what lies where, and the clock that its stand-ins go by.

Belongs here: paths and the stand-ins' time. Does not belong here: the data set (`world`), the servers
(`servers`), the job (`run`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

AS_OF = datetime(2026, 11, 4, 13, tzinfo=UTC)
"""The instant at which the demo takes place. Its clock stands still, so that two runs can be compared."""

LIVE_FROM = AS_OF - timedelta(hours=30)

BEFORE_MIGRATION = AS_OF + timedelta(minutes=2)
AFTER_MIGRATION = AS_OF + timedelta(minutes=12)
"""The stand-ins' two instants: exports leave out the last minute, so what was moved shows only later."""

TIME_SCALE = 60
"""A documented minute of the stand-ins' rate limits passes in one second."""

CLIENT = "acme"
SECRETS = {
    "ACME_ZENDESK_TOKEN": "made-up-token",
    "ACME_FRESHDESK_KEY": "made-up-freshdesk-key",
    "ACME_IMAP_PASSWORD": "made-up-password",
    "ACME_PAGERDUTY_KEY": "0123456789abcdef0123456789abcdef",
    "ACME_SLACK_TOKEN": "xoxb-made-up",
}
"""Credentials of the stand-ins: made up, worth nothing anywhere else."""


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """Paths below the demo's folder."""

    root: Path

    @property
    def world(self) -> Path:
        """The generated data set."""
        return self.root / "world"

    @property
    def servers(self) -> Path:
        """What the stand-ins received, and their ports."""
        return self.root / "stand-ins"

    @property
    def ports(self) -> Path:
        """The ports of the stand-ins, kept so that addresses stay the same from run to run."""
        return self.servers / "ports.json"

    @property
    def clock(self) -> Path:
        """The instant that the stand-ins take for now."""
        return self.servers / "clock"

    @property
    def config(self) -> Path:
        """The demo's configuration."""
        return self.root / "deskbridge.yaml"

    @property
    def dagster_home(self) -> Path:
        """Where Dagster keeps the demo's runs."""
        return self.root / "dagster_home"

    def set_clock(self, instant: datetime) -> None:
        """Moves the stand-ins' clock; never back."""
        if not self.clock.exists() or self.read_clock() < instant:
            self.clock.write_text(instant.isoformat(), "utf-8")

    def read_clock(self) -> datetime:
        """The stand-ins' present."""
        return datetime.fromisoformat(self.clock.read_text("utf-8"))
