"""`deskbridge check` of an OAuth right while there is no warehouse yet: what can be asked without spending anything is."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command_runner import CommandFolder

from connectors.standins.oauth import TokenDesk
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_sample import account

CONFIGURATION = """\
warehouse: sqlite:///warehouse.db
clients:
  acme:
    time_zone: Europe/Istanbul
    sources:
      - {{id: desk, type: zendesk, base_url: "{address}", oauth: {{client_id: deskbridge, client_secret: {secret}{more}}}}}
    sla: [standard.yaml]
"""


@pytest.mark.parametrize(
    ("secret", "code", "told"),
    [
        ("made-up-secret", 0, "signed in as Deskbridge (admin)"),
        ("another-secret", 1, "the OAuth client is refused. Check client_id and client_secret"),
    ],
)
def test_the_clients_own_right_is_tried(tmp_path: Path, secret: str, code: int, told: str) -> None:
    with ZendeskStandin(account(1), oauth=TokenDesk(has_own_right=True)) as zendesk:
        text = CONFIGURATION.format(address=zendesk.base_url, secret=secret, more="")
        ran = CommandFolder(tmp_path, text).run("check", "--json")
    assert ran.code == code, ran.err
    assert told in ran.out
    assert secret not in ran.out + ran.err
    assert not (tmp_path / "warehouse.db").exists()


def test_a_refresh_token_is_not_spent_before_its_successor_can_be_kept(tmp_path: Path) -> None:
    desk = TokenDesk()
    with ZendeskStandin(account(1), oauth=desk) as zendesk:
        text = CONFIGURATION.format(
            address=zendesk.base_url,
            secret="made-up-secret",
            more=", refresh_token: seed-refresh-token",
        )
        folder = CommandFolder(tmp_path, text)
        ran = folder.run("check", "--json")
        assert (ran.code, desk.refreshes) == (1, 0)
        assert "Run: deskbridge db upgrade" in ran.out
        assert folder.run("db", "upgrade").code == 0
        assert folder.run("check").code == 0
        assert desk.refreshes == 1
