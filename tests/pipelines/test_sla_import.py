"""`deskbridge sla import`: the real command against stand-ins of both helpdesks."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command_runner import CommandFolder

from connectors.standins.freshdesk import FreshdeskStandin
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_sample import account
from sla_rules.policy import load_policies

DAY = 24 * 60


def target(metric: str, priority: str, minutes: int, business_hours: bool) -> dict[str, Any]:
    return {
        "metric": metric,
        "priority": priority,
        "target": minutes,
        "target_in_seconds": minutes * 60,
        "business_hours": business_hours,
    }


RULES: dict[str, Any] = {
    "sla_policies": [
        {
            "id": 2,
            "title": "Everybody",
            "position": 2,
            "filter": {"all": [], "any": []},
            "policy_metrics": [
                target("first_reply_time", priority, minutes, priority != "urgent")
                for priority, minutes in (
                    ("urgent", 15),
                    ("high", 60),
                    ("normal", 240),
                    ("low", 480),
                )
            ],
        },
        {
            "id": 1,
            "title": "Customer",
            "position": 1,
            "filter": {
                "all": [{"field": "organization_id", "operator": "is", "value": 31}],
                "any": [],
            },
            "policy_metrics": [target("next_reply_time", "urgent", 30, business_hours=False)],
        },
    ],
    "group_sla_policies": [
        {
            "id": "01J",
            "title": "Tier 1",
            "position": 1,
            "filter": {"all": [{"field": "group_id", "operator": "includes", "value": [41]}]},
            "policy_metrics": [target("group_ownership_time", "high", 60, business_hours=False)],
        }
    ],
    "schedules": [
        {
            "id": 47,
            "name": "Office",
            "time_zone": "Istanbul",
            "intervals": [
                {"start_time": day * DAY + 540, "end_time": day * DAY + 1080} for day in range(1, 6)
            ],
        }
    ],
    "holidays": {
        47: [{"id": 1, "name": "New year", "start_date": "2027-01-01", "end_date": "2027-01-01"}]
    },
}

CLIENT = """\
warehouse: sqlite:///warehouse.db
clients:
  acme:
    time_zone: Europe/Istanbul
    sources:
      - {{id: desk, type: zendesk, base_url: "{zendesk}", email: ops@acme.example, token: made-up-token}}
{more}    sla: [standard.yaml]
"""


@pytest.fixture
def zendesk() -> Iterator[ZendeskStandin]:
    with ZendeskStandin({**account(1), **RULES}) as standin:
        yield standin


def folder(path: Path, zendesk: ZendeskStandin, more: str = "") -> CommandFolder:
    return CommandFolder(path, CLIENT.format(zendesk=zendesk.base_url, more=more))


def test_policies_and_schedules_become_a_file_that_the_client_can_use(
    tmp_path: Path, zendesk: ZendeskStandin
) -> None:
    desk = folder(tmp_path, zendesk)
    ran = desk.run("sla", "import", "zendesk")
    assert ran.code == 0, ran.err
    assert "policies: 2, calendars: 1" in ran.out
    assert "sla: [sla-desk.yaml, standard.yaml]" in ran.out
    assert desk.new_files() == {"sla-desk.yaml"}
    text = (tmp_path / "sla-desk.yaml").read_text()
    customer, everybody = load_policies(text, "sla-desk.yaml")
    assert customer.match.organisations == ("Customer",)
    assert everybody.match.is_empty
    assert everybody.matrix["low"]["first_reply"].target_seconds == 8 * 3600
    assert everybody.calendars["Office"].spec.zone is not None
    assert "2027-01-01  # New year" in text
    assert "SLA policy 1 of Zendesk, at position 1." in text
    assert "group SLA policy Tier 1" in ran.err
    assert "# group SLA policy Tier 1" in text
    # The written file is one that the product takes.
    desk.write(
        {
            "deskbridge.yaml": CLIENT.format(zendesk=zendesk.base_url, more="").replace(
                "standard.yaml", "sla-desk.yaml"
            )
        }
    )
    checked = desk.run("check", "--json")
    assert "Everybody" in checked.out


def test_file_that_is_there_is_left_as_it_is_without_force(
    tmp_path: Path, zendesk: ZendeskStandin
) -> None:
    desk = folder(tmp_path, zendesk)
    desk.write({"mine-policies.yaml": "mine"})
    output = str(tmp_path / "mine-policies.yaml")
    ran = desk.run("sla", "import", "zendesk", "--output", output)
    assert ran.code == 2
    assert "is there already and was left as it is" in ran.err
    assert (tmp_path / "mine-policies.yaml").read_text() == "mine"
    assert desk.new_files() == set()
    assert desk.run("sla", "import", "zendesk", "--output", output, "--force").code == 0
    assert load_policies((tmp_path / "mine-policies.yaml").read_text(), "x")
    assert desk.new_files() == set()


def test_disk_without_hard_links_gets_the_file_and_keeps_what_is_there(
    tmp_path: Path, zendesk: ZendeskStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    desk = folder(tmp_path, zendesk)
    assert desk.run("sla", "import", "zendesk").code == 0
    assert desk.new_files() == {"sla-desk.yaml"}
    desk.write({"sla-desk.yaml": "mine"})
    assert desk.run("sla", "import", "zendesk").code == 2
    assert (tmp_path / "sla-desk.yaml").read_text() == "mine"
    assert desk.new_files() == set()


def test_json_and_printing_write_no_file(tmp_path: Path, zendesk: ZendeskStandin) -> None:
    desk = folder(tmp_path, zendesk)
    ran = desk.run("sla", "import", "zendesk", "--output", "-")
    assert ran.code == 0
    assert len(load_policies(ran.out, "printed")) == 2
    told = json.loads(desk.run("sla", "import", "zendesk", "--output", "-", "--json").out)
    assert (told["client"], told["source"], told["path"]) == ("acme", "desk", None)
    assert (told["policies"], told["calendars"]) == (2, 1)
    assert [one["place"] for one in told["findings"]] == ["group SLA policy Tier 1"]
    assert desk.new_files() == set()


def test_folder_that_is_not_there_is_said(tmp_path: Path, zendesk: ZendeskStandin) -> None:
    desk = folder(tmp_path, zendesk)
    ran = desk.run("sla", "import", "zendesk", "--output", str(tmp_path / "no" / "x.yaml"))
    assert (ran.code, "there is no folder" in ran.err) == (2, True)


def test_client_with_several_sources_has_its_policies_kept_to_the_one(
    tmp_path: Path, zendesk: ZendeskStandin
) -> None:
    more = f'      - {{id: other, type: zendesk, base_url: "{zendesk.base_url}", email: a@acme.example, token: x}}\n'
    desk = folder(tmp_path, zendesk, more)
    ran = desk.run("sla", "import", "zendesk")
    assert (ran.code, "choose with --source: desk, other" in ran.err) == (2, True)
    ran = desk.run("sla", "import", "zendesk", "--source", "desk")
    assert ran.code == 0
    policies = load_policies((tmp_path / "sla-desk.yaml").read_text(), "x")
    assert [one.match.sources for one in policies] == [("desk",), ("desk",)]
    assert "must take every ticket" in " ".join(ran.err.split())


def test_sources_that_are_not_there_or_of_another_kind_are_said(
    tmp_path: Path, zendesk: ZendeskStandin
) -> None:
    desk = folder(tmp_path, zendesk)
    assert "no source 'dusk'" in desk.run("sla", "import", "zendesk", "--source", "dusk").err
    assert "no freshdesk source" in desk.run("sla", "import", "freshdesk").err


def test_plan_without_schedules_and_group_policies_is_a_note(
    tmp_path: Path, zendesk: ZendeskStandin
) -> None:
    zendesk.business.lacks = {"group_sla_policies", "schedules"}
    desk = folder(tmp_path, zendesk)
    ran = desk.run("sla", "import", "zendesk", "--output", "-", "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert told["calendars"] == 0
    details = " ".join(one["detail"] for one in told["findings"])
    assert "business_hours/schedules is not shown" in details
    assert "group_slas/policies is not shown" in details
    assert "count around the clock" in details


def test_account_without_policies_and_wrong_token_write_nothing(
    tmp_path: Path, zendesk: ZendeskStandin
) -> None:
    desk = folder(tmp_path, zendesk)
    zendesk.business.sla_policies = []
    ran = desk.run("sla", "import", "zendesk")
    assert (ran.code, "no SLA policy that can be taken over" in ran.err) == (2, True)
    zendesk.token = "another"
    ran = desk.run("sla", "import", "zendesk")
    assert ran.code == 1
    assert "refused (401)" in ran.err or "answered 401" in ran.err
    assert "Traceback" not in ran.err
    assert desk.new_files() == set()


def test_more_policies_than_a_page_all_come(tmp_path: Path, zendesk: ZendeskStandin) -> None:
    zendesk.business.sla_policies = [
        {
            "id": n,
            "title": f"P{n}",
            "position": n,
            "filter": {
                "all": [{"field": "current_tags", "operator": "includes", "value": f"t{n}"}]
            },
            "policy_metrics": [target("first_reply_time", "high", n, business_hours=False)],
        }
        for n in range(1, 131)
    ]
    desk = folder(tmp_path, zendesk)
    told = json.loads(desk.run("sla", "import", "zendesk", "--output", "-", "--json").out)
    assert told["policies"] == 130


def test_freshdesk_policies_become_a_file(tmp_path: Path) -> None:
    row = {"respond_within": 900, "resolve_within": 14_400, "business_hours": True}
    data = {
        "companies": [{"id": 31, "name": "Acme"}],
        "sla_policies": [
            {
                "id": 1,
                "name": "Default SLA Policy",
                "is_default": True,
                "active": True,
                "sla_target": {f"priority_{n}": row for n in range(1, 5)},
                "applicable_to": {},
            },
            {
                "id": 2,
                "name": "Acme",
                "is_default": False,
                "active": True,
                "position": 1,
                "sla_target": {f"priority_{n}": row for n in range(1, 5)},
                "applicable_to": {"company_ids": [31]},
            },
        ],
        "business_hours": [
            {
                "id": 5,
                "name": "Default",
                "is_default": True,
                "time_zone": "Berlin",
                "business_hours": {"monday": {"start_time": "8:00 am", "end_time": "5:00 pm"}},
            }
        ],
    }
    with FreshdeskStandin(data) as standin:
        configuration = f"""\
warehouse: sqlite:///warehouse.db
clients:
  acme:
    time_zone: Europe/Istanbul
    sources:
      - {{id: fresh, type: freshdesk, base_url: "{standin.base_url}", api_key: freshdesk-key}}
    sla: [standard.yaml]
"""
        desk = CommandFolder(tmp_path, configuration)
        ran = desk.run("sla", "import", "freshdesk")
    assert ran.code == 0, ran.err
    acme, everybody = load_policies((tmp_path / "sla-fresh.yaml").read_text(), "x")
    assert acme.match.organisations == ("Acme",)
    assert everybody.match.is_empty
    assert everybody.matrix["low"]["resolution"].target_seconds == 14_400
    for said in ("does not tell holidays", "in which statuses a timer stands still"):
        assert said in ran.err
        assert said in " ".join((tmp_path / "sla-fresh.yaml").read_text().replace("#", "").split())
