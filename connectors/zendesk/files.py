"""Files that hang on Zendesk's comments, by the address that their comment names.

Belongs here: what an answer without the file looks like. Does not belong here: keeping files
(`connectors.content_store`).

Accounts with private attachments send a stranger to the sign-in page, with status 200: taken for a file it would be
stored as one.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from connectors.errors import AuthError, NotFoundError, RejectedError, UnavailableError
from connectors.http import PolicySession

_SIGN_IN = ("/access", "/auth")


def file_of(session: PolicySession, remote_url: str) -> Iterator[bytes]:
    """The file's bytes. The credential goes to the account's own host only, also where it sends us on.

    Raises:
        NotFoundError: deleted, redacted, or withheld because it is malware.
        AuthError: the account shows its sign-in page instead.
        UnavailableError: the address is none that may be asked for, or it gave no answer.
    """
    if urlsplit(remote_url).scheme != "https" and not session.is_own(remote_url):
        # Not for good: the account's address may have been another one when the comment was read.
        raise UnavailableError(
            f"{session.label}: a file's address is neither https nor on {session.base_url}; it is not asked for"
        )
    response = session.request("GET", remote_url)
    try:
        session.check_status(response)
    except RejectedError as error:
        if error.status in (400, 410, 451):
            raise NotFoundError(str(error)) from error
        raise
    end = urlsplit(str(response.url))
    if session.is_own(str(response.url)) and end.path.startswith(_SIGN_IN):
        raise AuthError(
            f"{session.label}: the account asks to sign in before it gives files. The token's owner must be an agent "
            "who may see private attachments"
        )
    yield response.content
