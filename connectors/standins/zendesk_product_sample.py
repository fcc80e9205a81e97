"""The small made-up account (`zendesk_sample`) with everything that the further products can say of it.

Belongs here: what tests of several rooms start from. Does not belong here: what the stand-in does with it.

Ticket 1001 has an SLA, a survey, a custom status and a side conversation; 1002 came by messaging; 1003 was rated in
both products. All others are ordinary.
"""

from datetime import timedelta
from typing import Any

from connectors.standins.zendesk_sample import AGENT, CUSTOMER, NOW, account, stamp

WAITING, OPEN, RETIRED = 701, 702, 703
CARD_FIELD, SIZE_FIELD = 801, 802
SUPPORT, OLD_GROUP = 41, 42
SIDE_ID = "8566255a-ece5-11e8-857d-493066fa7b17"
SURVEY_ID = "01J1WB51MG6HXTYWE6Q0C93RNW"


def rich_account(tickets: int = 7) -> dict[str, Any]:
    """The data set of `account` with products; ticket n was created a minute after n - 1, two days before `NOW`."""
    data = account(tickets)
    one, two, three = data["tickets"][:3]
    one |= {
        "status": "open",
        "custom_status_id": WAITING,
        "brand_id": 901,
        "ticket_form_id": 951,
        "custom_fields": [
            {"id": CARD_FIELD, "value": "visa_card"},
            {"id": SIZE_FIELD, "value": ["s", "xl"]},
            {"id": 899, "value": "of a field that nobody told us"},
        ],
    }
    two |= {"via": {"channel": "native_messaging"}, "from_messaging_channel": True}
    data["ticket_events"][0]["child_events"] += [
        {"id": 100_018, "event_type": "Create", "custom_status_id": str(OPEN), "via": "Mail"}
    ]
    data["ticket_events"] += [_side_event(), _status_event()]
    data["satisfaction_ratings"].append(
        {"id": 53, "ticket_id": three["id"], "score": "bad", "created_at": _at(3, 600)}
    )
    return {
        **data,
        "groups": [
            *data["groups"],
            {"id": OLD_GROUP, "name": "Fax desk", "deleted": True, "created_at": _at(1, 0), "updated_at": _at(1, 0)},
        ],
        "ticket_fields": [
            {"id": CARD_FIELD, "type": "tagger", "title": "Card", "active": True,
             "custom_field_options": [{"id": 1, "name": "Visa", "value": "visa_card"}]},
            {"id": SIZE_FIELD, "type": "multiselect", "title": "Sizes", "active": False,
             "custom_field_options": [{"id": 2, "name": "Small", "value": "s"}, {"id": 3, "name": "Huge", "value": "xl"}]},
        ],
        "custom_statuses": [
            {"id": WAITING, "status_category": "open", "agent_label": "Waiting for parts", "active": True, "default": False},
            {"id": OPEN, "status_category": "open", "agent_label": "Open", "active": True, "default": True},
            {"id": RETIRED, "status_category": "hold", "agent_label": "At the lawyers", "active": False, "default": False},
        ],
        "ticket_forms": [{"id": 951, "name": "Complaint", "active": True}],
        "brands": [{"id": 901, "name": "Acme Home", "active": True}],
        "group_memberships": [
            {"id": 61, "group_id": SUPPORT, "user_id": AGENT, "default": True},
            {"id": 62, "group_id": SUPPORT, "user_id": 1, "default": True},
        ],
        "user_identities": [
            {"id": 71, "user_id": CUSTOMER, "type": "email", "value": "ayse@customer.example", "primary": True, "verified": True},
            {"id": 72, "user_id": CUSTOMER, "type": "email", "value": "ayse.privately@home.example", "primary": False, "verified": True},
            {"id": 73, "user_id": CUSTOMER, "type": "phone_number", "value": "+902120000000", "primary": True, "verified": False},
        ],
        "suspended_tickets": [
            {"id": 435, "subject": "Where is my order", "content": "It never came.", "cause": "Detected as spam",
             "cause_id": 0, "author": {"id": None, "email": "lost@customer.example", "name": "Lost"},
             "recipient": "help@acme.example", "ticket_id": None, "via": {"channel": "email"},
             "created_at": stamp(NOW - timedelta(days=1)), "updated_at": stamp(NOW - timedelta(days=1)), "attachments": []},
        ],
        "ticket_metric_events": _metric_events(),
        "survey_responses": [
            _survey(SURVEY_ID, 1001, 4, "good", "Quick", 7_200),
            _survey("01J1WB51MG6HXTYWE6Q0C93RNX", 1003, 2, "bad", None, 7_300),
            {"id": "01J1WB51MG6HXTYWE6Q0C93RNY", "answers": [], "offered_at": _epoch(4, 60),
             "subjects": [{"id": "1004", "type": "ticket", "zrn": "zen:ticket:1004"}]},
        ],
        "side_conversations": [
            {"id": SIDE_ID, "ticket_id": 1001, "subject": "Parts", "state": "open", "created_at": _at(1, 900),
             "events": [
                 _side_message("e1", "create", AGENT, "boris@acme.example", "Do you have the part?", 900),
                 _side_message("e2", "reply", None, "sales@parts.example", "Next week.", 5_000),
                 {"id": "e3", "side_conversation_id": SIDE_ID, "type": "update", "created_at": _at(1, 5_100),
                  "updates": {"state": "closed"}},
             ]},
        ],
        "conversation_log": [
            _message("m1", 1002, "user", CUSTOMER, "Hello?", 0),
            _message("m2", 1002, "agent", AGENT, "Hi, what is it?", 40),
            {**_message("m3", 1002, "agent", AGENT, "a note", 60), "type": "Comment"},
        ],
    }  # fmt: skip


def _at(ticket: int, seconds: int) -> str:
    return stamp(NOW - timedelta(days=2) + timedelta(minutes=ticket, seconds=seconds))


def _epoch(ticket: int, seconds: int) -> int:
    return int((NOW - timedelta(days=2) + timedelta(minutes=ticket, seconds=seconds)).timestamp())


def _side_event() -> dict[str, Any]:
    return {
        "id": 200_000,
        "ticket_id": 1001,
        "timestamp": _epoch(1, 900),
        "created_at": _at(1, 900),
        "updater_id": AGENT,
        "via": "Web form",
        "event_type": "Audit",
        "child_events": [
            {
                "id": 200_001,
                "event_type": "CollabThreadCreated",
                "type": "CollabThreadCreated",
                "thread_id": SIDE_ID,
                "subject": "Parts",
            }
        ],
    }


def _status_event() -> dict[str, Any]:
    return {
        "id": 200_100,
        "ticket_id": 1001,
        "timestamp": _epoch(1, 1_000),
        "created_at": _at(1, 1_000),
        "updater_id": AGENT,
        "via": "Web form",
        "event_type": "Audit",
        "child_events": [
            {
                "id": 200_101,
                "event_type": "Change",
                "custom_status_id": str(WAITING),
                "previous_value": str(OPEN),
            }
        ],
    }


def _metric_events() -> list[dict[str, Any]]:
    """Reply time: promised an hour, breached, answered; agent work time: a breach that was withdrawn."""
    policy = {"id": 25, "title": "Gold", "description": None}

    def event(number: int, seconds: int, metric: str, kind: str, **more: Any) -> dict[str, Any]:
        at = _at(1, seconds)
        return {
            "id": number,
            "ticket_id": 1001,
            "metric": metric,
            "instance_id": 1,
            "type": kind,
            "time": at,
            **more,
        }

    return [
        event(501, 0, "reply_time", "activate"),
        event(502, 0, "reply_time", "apply_sla", sla={"target": 60, "business_hours": False, "policy": policy}),
        event(503, 3_600, "reply_time", "breach"),
        event(504, 4_000, "reply_time", "fulfill"),
        event(505, 4_000, "reply_time", "update_status", status={"calendar": 66, "business": 66}),
        event(506, 0, "agent_work_time", "activate"),
        event(507, 0, "agent_work_time", "apply_sla", sla={"target": 10, "target_in_seconds": 600, "business_hours": True, "policy": policy}),
        event(508, 600, "agent_work_time", "breach", deleted=True),
        event(509, 0, "requester_wait_time", "activate"),
    ]  # fmt: skip


def _survey(
    number: str, ticket: int, rating: int, category: str, comment: str | None, seconds: int
) -> dict[str, Any]:
    at = _at(ticket - 1000, seconds)
    answers: list[dict[str, Any]] = [
        {
            "type": "rating_scale",
            "rating": rating,
            "rating_category": category,
            "created_at": at,
            "updated_at": at,
            "question": {
                "id": "q1",
                "type": "rating_scale_emoji",
                "sub_type": "customer_satisfaction",
                "options": [{"rating": n} for n in range(1, 6)],
            },
        }
    ]
    if comment:
        question = {"id": "q2", "type": "open_ended", "alias": "comment"}
        answers.append(
            {"type": "open_ended", "value": comment, "created_at": at, "question": question}
        )
    return {
        "id": number,
        "answers": answers,
        "responder_id": CUSTOMER,
        "subject_zrns": [f"zen:ticket:{ticket}"],
        "subjects": [{"id": str(ticket), "type": "ticket", "zrn": f"zen:ticket:{ticket}"}],
        "survey": {"id": "s1", "version": 1, "state": "enabled"},
        "offered_at": _epoch(ticket - 1000, seconds - 60),
    }


def _side_message(
    number: str, kind: str, user: int | None, email: str, text: str, seconds: int
) -> dict[str, Any]:
    return {
        "id": number,
        "side_conversation_id": SIDE_ID,
        "ticket_id": 1001,
        "type": kind,
        "created_at": _at(1, seconds),
        "actor": {"user_id": user, "name": "Somebody", "email": email},
        "message": {
            "subject": "Parts",
            "preview_text": text[:10],
            "body": text,
            "html_body": f"<p>{text}</p>",
            "from": {"user_id": user, "email": email},
            "to": [{"user_id": None, "email": "sales@parts.example"}],
        },
    }


def _message(
    number: str, ticket: int, kind: str, user: int, text: str, seconds: int
) -> dict[str, Any]:
    return {
        "id": number,
        "ticket_id": ticket,
        "type": "Messaging::ConversationMessage",
        "reference": f"zen:message:{number}",
        "created_at": _at(ticket - 1000, seconds),
        "attachments": [],
        "author": {"type": kind, "zen:support:user_id": user},
        "content": {"type": "text", "text": text},
        "metadata": {},
    }
