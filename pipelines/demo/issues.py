"""What customers of the demo write about, how often, how urgent it is and whose work it is.

Belongs here: the table of issue types and the shares of priorities. Does not belong here: their texts
(`texts/`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """One type of issue. `specialist` is the team it may be handed to; `weight` its share of all tickets."""

    key: str
    category: str
    weight: float
    specialist: str | None = None
    urgency: float = 1.0
    """How much likelier than the average it is to be critical or high."""
    freshdesk_type: str = "Question"
    attachment: str | None = None


ISSUES: tuple[Issue, ...] = (
    Issue("login_failed", "account", 6, None, 1.2, "Incident"),
    Issue("password_reset", "account", 5, None, 0.7, "Question"),
    Issue("two_factor", "account", 3, None, 1.0, "Incident"),
    Issue("user_permissions", "account", 3, None, 0.5, "Question"),
    Issue("data_deletion", "account", 1.5, "billing", 0.4, "Question"),
    Issue("invoice_missing", "billing", 5, "billing", 0.5, "Question"),
    Issue("invoice_vat", "billing", 3, "billing", 0.6, "Problem", "invoice.pdf"),
    Issue("payment_failed", "billing", 5, "billing", 1.5, "Incident"),
    Issue("refund", "billing", 6, "billing", 0.8, "Refund"),
    Issue("double_charge", "billing", 2.5, "billing", 1.1, "Refund", "statement.png"),
    Issue("plan_change", "billing", 2.5, "billing", 0.3, "Question"),
    Issue("cancellation", "billing", 3, "billing", 0.4, "Question"),
    Issue("delivery_late", "delivery", 8, None, 0.8, "Problem"),
    Issue("parcel_lost", "delivery", 3, None, 0.9, "Problem"),
    Issue("wrong_item", "delivery", 3.5, None, 0.7, "Problem", "label.png"),
    Issue("damaged_item", "delivery", 3.5, None, 0.9, "Problem", "damage.png"),
    Issue("return_label", "delivery", 3, None, 0.3, "Refund"),
    Issue("address_change", "delivery", 2.5, None, 0.6, "Question"),
    Issue("api_error", "technical", 4, "engineering", 1.8, "Incident", "response.txt"),
    Issue("webhook_missing", "technical", 2.5, "engineering", 1.4, "Incident"),
    Issue("slow_pages", "technical", 3, "engineering", 1.2, "Problem"),
    Issue("outage", "technical", 1.5, "engineering", 6.0, "Incident"),
    Issue("import_failed", "technical", 3, "engineering", 0.8, "Problem", "products.txt"),
    Issue("app_crash", "technical", 3, "engineering", 1.1, "Incident", "crash.txt"),
    Issue("report_export", "technical", 2.5, "engineering", 0.5, "Problem"),
    Issue("emails_not_sent", "technical", 2.5, "engineering", 1.6, "Incident"),
    Issue("printer_offline", "hardware", 3, None, 1.2, "Problem"),
    Issue("card_reader", "hardware", 3, None, 1.6, "Incident"),
    Issue("feature_request", "product", 2.5, None, 0.05, "Feature Request"),
    Issue("how_to", "product", 5, None, 0.15, "Question"),
)

BY_KEY = {issue.key: issue for issue in ISSUES}

PRIORITY_SHARES = {"critical": 0.04, "high": 0.16, "medium": 0.55, "low": 0.25}
"""Shares of all tickets outside the bad week."""

REPLY_TARGETS = {"critical": 900, "high": 3600, "medium": 14400, "low": 32400}
RESOLUTION_TARGETS = {"critical": 14400, "high": 28800, "medium": 32400, "low": 97200}
"""Seconds of the standard matrix; a business day is nine hours. Critical counts around the clock."""
