"""The figures of the small warehouse, worked out by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import Engine

from connectors.warehouse import schema
from connectors.warehouse.engine import make_engine, reading
from connectors.warehouse.report_queries import read_report_rows
from reports.figures import Goals, ReportFigures, compute
from reports.period import Period, month_period
from reports.workbook import build_workbook


def read(engine: Engine, story, period: Period, as_of: datetime) -> ReportFigures:
    story.write(engine)
    with reading(engine) as connection:
        rows = read_report_rows(connection, "acme")
    return compute(rows, period, as_of, Goals(0.9, 0.7, 0.1, 0.85))


@pytest.fixture
def report(sqlite_engine: Engine, story, october: Period, as_of: datetime) -> ReportFigures:
    return read(sqlite_engine, story, october, as_of)


def fraction(report: ReportFigures, key: str) -> tuple[int | None, int]:
    return report.figures[key].numerator, report.figures[key].n


def test_compliance_counts_decided_instances_of_tickets_that_count(report: ReportFigures) -> None:
    # First reply: t01 t03 t13 t14 met; t02 late, t05 open past due (its stored row still says running).
    assert fraction(report, "sla_compliance_first_reply") == (4, 6)
    # Resolution: t01 t02 t10 t13 t14 met; t03 late. t04 ran out in September, t11 was decided in November.
    assert fraction(report, "sla_compliance_resolution") == (5, 6)
    assert fraction(report, "sla_compliance") == (9, 12)
    # t01 t10 t13 t14 kept every promise; t02 t03 t05 broke one.
    assert fraction(report, "ticket_compliance") == (4, 7)
    assert report.figures["sla_compliance"].verdict == "missed"
    assert report.figures["sla_compliance_resolution"].verdict == "too few"
    assert (
        report.figures["sla_compliance"].excluded
        == {
            "running or paused before due": 2,  # t05 resolution, t12 resolution (paused: its due is a projection)
            "cancelled": 1,  # t12 next_reply
            "without a target": 1,  # t01 acknowledgement
            "of tickets that are left out": 2,  # t06, t07
        }
    )
    # September: t04 and t12 replied in time, t04 resolution ran out.
    assert report.before["sla_compliance"].value == pytest.approx(2 / 3)


def test_every_clock_instance_goes_to_one_place(report: ReportFigures) -> None:
    clocks = report.clocks
    assert (clocks.met, clocks.breached, clocks.decided) == (9, 3, 12)
    assert (clocks.decided_before, clocks.decided_later) == (3, 2)
    # 12 decided, 3 before, 2 later, 2 open, 1 cancelled, 1 without target, 2 of tickets left out.
    assert clocks.total == 23


def test_priority_matrix_sums_parts_and_never_averages(report: ReportFigures) -> None:
    rows = {(r.metric, r.priority): r for r in report.matrix.itertuples()}
    reply = rows["first_reply", "all"]
    assert (reply.n, reply.met, reply.breached) == (6, 4, 2)
    assert [p for m, p in rows if m == "first_reply"] == ["critical", "high", "medium", "all"]
    # Stopped: 1800 (t01) 21600 (t02) 600 (t03) 28000 (t13) 3600 (t14) → median 3600; t05 has not stopped.
    assert (reply.stopped, reply.median_seconds) == (5, 3_600)
    # 90th percentile at place 3.6 of 600 1800 3600 21600 28000: 21600 + 0.6 · 6400.
    assert reply.p90_seconds == 25_440
    # t02 took 21600 of 14400; t05 has no time over its target in its stored row.
    assert reply.worst_overdue_seconds == 7_200
    assert rows["first_reply", "critical"].calendars == "24x7"
    assert rows["resolution", "all"].worst_overdue_seconds == 7_200


def test_breaches_name_the_owner_at_that_instant(
    report: ReportFigures, instant: Callable[[str], datetime]
) -> None:
    listed = [
        (r.ticket_key, r.metric, r.decided_at.to_pydatetime(), r.owner)
        for r in report.breaches.itertuples()
    ]
    assert listed == [
        ("t05", "first_reply", instant("10-31 12:00"), "Alice"),
        ("t03", "resolution", instant("10-10 04:00"), "Alice"),
        ("t02", "first_reply", instant("10-06 12:00"), "Bob"),
    ]


def test_at_risk_is_eighty_percent_used(report: ReportFigures) -> None:
    # 85,000 of 100,000 seconds; t12 is paused at 3,600 of 14,400.
    assert list(report.at_risk["ticket_key"]) == ["t05"]


def test_first_response_in_calendar_and_in_business_time(report: ReportFigures) -> None:
    figures = report.figures
    # t01 1800, t02 21600, t03 600, t14 3600, t15 3600; t10 was begun by an agent.
    assert figures["first_response_calendar_median"].value == 3_600
    assert figures["first_response_calendar_median"].n == 5
    assert figures["first_response_calendar_median"].excluded == {"begun by an agent": 1}
    # Place 3.6 of 600 1800 3600 3600 21600: 3600 + 0.6 · 18000.
    assert figures["first_response_calendar_p90"].value == 14_400
    assert figures["first_response_calendar_mean"].value == 31_200 // 5
    # By clock: t01 1800, t02 21600, t14 3600; t03 runs 24x7, t15 has no clock.
    assert figures["first_response_business_median"].value == 3_600
    assert figures["first_response_business_median"].excluded == {
        "clock runs 24x7": 1,
        "no clock": 1,
    }


def test_resolution_first_full_and_business(report: ReportFigures) -> None:
    figures = report.figures
    # First: t10 1 h, t15 2 h, t01 3 h, t03 6 h, t02 t13 t14 24 h, t04 12 d → (6 h + 24 h) / 2.
    assert figures["first_resolution_calendar_median"].value == 15 * 3_600
    # Full: t03's last solve came 25 h after its creation → (24 h + 24 h) / 2.
    assert figures["full_resolution_calendar_median"].value == 24 * 3_600
    assert figures["full_resolution_calendar_median"].n == 8
    # Clocks stopped in October: 3600 10800 20000 28000 28000 200000 (t04); t03 runs 24x7.
    assert figures["resolution_business_median"].value == 24_000
    assert figures["acknowledgement_median"].value == 20


def test_first_contact_strict_puts_each_ticket_into_one_slice(report: ReportFigures) -> None:
    assert report.contact.slices == {
        "one reply, held": 2,  # t01, t04 (its first assignment to a team is no change)
        "one reply, reopened within 7 days": 1,  # t03
        "one reply, changed team": 1,  # t15
        "two replies": 1,  # t02, the second copy of a mail not counted
        "three or more replies": 0,
        "no reply": 1,  # t13
        "begun by an agent": 1,  # t10
        "7 days not over": 1,  # t14
    }
    assert fraction(report, "first_contact") == (2, 5)


def test_reopen_rate_flags_thanks(report: ReportFigures) -> None:
    # t03; solved in October: t01 t02 t03 t04 t10 t13 t14 t15.
    assert fraction(report, "reopen_rate") == (1, 8)
    assert report.figures["reopened_without_reply"].value == 1


def test_backlog_identity(report: ReportFigures) -> None:
    left = report.backlog
    # Start: t04 t12. Created: t01 t02 t03 t05 t07 t08 t10 t11 t13 t14 t15. Solved: t03 twice.
    assert (left.start, left.created, left.reopened, left.restored) == (2, 11, 1, 0)
    assert (left.solved, left.removed) == (9, 1)
    # End: t05 t08 (deleted in November) t11 t12.
    assert left.end == 4
    assert left.reconciles
    assert left.without_owner == 1
    ages = dict(zip(left.ageing["age"], left.ageing["all"], strict=True))
    assert ages == {
        "under 1 day": 1,
        "1 to 3 days": 1,
        "3 to 7 days": 0,
        "7 to 14 days": 0,
        "14 to 30 days": 1,
        "over 30 days": 1,
    }
    assert list(left.oldest["ticket_key"]) == ["t12", "t08", "t05", "t11"]


def test_csat_takes_the_last_rating_of_each_ticket(report: ReportFigures) -> None:
    # t01 5, t02 4 (2 before), t03 3; t06 is a duplicate, t14 answered in November.
    assert fraction(report, "csat") == (2, 3)
    assert report.figures["csat"].excluded == {
        "earlier ratings of the same ticket": 1,
        "of tickets that are left out": 1,
    }
    assert report.satisfaction.distribution == {5: 1, 4: 1, 3: 1, 2: 0, 1: 0}
    assert fraction(report, "csat_response_rate") == (3, 8)
    low, high = report.figures["csat"].interval or (0, 0)
    assert (round(low, 4), round(high, 4)) == (0.2077, 0.9385)


def test_volume_by_source_and_channel(report: ReportFigures) -> None:
    rows = [tuple(r) for r in report.volume.itertuples(index=False)]
    # Source, channel, created in October, in September, of October's solved by now.
    assert rows == [
        ("zendesk", "email", 3, 0, 2),
        ("zendesk", "api", 2, 0, 2),
        ("freshdesk", "email", 1, 0, 1),
        ("freshdesk", "phone", 1, 0, 1),
        ("info", "email", 1, 1, 1),
        ("zendesk", "web", 1, 1, 1),
    ]
    assert report.figures["created"].value == 9
    assert report.figures["solved"].value == 8


def test_escalations_count_steps_taken(report: ReportFigures) -> None:
    # t02 was paged; a warning and a skipped step are listed only. Handled: t04 t12 and nine created.
    assert fraction(report, "escalation_rate") == (1, 11)
    assert report.escalations.by_level == {"L2": (1, 1)}
    steps = {r.escalation_key: r for r in report.escalations.steps.itertuples()}
    assert len(steps) == 3
    paged = steps["step-page"]
    assert (paged.channel, paged.result, paged.delay_seconds) == ("pagerduty", "delivered", 300)
    assert steps["step-skip"].channel is None


def test_weekly_trend_has_complete_weeks_only(report: ReportFigures) -> None:
    weeks = report.weekly.set_index("week")
    # 1 November 2026 is a Sunday in Istanbul: week 44 is not over at the end of October.
    assert list(weeks.index) == [f"2026-W{number}" for number in range(32, 44)]
    week = weeks.loc["2026-W41"]
    # Decided 5 to 11 October: t01 t01 t02 t03 met; t02 t03 broken. Created t01 t02 t03 t15; solved t03 twice.
    assert (week["all_met"], week["all_n"], week["created"], week["solved"]) == (4, 6, 4, 5)
    assert (week["first_reply_met"], week["first_reply_n"]) == (2, 3)


def test_reconciliation_agrees_and_lists_what_is_left_out(report: ReportFigures) -> None:
    found = report.reconciliation
    assert [check.name for check in found.checks if not check.is_ok] == []
    assert found.excluded == {
        "duplicate_of": (1, 1),
        "merged_into": (0, 0),
        "migrated_to": (1, 1),
        "merged": (0, 0),
        "deleted": (1, 1),
        "spam": (1, 1),
        "automatic": (0, 0),
        "undated": (0, 0),
    }
    zendesk, freshdesk = (
        next(check for check in found.checks if f"Source {name}" in check.name)
        for name in ("zendesk", "freshdesk")
    )
    assert (zendesk.expected, zendesk.found) == (10, 10)  # 9 tickets and 1 in quarantine
    assert (freshdesk.expected, freshdesk.found, freshdesk.expected_most) == (3, 3, 4)


def test_source_verdicts_are_compared_and_differences_explained(
    sqlite_engine: Engine, story, october: Period, as_of: datetime
) -> None:
    verdicts = {
        # Ours: reply met, resolution broken at 04:00. The source allowed until 08:00.
        "t03": {"fr_escalated": False, "is_escalated": False, "due_by": "2026-10-10T08:00:00Z"},
        # Ours: both met; the source says the reply was late, with the same due instant.
        "t14": {"fr_escalated": True, "is_escalated": False, "fr_due_by": "2026-10-27T12:00:30Z"},
        "t01": {"is_sla_met": True},
        "t02": {"is_sla_met": True},
        # Not decided in October, of a duplicate, or of no known shape: not compared.
        "t11": {"fr_escalated": True},
        "t06": {"is_sla_met": False},
        "t10": {"slas": {"policy_metrics": []}, "is_escalated": "no"},
    }
    for row in story.rows["ticket"]:
        row["source_verdict"] = verdicts.get(row["ticket_key"])
    found = read(sqlite_engine, story, october, as_of).source_verdicts
    assert dict(found.compared) == {"zendesk": (2, 1), "freshdesk": (4, 2)}
    assert [
        (r.ticket_key, r.metric, r.is_met, r.source_is_met, r.reason.partition(":")[0])
        for r in found.differences.itertuples()
    ] == [
        (
            "t02",
            "all targets",
            False,
            True,
            "the source gives no due instant to compare",
        ),
        ("t03", "resolution", False, True, "the source's due instant is 4 h 00 min later"),
        ("t14", "first_reply", True, False, "same due instant"),
    ]


def test_a_lost_ticket_shows_as_check(
    sqlite_engine: Engine, story, october: Period, as_of: datetime
) -> None:
    story.raw("zendesk", "lost-on-the-way")
    found = read(sqlite_engine, story, october, as_of).reconciliation
    assert [c.name for c in found.checks if not c.is_ok] == [
        "Source zendesk: raw records = tickets + quarantined"
    ]


def test_what_comes_after_as_of_changes_nothing(
    report: ReportFigures, tmp_path, story, october: Period, as_of: datetime
) -> None:
    story.change("t01", "status", "solved", "open", "11-05 09:00")
    story.change("t05", "status", "new", "deleted", "11-05 09:00")
    story.comment("t01", "11-05 09:00", "agent")
    story.rating("t01", 1, "11-05 09:00")
    story.ticket("t99", "zendesk", "email", "11-04 09:00")
    story.clock("t99", "first_reply", "11-04 09:00", "running")
    story.raw("zendesk", "t99-remote")
    for row in story.rows["ticket"]:
        if row["ticket_key"] in ("t01", "t05"):
            row["status"] = "open" if row["ticket_key"] == "t01" else "deleted"
            row["updated_at"] = as_of + timedelta(days=2)
    engine = make_engine(f"sqlite:///{tmp_path / 'later.db'}")
    schema.upgrade(engine)
    later = read(engine, story, october, as_of)
    engine.dispose()
    assert later.figures == report.figures
    assert later.before == report.before
    assert later.weekly.equals(report.weekly)
    assert later.backlog.ageing.equals(report.backlog.ageing)
    assert later.reconciliation.is_ok


def test_one_client_never_sees_another(sqlite_engine: Engine, story, october, as_of) -> None:
    other = type(story)(client_key="other")
    other.ticket("x01", "zendesk", "email", "10-05 09:00")
    other.clock("x01", "first_reply", "10-05 09:00", "breached", breached_at=as_of - timedelta(9))
    other.write(sqlite_engine)
    report = read(sqlite_engine, story, october, as_of)
    assert fraction(report, "sla_compliance") == (9, 12)
    assert len(report.reconciliation.sources) == 3


def test_both_databases_give_the_same_report(
    report: ReportFigures, postgres_engine: Engine, story, october: Period, as_of: datetime
) -> None:
    other = read(postgres_engine, story, october, as_of)
    assert other.figures == report.figures
    assert other.before == report.before
    for name in ("matrix", "weekly", "breaches", "at_risk", "volume", "policies"):
        pd.testing.assert_frame_equal(getattr(other, name), getattr(report, name))
    pd.testing.assert_frame_equal(other.escalations.steps, report.escalations.steps)
    pd.testing.assert_frame_equal(other.reconciliation.streams, report.reconciliation.streams)
    assert build_workbook(other).content == build_workbook(report).content


def test_an_empty_warehouse_gives_no_values_and_no_errors(
    engine: Engine, empty_story, october: Period, as_of: datetime
) -> None:
    report = read(engine, empty_story, october, as_of)
    assert report.figures["sla_compliance"].value is None
    assert {f.verdict for f in report.figures.values() if f.unit != "count"} == {"no data"}
    assert report.reconciliation.is_ok


def test_a_report_on_a_period_that_has_not_begun_says_so(
    sqlite_engine: Engine, story, as_of: datetime
) -> None:
    with pytest.raises(ValueError, match="December 2026 of client acme begins 2026-12-01 00:00"):
        read(sqlite_engine, story, month_period(2026, 12, "Europe/Istanbul"), as_of)
    with pytest.raises(ValueError, match="without a zone"):
        read(sqlite_engine, story, month_period(2026, 10, "UTC"), datetime(2026, 11, 3))  # noqa: DTZ001


def test_a_running_month_counts_up_to_as_of(sqlite_engine: Engine, story, october: Period) -> None:
    report = read(sqlite_engine, story, october, datetime(2026, 10, 6, 13, 0, tzinfo=UTC))
    assert not report.is_complete
    # t01 twice met; t02 broken at 12:00.
    assert fraction(report, "sla_compliance") == (2, 3)
    assert report.breaches["met_at"].isna().all()
    assert report.backlog.reconciles
    assert report.backlog.end == 2  # t02, t12; t04 was solved on the 2nd
