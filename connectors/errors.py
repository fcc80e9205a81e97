"""What can go wrong outside, named by what the caller should do.

    ConnectorError
      ConfigurationError        stop, tell a person: the set-up is wrong
      TransientError            try again later
        RateLimitedError          … not before `retry_after_seconds`
        UnavailableError          … the other side is down, slow or cut the line
      PermanentError            trying again does not help
        AuthError                 the credential is refused
        NotFoundError             the thing is not there
        RejectedError             the other side refuses this very request
      DataError                 one record cannot be understood: quarantine it, go on
      CursorExpiredError        the cursor is no longer accepted: restart its window

Messages say what was being done, on which thing of which client or host, what was seen, what to do
next; never a secret.
"""


class ConnectorError(Exception):
    """Base of all errors that reach a caller from `connectors`."""


class ConfigurationError(ConnectorError):
    """The set-up is wrong; a person has to change it."""


class TransientError(ConnectorError):
    """May work when tried again."""


class RateLimitedError(TransientError):
    """The budget is used up; `retry_after_seconds` says for how long (None: not told)."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        """Keeps the message and the seconds to wait, where they were told."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(TransientError):
    """No answer, a cut line, or an answer of the 5xx family, after the policy's own tries.

    `status` is the HTTP status where there was an answer (504 tells a pager to ask for less at once).
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        """Keeps the message and the last HTTP status, where there was one."""
        super().__init__(message)
        self.status = status


class PermanentError(ConnectorError):
    """Will not work when tried again."""


class AuthError(PermanentError):
    """The credential is refused (401, 403)."""


class NotFoundError(PermanentError):
    """The thing is not there (404, 410)."""


class RejectedError(PermanentError):
    """The other side refuses this request (400, 422, …); `status` and a short `body` say why."""

    def __init__(self, message: str, status: int | None = None, body: str = "") -> None:
        """Keeps the message, the HTTP status where there is one and the start of the answer's body."""
        super().__init__(message)
        self.status = status
        self.body = body[:500]


class DataError(ConnectorError):
    """One record cannot be understood."""


class CursorExpiredError(ConnectorError):
    """The cursor is no longer accepted by the source."""
