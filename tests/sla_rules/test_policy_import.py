"""SLA rules taken over from Zendesk and Freshdesk: what each becomes, and that the file always loads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_rules.engine import evaluate
from sla_rules.import_freshdesk import FreshdeskRules
from sla_rules.import_freshdesk import draft_of as freshdesk_draft
from sla_rules.import_zendesk import ZendeskRules, draft_of, organisations_named
from sla_rules.policy import Policy, load_policies
from sla_rules.policy_draft import Draft, draft_text, week_of
from sla_rules.rails_time_zones import ZONES, iana_zone

DAY = 24 * 60


def target(
    metric: str, priority: str, minutes: int, business_hours: bool = False
) -> dict[str, Any]:
    return {
        "metric": metric,
        "priority": priority,
        "target": minutes,
        "target_in_seconds": minutes * 60,
        "business_hours": business_hours,
    }


def policy(number: int, title: str, *targets: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "title": title,
        "position": number,
        "filter": {"all": [], "any": []},
        "policy_metrics": list(targets) or [target("first_reply_time", "urgent", 15)],
        **fields,
    }


def condition(field: str, value: Any, operator: str = "is") -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def office(**fields: Any) -> dict[str, Any]:
    """Monday to Friday from nine to five; Zendesk counts minutes from Sunday's midnight."""
    return {
        "id": 47,
        "name": "Office",
        "time_zone": "Berlin",
        "intervals": [
            {"start_time": day * DAY + 540, "end_time": day * DAY + 1020} for day in range(1, 6)
        ],
        "holidays": [],
        **fields,
    }


def loaded(draft: Draft) -> list[Policy]:
    """The policies of the draft's text, by the loader that the product itself uses."""
    return list(load_policies(draft_text(draft), "draft.yaml"))


def taken_over(*policies: dict[str, Any], **rules: Any) -> tuple[list[Policy], Draft]:
    draft = draft_of(ZendeskRules(policies, **rules), "https://acme.example")
    return loaded(draft), draft


def test_every_metric_and_priority_becomes_ours_in_its_own_hours() -> None:
    (found,), draft = taken_over(
        policy(
            1,
            "Standard",
            target("first_reply_time", "urgent", 15),
            target("next_reply_time", "urgent", 30),
            target("periodic_update_time", "high", 60),
            target("pausable_update_time", "high", 61),
            target("requester_wait_time", "normal", 480, business_hours=True),
            target("agent_work_time", "normal", 90, business_hours=True),
            target("total_resolution_time", "low", 2_880),
        ),
        schedules=[office()],
    )
    assert {
        priority: {name: (cell.target_seconds, cell.calendar) for name, cell in row.items()}
        for priority, row in found.matrix.items()
    } == {
        "critical": {"first_reply": (900, "24x7"), "next_reply": (1_800, "24x7")},
        "high": {"periodic_update": (3_600, "24x7"), "pausable_update": (3_660, "24x7")},
        "medium": {"requester_wait": (28_800, "Office"), "agent_work": (5_400, "Office")},
        "low": {"total_resolution": (172_800, "24x7")},
    }
    assert found.rules.no_priority is None
    assert draft.findings == []


def test_calendar_keeps_zone_hours_and_every_day_of_a_holiday() -> None:
    holidays = [{"name": "New year", "start_date": "2026-12-31", "end_date": "2027-01-01"}]
    (found,), _ = taken_over(
        policy(1, "A", target("first_reply_time", "low", 60, business_hours=True)),
        schedules=[office(holidays=holidays)],
    )
    calendar = found.calendars["Office"]
    berlin_wednesday_9 = datetime(2026, 12, 30, 8, tzinfo=UTC)
    # Eight hours on the 30th, none on the two days of the holiday and at the weekend, eight again on Monday.
    assert calendar.between(berlin_wednesday_9, berlin_wednesday_9 + timedelta(days=6)) == 16 * 3600
    assert calendar.is_open(datetime(2026, 7, 1, 7, 30, tzinfo=UTC)), "summer time"
    assert not calendar.is_open(datetime(2026, 7, 1, 15, 0, tzinfo=UTC))


def test_interval_across_midnight_and_the_end_of_the_week_is_cut_and_goes_round() -> None:
    late = [
        {"start_time": 6 * DAY + 1320, "end_time": 7 * DAY},
        {"start_time": 0, "end_time": 120},
        {"start_time": DAY + 1380, "end_time": 2 * DAY + 60},
    ]
    draft = draft_of(
        ZendeskRules(
            [policy(1, "A", target("first_reply_time", "low", 60, business_hours=True))],
            schedules=[office(intervals=late)],
        ),
        "x",
    )
    assert draft.calendars[0].hours == (
        ((1380, 1440),),
        ((0, 60),),
        (),
        (),
        (),
        ((1320, 1440),),
        ((0, 120),),
    )
    assert loaded(draft)


def test_schedule_that_never_closes_is_absolute_time_unless_it_has_holidays() -> None:
    whole = [{"start_time": day * DAY, "end_time": (day + 1) * DAY} for day in range(7)]
    asked = policy(1, "A", target("first_reply_time", "low", 60, business_hours=True))
    (always,), _ = taken_over(asked, schedules=[office(intervals=whole)])
    assert always.calendars["Office"].spec.zone is None
    holiday = {"name": "Shut", "start_date": "2026-05-01", "end_date": "2026-05-01"}
    (shut,), _ = taken_over(asked, schedules=[office(intervals=whole, holidays=[holiday])])
    may_day = datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert not shut.calendars["Office"].is_open(may_day)
    assert shut.calendars["Office"].is_open(may_day + timedelta(days=1))


def test_unknown_zone_is_said_and_not_guessed_in_silence() -> None:
    _, draft = taken_over(
        policy(1, "A", target("first_reply_time", "low", 60, business_hours=True)),
        schedules=[office(time_zone="Middle-earth")],
    )
    assert [one.place for one in draft.findings] == ["schedule Office"]
    assert "Middle-earth" in draft.findings[0].detail
    assert "Check: the time zone 'Middle-earth' is not known" in draft_text(draft)


def test_all_known_conditions_become_ours() -> None:
    told = policy(
        1,
        "Gold",
        filter={
            "all": [condition("organization_id", 31), condition("via_id", 4)],
            "any": [condition("current_tags", "vip gold", "includes")],
        },
    )
    assert organisations_named([told]) == ["31"]
    (found,), draft = taken_over(told, organisations={"31": "Acme"})
    assert found.match.organisations == ("Acme",)
    assert found.match.channels == ("email",)
    assert found.match.tags == ("vip", "gold")
    assert [one.place for one in draft.findings] == ["policy Gold"]
    assert "coarser" in draft.findings[0].detail


def test_any_over_several_fields_becomes_policies_with_the_same_promises() -> None:
    told = policy(
        7,
        "Either",
        filter={
            "all": [],
            "any": [
                condition("organization_id", 31),
                condition("current_tags", "vip", "includes"),
                condition("organization_id", 32),
            ],
        },
    )
    found, _ = taken_over(told, organisations={"31": "Acme", "32": "Bolt"})
    assert [one.name for one in found] == ["Either", "Either (7)"]
    assert [one.match.organisations for one in found] == [("Acme", "Bolt"), ()]
    assert [one.match.tags for one in found] == [(), ("vip",)]
    assert found[0].matrix == found[1].matrix


@pytest.mark.parametrize(
    "filter_",
    [
        {"all": [condition("brand_id", 7)], "any": []},
        {"all": [condition("organization_id", 31, "is_not")], "any": []},
        {"all": [condition("current_tags", "vip", "not_includes")], "any": []},
        {"all": [condition("organization_id", 99)], "any": []},
        {
            "all": [
                condition("current_tags", "a", "includes"),
                condition("current_tags", "b", "includes"),
            ]
        },
        {
            "all": [],
            "any": [condition("current_tags", "a", "includes"), condition("type", "incident")],
        },
        {"all": [condition("organization_id", "")], "any": []},
    ],
)
def test_policy_with_a_condition_that_cannot_be_expressed_waits_for_a_tag(
    filter_: dict[str, Any],
) -> None:
    found, draft = taken_over(
        policy(5, "Narrow", filter=filter_), policy(6, "All"), organisations={"31": "Acme"}
    )
    assert found[0].match.tags == ("deskbridge_sla_5",)
    assert found[1].match.is_empty
    assert [one.place for one in draft.findings] == ["policy Narrow"]
    assert "deskbridge_sla_5" in draft.findings[0].detail
    assert "Not carried over, conditions that cannot be expressed here" in draft_text(draft)


def test_order_is_zendesks_position_and_what_it_never_reaches_stands_as_a_comment() -> None:
    found, draft = taken_over(
        policy(1, "Last", position=3),
        policy(
            2, "First", position=1, filter={"all": [condition("current_tags", "a", "includes")]}
        ),
        policy(3, "All", position=2),
    )
    assert [one.name for one in found] == ["First", "All"]
    assert [one.place for one in draft.findings] == ["policy Last"]
    assert "# policy Last: a policy before it has no condition" in draft_text(draft)


def test_policies_of_one_source_name_it_and_still_know_what_is_never_reached() -> None:
    rules = ZendeskRules([policy(1, "All"), policy(2, "Never")])
    draft = draft_of(rules, "x", "zendesk")
    (found,) = loaded(draft)
    assert found.match.sources == ("zendesk",)
    assert [one.place for one in draft.findings] == ["policy Never"]


def test_group_policies_settings_and_odd_targets_are_told() -> None:
    settings = {"first_reply_time": {"fulfill_on_agent_internal_note": True, "other": False}}
    _, draft = taken_over(
        policy(
            1,
            "A",
            target("first_reply_time", "low", 60),
            target("moon_time", "low", 60),
            {"metric": "next_reply_time", "priority": "low", "target": 0},
            metric_settings=settings,
        ),
        group_policies=[policy(2, "Tier 1", target("group_ownership_time", "high", 60))],
    )
    told = {f"{one.place}: {one.detail}" for one in draft.findings}
    assert len(told) == 4
    text = draft_text(draft)
    assert "first_reply_time.fulfill_on_agent_internal_note" in text
    assert "group SLA policy Tier 1" in text


def test_business_hours_without_any_schedule_count_around_the_clock_and_say_so() -> None:
    (found,), draft = taken_over(
        policy(1, "A", target("first_reply_time", "low", 60, business_hours=True))
    )
    assert found.matrix["low"]["first_reply"].calendar == "24x7"
    assert [one.place for one in draft.findings] == ["schedules"]


def test_priority_without_a_target_has_no_clock() -> None:
    found, _ = taken_over(policy(1, "A", target("first_reply_time", "urgent", 15)))
    begin = datetime(2026, 3, 2, 8, tzinfo=UTC)
    tickets = [
        {"ticket_key": "a", "created_at": begin, "priority": "critical", "status": "new"},
        {"ticket_key": "b", "created_at": begin, "priority": "low", "status": "new"},
        {"ticket_key": "c", "created_at": begin, "priority": None, "status": "new"},
    ]
    rows = evaluate(tickets, [], found, begin + timedelta(hours=1))
    assert [(row.ticket_key, row.metric, row.state) for row in rows] == [
        ("a", "first_reply", "breached")
    ]


def test_hostile_names_stay_names() -> None:
    name = 'x"\n- name: evil\n  matrix: {}\u2028# y: !!python/object \x00\ud800'
    found, draft = taken_over(
        policy(
            1, name, description=name, filter={"all": [condition("current_tags", name, "includes")]}
        ),
        policy(2, name),
        schedules=[office(name=name, holidays=[{"name": name, "start_date": "2026-01-01"}])],
        organisations={},
    )
    assert len(found) == 2
    text = draft_text(draft)
    text.encode()
    assert "\u2028" not in text
    assert not any(line.strip().startswith("- name: evil") for line in text.splitlines())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 20_000) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=5,
)
_CONDITION = st.fixed_dictionaries(
    {
        "field": st.sampled_from(["organization_id", "via_id", "current_tags", "brand_id"]) | _JSON,
        "operator": st.sampled_from(["is", "includes", "is_not"]),
        "value": st.sampled_from([31, 4, "vip", ["31", 32]]) | _JSON,
    }
)
_TARGET = st.fixed_dictionaries(
    {
        "metric": st.sampled_from(["first_reply_time", "agent_work_time", "odd"]) | _JSON,
        "priority": st.sampled_from(["low", "normal", "high", "urgent"]) | _JSON,
        "target": st.integers(-5, 100_000) | _JSON,
        "business_hours": st.booleans(),
    }
)
_POLICY = st.fixed_dictionaries(
    {
        "id": st.integers(1, 9) | _JSON,
        "title": st.text() | _JSON,
        "position": st.integers(0, 5) | _JSON,
        "filter": st.fixed_dictionaries(
            {"all": st.lists(_CONDITION, max_size=3), "any": st.lists(_CONDITION, max_size=3)}
        )
        | _JSON,
        "policy_metrics": st.lists(_TARGET, max_size=5) | _JSON,
    }
)
_SCHEDULE = st.fixed_dictionaries(
    {
        "id": st.integers(1, 9),
        "name": st.text() | _JSON,
        "time_zone": st.sampled_from(["Berlin", "Asia/Tokyo", "odd"]) | _JSON,
        "intervals": st.lists(
            st.fixed_dictionaries(
                {"start_time": st.integers(-10, 10_100), "end_time": st.integers(-10, 10_100)}
            ),
            max_size=5,
        )
        | _JSON,
        "holidays": st.lists(
            st.fixed_dictionaries(
                {"name": st.text(), "start_date": st.sampled_from(["2026-01-01", "2026-03-04", "x"]),
                 "end_date": st.sampled_from(["2026-01-02", "2026-03-01", None])}
            ),
            max_size=3,
        )
        | _JSON,
    }
)  # fmt: skip


@given(
    st.lists(_POLICY, max_size=4),
    st.lists(_SCHEDULE, max_size=3),
    st.sampled_from([None, "zendesk", "true"]),
)
def test_whatever_an_account_holds_the_file_loads(
    policies: list[dict[str, Any]], schedules: list[dict[str, Any]], source_key: str | None
) -> None:
    rules = ZendeskRules(policies, [], schedules, {"31": "Acme", "32": "yes"})
    draft = draft_of(rules, "https://acme.example", source_key)
    if draft.policies:
        assert len(loaded(draft)) == len(draft.policies)
    else:
        assert draft.findings or not policies


def test_week_that_overlaps_is_one() -> None:
    assert week_of([(0, 60), (30, 90), (90, 120)])[0] == ((0, 120),)


def test_every_zone_of_rails_is_one_of_ianas() -> None:
    assert all(iana_zone(name) == zone for name, zone in ZONES.items())
    assert iana_zone("Europe/Istanbul") == "Europe/Istanbul"
    assert [iana_zone(name) for name in ("", "Nowhere", "../../etc/passwd")] == [None] * 3


def freshdesk_policy(number: int, name: str, **fields: Any) -> dict[str, Any]:
    row = {"respond_within": 900, "resolve_within": 14_400, "business_hours": True}
    return {
        "id": number,
        "name": name,
        "active": True,
        "is_default": False,
        "position": number,
        "sla_target": {f"priority_{n}": {**row, "business_hours": n < 4} for n in range(1, 5)},
        "applicable_to": {},
        **fields,
    }


def test_freshdesk_policies_become_ours_with_the_default_last() -> None:
    hours = {
        "id": 1,
        "name": "Default",
        "is_default": True,
        "time_zone": "Eastern Time (US & Canada)",
        "business_hours": {
            "monday": {"start_time": "8:00 am", "end_time": "12:00 pm"},
            "tuesday": {"start_time": "10:00 pm", "end_time": "2:00 am"},
            "sunday": {"start_time": "12:00 am", "end_time": "11:59 pm"},
        },
    }
    rules = FreshdeskRules(
        [
            freshdesk_policy(1, "Default SLA", is_default=True),
            freshdesk_policy(2, "Acme", applicable_to={"company_ids": [31], "sources": [1]}),
            freshdesk_policy(3, "Groups", applicable_to={"group_ids": [5], "company_ids": [31]}),
            freshdesk_policy(4, "Off", active=False),
        ],
        [hours],
        {"31": "Acme"},
    )
    draft = freshdesk_draft(rules, "https://acme.example")
    found = loaded(draft)
    assert [one.name for one in found] == ["Acme", "Groups", "Default SLA"]
    assert (found[0].match.organisations, found[0].match.channels) == (("Acme",), ("email",))
    assert (found[1].match.organisations, found[1].match.tags) == (("Acme",), ("deskbridge_sla_3",))
    assert found[2].match.is_empty
    critical, low = found[2].matrix["critical"], found[2].matrix["low"]
    assert (critical["first_reply"].target_seconds, critical["first_reply"].calendar) == (
        900,
        "24x7",
    )
    assert (low["resolution"].target_seconds, low["resolution"].calendar) == (14_400, "Default")
    assert draft.calendars[0].hours == (
        ((480, 720),),
        ((1320, 1440),),
        ((0, 120),),
        (),
        (),
        (),
        ((0, 1440),),
    )
    assert {one.place for one in draft.findings} == {
        "business hours",
        "business hours Default",
        "timers",
        "policy Acme",
        "policy Groups",
        "policy Off",
    }


_FRESHDESK = st.fixed_dictionaries(
    {
        "id": st.integers(1, 9) | _JSON,
        "name": st.text() | _JSON,
        "position": _JSON,
        "is_default": _JSON,
        "active": st.booleans(),
        "sla_target": st.dictionaries(
            st.sampled_from(["priority_1", "priority_4", "odd"]),
            st.dictionaries(
                st.sampled_from(["respond_within", "resolve_within", "business_hours"]),
                st.integers(-1, 10**7) | _JSON,
            ),
        )
        | _JSON,
        "applicable_to": st.dictionaries(
            st.sampled_from(["company_ids", "sources", "group_ids"]),
            st.lists(st.integers(0, 40), max_size=3) | _JSON,
        )
        | _JSON,
    }
)


@given(st.lists(_FRESHDESK, max_size=4), st.lists(st.dictionaries(st.sampled_from(
    ["id", "name", "time_zone", "is_default", "business_hours"]), _JSON), max_size=2))  # fmt: skip
def test_whatever_a_freshdesk_account_holds_the_file_loads(
    policies: list[dict[str, Any]], hours: list[dict[str, Any]]
) -> None:
    draft = freshdesk_draft(FreshdeskRules(policies, hours, {"31": "Acme"}), "https://acme.example")
    if draft.policies:
        assert len(loaded(draft)) == len(draft.policies)
