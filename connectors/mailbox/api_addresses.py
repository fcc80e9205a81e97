"""Where the mail APIs of Microsoft and Google are, and what is asked for at their token endpoints.

Belongs here: what the configuration has to know of them, without loading anything that speaks HTTP. Does not belong here:
calls (`graph_api`, `gmail_api`).

Source: Microsoft Graph, "National cloud deployments", "Use the Microsoft Graph API" and "permissions reference" (Mail.Read);
Gmail API reference.
"""

from urllib.parse import urlsplit

GRAPH_URL = "https://graph.microsoft.com/v1.0"

GMAIL_URL = "https://gmail.googleapis.com/gmail/v1"


def graph_scope(base_url: str, *, is_own_right: bool) -> str:
    """All that an admin consented to for the app itself, or a person's right to read mail, which can be refreshed."""
    parts = urlsplit(base_url)
    host = f"{parts.scheme}://{parts.netloc}"
    return f"{host}/.default" if is_own_right else f"{host}/Mail.Read offline_access"
