"""The demo's configuration file, written like anybody's own.

Belongs here: its text. Does not belong here: what is done with it.
"""

from collections.abc import Mapping

from pipelines.demo.folder import AS_OF, CLIENT, LIVE_FROM, SECRETS, TIME_SCALE, DemoFolder
from pipelines.demo.mail_noise import NEWSLETTER, SPAMMER
from pipelines.demo.people import AGENTS, LEGACY_ADDRESS, SHARED_ADDRESS

_TEXT = """\
# Made by `deskbridge demo`. Every address is a stand-in server on this machine.
warehouse: sqlite:///warehouse.db
clock: {clock}                    # the demo's present stands still
clients:
  {client}:
    name: Acme Support
    time_zone: Europe/Istanbul
    live_from: {live_from}
    sources:
      - id: zendesk
        type: zendesk
        subdomain: acme
        base_url: http://127.0.0.1:{zendesk}
        email: ops@acme.example
        token: ${{ACME_ZENDESK_TOKEN}}
        time_scale: {time_scale}
      - id: freshdesk
        type: freshdesk
        domain: acme.freshdesk.com
        base_url: http://127.0.0.1:{freshdesk}
        api_key: ${{ACME_FRESHDESK_KEY}}
        time_scale: {time_scale}
      - id: info
        type: imap
        host: 127.0.0.1
        port: {imap}
        tls: false
        username: {shared}
        password: ${{ACME_IMAP_PASSWORD}}
        folders: [INBOX, Sent]
        agent_addresses: &agents [{agents}]
      - id: archive                                # the old inbox, moved into Zendesk below
        type: mbox
        path: world/legacy/archive.mbox
        own_addresses: [{legacy}]
        agent_addresses: *agents
    sla: [standard.yaml]
    escalation: escalation.yaml
    on_call: follow_the_sun.yaml
    notify:
      - {{type: pagerduty, routing_key: "${{ACME_PAGERDUTY_KEY}}", for: [page], base_url: "http://127.0.0.1:{pagerduty}"}}
      - {{type: slack, token: "${{ACME_SLACK_TOKEN}}", channel: "#support", for: [page, digest, report], base_url: "http://127.0.0.1:{slack}/api"}}
    reports: {{folder: reports, target_pct: 90}}
    migrations:
      - id: old-inbox
        source: archive
        target: zendesk
        exclude:
          - {{name: newsletters, senders: [{newsletter}]}}
          - {{name: known spam, senders: [{spammer}]}}
"""


def write_configuration(folder: DemoFolder, ports: Mapping[str, int]) -> None:
    """Writes the file, and the stand-ins' made-up credentials into `.env` beside it."""
    text = _TEXT.format(
        clock=AS_OF.isoformat(),
        time_scale=TIME_SCALE,
        client=CLIENT,
        live_from=LIVE_FROM.isoformat(),
        shared=SHARED_ADDRESS,
        legacy=LEGACY_ADDRESS,
        newsletter=NEWSLETTER,
        spammer=SPAMMER,
        agents=", ".join(agent.email for agent in AGENTS),
        **ports,
    )
    folder.config.write_text(text, "utf-8")
    lines = "".join(f"{name}={value}\n" for name, value in SECRETS.items())
    (folder.root / ".env").write_text(lines, "utf-8")
