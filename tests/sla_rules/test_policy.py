"""Policy files: what they may say, and what a person is told when one is wrong."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import sla_rules
from sla_rules.durations import Duration, read_duration, shown_duration
from sla_rules.engine import TicketFacts, evaluate
from sla_rules.metrics import METRICS
from sla_rules.policy import RULE_WORDS, AtRisk, Cell, Rules, check_policies, load_policies
from sla_rules.policy_yaml import PolicyError

HOUR = 3600
STANDARD = (Path(sla_rules.__file__).parent / "policies" / "standard.yaml").read_text("utf-8")

GOOD = """\
name: acme
calendars:
  office:
    time_zone: Europe/Berlin
    hours:
      mon-thu: [["09:00", "17:00"]]
      fri: [["09:00", "15:00"]]
  shop:
    time_zone: Europe/Berlin
    hours: {sat: [["10:00", "14:00"]]}
business_hours: office
matrix:
  critical: {response: 15 min, resolution: 4 h, calendar: 24x7}
  high: {response: 1 h, resolution: {business_days: 1, calendar: shop}}
  medium: {response: {target: 4 h}, resolution: 1 business day}
  low: {response: 1 h 30 min, resolution: 3 business days, calendar: business hours}
"""


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), start=1) if part in line)


class TestStandard:
    (policy,) = load_policies(STANDARD, "standard.yaml")

    def test_it_is_the_matrix_of_the_contract(self):
        day = 9 * HOUR
        expected = {
            "critical": (15 * 60, 4 * HOUR, "24x7"),
            "high": (HOUR, 8 * HOUR, "business_hours"),
            "medium": (4 * HOUR, day, "business_hours"),
            "low": (day, 3 * day, "business_hours"),
        }
        found = {
            priority: (
                row["first_reply"].target_seconds,
                row["resolution"].target_seconds,
                row["resolution"].calendar,
            )
            for priority, row in self.policy.matrix.items()
        }
        assert found == expected
        assert self.policy.metrics == ("first_reply", "resolution")
        assert self.policy.rules == Rules()

    def test_its_calendar_is_istanbuls_with_turkish_holidays(self):
        calendar = self.policy.calendars["business_hours"]
        # Wednesday 28 October 2026 to Friday: Thursday is Republic Day.
        opens, closes = (
            datetime(2026, 10, 28, 6, tzinfo=UTC),
            datetime(2026, 10, 28, 15, tzinfo=UTC),
        )
        assert calendar.is_open(opens)
        assert not calendar.is_open(closes)
        assert calendar.next_open(closes) == datetime(2026, 10, 30, 6, tzinfo=UTC)

    def test_it_works_from_end_to_end(self):
        ticket = TicketFacts("t", datetime(2026, 10, 28, 14, tzinfo=UTC), priority="high")
        reply, resolution = evaluate(
            [ticket], [], [self.policy], datetime(2026, 10, 28, 14, tzinfo=UTC)
        )
        # One hour is left on Wednesday, seven on Friday.
        assert reply.due_at == datetime(2026, 10, 28, 15, tzinfo=UTC)
        assert resolution.due_at == datetime(2026, 10, 30, 13, tzinfo=UTC)


class TestReading:
    (policy,) = load_policies(GOOD, "acme.yaml")

    def test_targets_in_all_their_forms(self):
        matrix = self.policy.matrix
        assert matrix["critical"]["first_reply"] == Cell(900, "24x7", follows_business_hours=False)
        assert matrix["high"]["first_reply"] == Cell(HOUR, "office", follows_business_hours=True)
        # A business day is the longest day of the calendar it is counted in.
        assert matrix["high"]["resolution"] == Cell(4 * HOUR, "shop", follows_business_hours=False)
        assert matrix["medium"]["first_reply"].target_seconds == 4 * HOUR
        assert matrix["medium"]["resolution"].target_seconds == 8 * HOUR
        assert matrix["low"]["first_reply"].target_seconds == 5400
        assert matrix["low"]["resolution"] == Cell(24 * HOUR, "office", follows_business_hours=True)

    def test_one_calendar_needs_no_name_and_none_means_around_the_clock(self):
        text = GOOD.replace("business_hours: office\n", "").replace("  shop:", "  business_hours:")
        text = text.replace("calendar: shop", "calendar: office")
        assert load_policies(text, "p")[0].business_hours == "business_hours"
        bare = "name: p\nmatrix:\n" + "".join(
            f"  {p}: {{response: 1 h}}\n" for p in ("critical", "high", "medium", "low")
        )
        assert load_policies(bare, "p")[0].matrix["low"]["first_reply"].calendar == "24x7"

    def test_a_metric_may_be_named_itself(self):
        text = GOOD.replace("response:", "first_reply:")
        assert load_policies(text, "p")[0].version == self.policy.version

    @pytest.mark.parametrize("metric", list(METRICS))
    def test_every_metric_may_have_a_target(self, metric):
        rows = "".join(f"  {p}: {{{metric}: 1 h}}\n" for p in ("critical", "high", "medium", "low"))
        (policy,) = load_policies("name: p\nmatrix:\n" + rows, "p")
        assert policy.metrics == (metric,)

    @pytest.mark.parametrize(
        ("rule", "word"), [(r, w) for r, words in RULE_WORDS.items() for w in words]
    )
    def test_every_rule_takes_its_words(self, rule, word):
        (policy,) = load_policies(f"{GOOD}rules: {{{rule}: {word}}}\n", "p")
        assert getattr(policy.rules, rule) == word
        assert getattr(Rules(), rule) == RULE_WORDS[rule][0]

    def test_rules_with_amounts(self):
        (policy,) = load_policies(
            GOOD + "rules: {no_priority: no_clock, at_risk: 30 min left}\n", "p"
        )
        assert policy.rules.no_priority is None
        assert policy.rules.at_risk == AtRisk(percent=None, seconds_left=1800)
        assert policy.rules.at_risk.threshold(HOUR) == 1800
        assert policy.rules.at_risk.threshold(60) == 0
        assert AtRisk().threshold(101) == 81  # rounded up: 80.8 seconds are not yet over at 80

    def test_pausing_per_metric(self):
        (policy,) = load_policies(GOOD + "pausing: {response: pending, resolution: []}\n", "p")
        assert policy.pausing["first_reply"] == {"pending"}
        assert policy.pausing["resolution"] == frozenset()
        assert policy.pausing["agent_work"] == {"pending", "on_hold"}

    def test_effective_from_is_a_time_or_a_local_date(self):
        (dated,) = load_policies(GOOD + "effective_from: 2026-07-01\n", "p")
        assert dated.effective_from == datetime(2026, 6, 30, 22, tzinfo=UTC)  # midnight in Berlin
        (timed,) = load_policies(GOOD + "effective_from: 2026-07-01T00:00:00+02:00\n", "p")
        assert timed.effective_from == dated.effective_from

    def test_times_and_dates_need_no_quotes(self):
        text = GOOD.replace('"', "").replace("[[09:00, 17:00]]", "[[9:00, 17:00]]")
        assert load_policies(text, "p")[0].version == self.policy.version
        (policy,) = load_policies(
            GOOD.replace("  shop:", "    holidays: [2026-12-25]\n  shop:"), "p"
        )
        assert not policy.calendars["office"].is_open(datetime(2026, 12, 25, 10, tzinfo=UTC))


def test_the_example_of_the_readme_is_a_policy():
    readme = (Path(sla_rules.__file__).parent / "README.md").read_text("utf-8")
    example = readme.split("```yaml\n")[1].split("```")[0]
    (policy,) = load_policies(example, "README.md")
    assert policy.name == "acme"
    assert len(policy.contracts) == len(policy.triage) == 1
    for rule, words in RULE_WORDS.items():
        listed = ", ".join(f"`{word}`" for word in words)
        assert f"| `{rule}` | {listed} |" in readme


class TestVersion:
    (policy,) = load_policies(GOOD, "acme.yaml")

    def test_it_is_twelve_hex_digits_and_the_same_for_the_same_meaning(self):
        assert len(self.policy.version) == 12
        assert int(self.policy.version, 16) >= 0
        again = yaml.safe_dump(
            yaml.safe_load(GOOD.replace("1 h 30 min", "90 minutes")), sort_keys=False
        )
        assert load_policies(again, "other.yaml")[0].version == self.policy.version

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("name: acme", "name: acme2"),
            ("15 min", "16 min"),
            ('"15:00"', '"15:30"'),
            ("Europe/Berlin", "Europe/Paris"),
            ("business_hours: office\n", "business_hours: office\nrules: {equal: breached}\n"),
            ("business_hours: office\n", "business_hours: office\nrules: {at_risk: 70 %}\n"),
            ("business_hours: office\n", "business_hours: office\nmatch: {tags: vip}\n"),
            ("business_hours: office\n", "business_hours: office\npausing: {response: pending}\n"),
            ("business_hours: office\n", "business_hours: office\neffective_from: 2026-01-01\n"),
            (
                "business_hours: office\n",
                "business_hours: office\ntriage: [{name: a, words: down, priority: high}]\n",
            ),
            (
                "business_hours: office\n",
                "business_hours: office\ncontracts: [{name: a, match: {tags: x}, targets: {low: {response: 1 h}}}]\n",
            ),
            ("business_hours: office\nmatrix", "business_hours: shop\nmatrix"),
        ],
    )
    def test_any_change_of_meaning_changes_it(self, old, new):
        assert old in GOOD
        assert load_policies(GOOD.replace(old, new), "p")[0].version != self.policy.version


WRONG = [
    # (text to replace, replacement, part of the line that is named, message)
    (
        "  low: {response: 1 h 30 min, resolution: 3 business days, calendar: business hours}\n",
        "",
        "matrix:",
        r"matrix: the row low is missing, found critical, high, medium; expected a row for each of",
    ),
    ("  low:", "  lowest:", "  lowest:", r"matrix\.lowest: unknown key; did you mean low\?"),
    ("name: acme\n", "", "calendars:", "name is missing; expected name, matrix"),
    ("name: acme", "name: 7", "name: 7", "name: expected text, found 7"),
    (
        "resolution: 4 h, calendar: 24x7",
        "calendar: 24x7",
        "critical:",
        "no target for resolution, which other rows have",
    ),
    (
        "15 min",
        "15",
        "critical:",
        r"matrix\.critical\.response: expected an amount such as 15 min, 4 h or 1 business day, found 15",
    ),
    ("15 min", "1 day", "critical:", "which days are meant: 1 business day, or 24 h"),
    ("15 min", "0 min", "critical:", "more than nothing"),
    ("15 min", "{minutes: soon}", "critical:", "expected an amount"),
    ("15 min", "", "critical:", "expected an amount such as .* found None"),
    (
        "calendar: 24x7",
        "calendar: offce",
        "critical:",
        r"no calendar is called 'offce'; did you mean office\?",
    ),
    (
        "business_hours: office",
        "business_hours: work",
        "business_hours: work",
        "no calendar is called 'work'; expected one of 24x7, office, shop",
    ),
    (
        "business_hours: office\n",
        "",
        "name: acme",
        "business_hours is missing; expected one of office, shop",
    ),
    ("  shop:", "  24x7:", "  24x7:", "24x7 is there already"),
    (
        "Europe/Berlin\n    hours: {sat",
        "Berlin\n    hours: {sat",
        "time_zone: Berlin",
        r"calendars\.shop\.time_zone: 'Berlin' is not an IANA time zone",
    ),
    (
        '"17:00"',
        '"25:00"',
        "mon-thu:",
        r"calendars\.office\.hours\.mon-thu\.0: '25:00' is not a time of day",
    ),
    (
        "response: 15 min",
        "response: 15 min, first_reply: 1 h",
        "critical:",
        "a second target for first_reply in this row",
    ),
    (
        "response: 15 min",
        "reponse: 15 min",
        "critical:",
        r"reponse: unknown key; did you mean response\?",
    ),
    ("name: acme", "name: acme\nname: b", "name: b", "the key 'name' stands here a second time"),
    (
        "name: acme",
        "name: acme\nrules: {equal: maybe}",
        "rules:",
        r"rules\.equal: expected one of met, breached, found 'maybe'",
    ),
    (
        "name: acme",
        "name: acme\nrules:\n  reopen: never",
        "reopen: never",
        "expected one of resume_exclude_solved",
    ),
    ("name: acme", "name: acme\nrules: {colour: red}", "rules:", "colour: unknown key"),
    ("name: acme", "name: acme\nrules: {at_risk: 80}", "rules:", "expected a share such as 80 %"),
    ("name: acme", "name: acme\nrules: {at_risk: 101 %}", "rules:", "expected a share"),
    (
        "name: acme",
        "name: acme\nrules: {at_risk: 1 business day left}",
        "rules:",
        "expected a share",
    ),
    (
        "name: acme",
        "name: acme\nrules: {no_priority: urgent}",
        "rules:",
        "expected one of critical, high, medium, low, no_clock",
    ),
    (
        "name: acme",
        "name: acme\npausing: {response: solved}",
        "pausing:",
        "'solved' cannot pause a clock",
    ),
    (
        "name: acme",
        "name: acme\neffective_from: soon",
        "effective_from:",
        "expected a date or a time with its offset",
    ),
    (
        "name: acme",
        "name: acme\neffective_from: 2026-01-01T00:00:00",
        "effective_from:",
        "expected a date or a time with its offset",
    ),
    (
        "name: acme",
        "name: acme\nmatch: {tag: vip}",
        "match:",
        r"tag: unknown key; did you mean tags\?",
    ),
    ("name: acme", "name: acme\nmatch: {tags: []}", "match:", "found an empty list"),
    (
        "name: acme",
        "name: acme\ncontracts:\n  - {name: a, match: {}, targets: {low: {response: 1 h}}}",
        "- {name: a",
        "a contract needs a condition",
    ),
    (
        "name: acme",
        "name: acme\ncontracts:\n  - {name: a, match: {tags: x}, targets: {}}",
        "- {name: a",
        "at least one priority",
    ),
    (
        "name: acme",
        "name: acme\ncontracts:\n  - {name: a, match: {tags: x}, targets: {low: {response: 1 h}}, valid_from: 2026-02-01, valid_to: 2026-01-01}",
        "- {name: a",
        "valid_to is not after valid_from",
    ),
    (
        "name: acme",
        "name: acme\ntriage:\n  - {name: a, priority: high}",
        "- {name: a",
        "expected a condition",
    ),
    (
        "name: acme",
        "name: acme\ntriage:\n  - {name: a, priority: high, words: ['*']}",
        "- {name: a",
        "would fit every text",
    ),
    (
        "name: acme",
        "name: acme\ntriage:\n  - {name: a, priority: high, words: x}\n  - {name: a, priority: low, words: y}",
        "- {name: a, priority: low",
        "a second rule is called 'a'",
    ),
    (
        "name: acme",
        "name: acme\ntriage:\n  - {name: a, priority: high, words: x, may_raise: 1}",
        "- {name: a",
        "expected true or false, found 1",
    ),
]


@pytest.mark.parametrize(("old", "new", "named", "message"), WRONG)
def test_a_wrong_file_names_its_line_and_says_what_is_expected(old, new, named, message):
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    with pytest.raises(PolicyError, match=message) as caught:
        load_policies(text, "acme.yaml")
    line = line_of(text, named)
    assert str(caught.value).startswith(f"acme.yaml:{line}: ")
    assert (caught.value.name, caught.value.line) == ("acme.yaml", line)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "the file is empty"),
        ("# nothing\n", 1, "the file is empty"),
        ("just words", 1, "expected a mapping with name"),
        ("- a\n- b", 1, "expected a mapping with name"),
        ("name: a\n  b: [", 2, "not YAML"),
        ("name: 'a", 1, "not YAML"),
        ("name: a\n? [b]\n: c", 2, "a key must be a word"),
        ("name: !!python/object:os.system x", 1, "has no meaning here"),
        ("a: &a [*a]", 1, "beyond reason"),
        ("name: \x00", 1, "not YAML"),
        ("policies: []", 1, "at least one policy"),
        ("policies:\n  - 5", 2, "expected a mapping with name"),
        ("name: a\n---\nname: b", 2, "not YAML"),
    ],
)
def test_what_is_no_policy_at_all_is_refused_in_words(text, line, message):
    with pytest.raises(PolicyError, match=message) as caught:
        load_policies(text, "p.yaml")
    assert caught.value.line == line


def test_aliases_that_explode_are_refused():
    levels = "\n".join(f"  - &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9))
    with pytest.raises(PolicyError, match="beyond reason"):
        load_policies(f"a:\n  - &l0 x\n{levels}\n", "p.yaml")


@given(
    st.text(
        alphabet=st.sampled_from("name: matrix{}[]-\n'\"&*!|>#%@,?~0123456789hmin"), max_size=200
    )
)
def test_any_text_gives_policies_or_a_policy_error(text):
    for wrong in (text, GOOD.replace("15 min", text), GOOD + text):
        try:
            load_policies(wrong, "p.yaml")
        except PolicyError as error:
            assert 1 <= error.line <= wrong.count("\n") + 2


class TestSeveralPolicies:
    ROWS = "{critical: {response: 1 h}, high: {response: 1 h}, medium: {response: 1 h}, low: {response: 1 h}}"

    def file(self, *policies: str) -> str:
        return "policies:\n" + "".join(
            f"  - {{{policy}, matrix: {self.ROWS}}}\n" for policy in policies
        )

    def test_they_share_calendars(self):
        text = "calendars:\n  office: {time_zone: UTC, hours: {mon: [[09:00, 10:00]]}}\n"
        found = load_policies(text + self.file("name: a, match: {tags: x}", "name: b"), "p")
        assert [policy.business_hours for policy in found] == ["office", "office"]

    def test_one_that_can_never_be_reached_is_refused(self):
        with pytest.raises(
            PolicyError, match=r":3: .*b can never be reached: a before it has no match"
        ):
            load_policies(self.file("name: a", "name: b"), "p")

    def test_versions_of_one_policy_differ_in_their_dates(self):
        found = load_policies(self.file("name: a", "name: a, effective_from: 2026-01-01"), "p")
        assert len(found) == 2
        with pytest.raises(PolicyError, match="twice with the same effective_from"):
            load_policies(self.file("name: a", "name: a"), "p")

    def test_policies_of_all_files_together_must_leave_no_ticket_out(self):
        some = load_policies(self.file("name: a, match: {tags: x}"), "p")
        rest = load_policies(self.file("name: b"), "p")
        check_policies([*some, *rest])
        with pytest.raises(ValueError, match="put one without conditions last"):
            check_policies(some)
        with pytest.raises(ValueError, match="a can never be reached: b"):
            check_policies([*rest, *some])
        with pytest.raises(ValueError, match="no SLA policy at all"):
            check_policies([])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("15 min", Duration(900)),
        ("15min", Duration(900)),
        ("1 H 30 Minutes", Duration(5400)),
        ("45 s", Duration(45)),
        ("2 business days", Duration(0, 2)),
        ("1 business day 2 h", Duration(7200, 1)),
        ({"hours": 1, "minutes": 30}, Duration(5400)),
        ({"business_days": 3}, Duration(0, 3)),
    ],
)
def test_amounts(value, expected):
    assert read_duration(value) == expected


@pytest.mark.parametrize(
    "value",
    ["", "soon", "4", 4, 1.5, "-4 h", "1.5 h", "4 hours ago", "4 x", {}, {"h": -1}, None, [1]],
)
def test_amounts_that_are_none(value):
    with pytest.raises(ValueError, match="expected an amount"):
        read_duration(value)


def test_amounts_for_people():
    assert [shown_duration(n) for n in (0, 45, 5400, 90061, -60)] == [
        "0 s",
        "45 s",
        "1 h 30 min",
        "25 h 1 min 1 s",
        "-1 min",
    ]
