"""Where large providers give out OAuth tokens. Imports nothing, so that reading a configuration stays cheap."""

GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
"""Source: Google Identity, "Using OAuth 2.0 for Web Server Applications"."""


def microsoft_token_url(tenant: str) -> str:
    """The token endpoint of a Microsoft tenant (its id, its domain, or `common`).

    Source: Microsoft identity platform, "OAuth 2.0 authorization code flow" and "client credentials flow".
    """
    return f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
