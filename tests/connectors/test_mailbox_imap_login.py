"""Logging in to a mailbox: passwords of any letters, OAuth tokens that expire, STARTTLS, and clear refusals."""

import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mailbox_peers import USER

from connectors.errors import AuthError, ConfigurationError, UnavailableError
from connectors.mailbox.imap import ImapSource
from connectors.standins.imap import ImapStandin

MAIL = b"Subject: hello\r\n\r\nhello\r\n"
PASSWORD = "gizli-şifre"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "imap" / "INBOX").mkdir(parents=True)
    (tmp_path / "imap" / "INBOX" / "1.eml").write_bytes(MAIL)
    return tmp_path / "imap"


@pytest.fixture
def server(root: Path) -> Iterator[ImapStandin]:
    with ImapStandin(root, {USER: PASSWORD}) as running:
        running.tokens.add("good")
        yield running


def source(server: ImapStandin, **options: object) -> ImapSource:
    settings: dict[str, object] = {
        "port": server.port,
        "use_tls": False,
        "sleep": lambda _seconds: None,
    }
    return ImapSource("localhost", USER, **{**settings, **options})  # type: ignore[arg-type]


def payloads(source: ImapSource) -> list[bytes]:
    return [record.payload for page in source.pull("mails", None) for record in page.records]


class Tokens:
    """Access tokens, one after the other; the next one once one was refused."""

    def __init__(self, *tokens: str) -> None:
        self.waiting = list(tokens)
        self.refused: list[str] = []

    def access_token(self) -> str:
        return self.waiting[0]

    def invalidate(self, refused: str) -> None:
        self.refused.append(refused)
        self.waiting.pop(0)


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_an_expired_token_is_replaced_once(root: Path, mechanism: str) -> None:
    other = {"XOAUTH2": "OAUTHBEARER", "OAUTHBEARER": "XOAUTH2"}[mechanism]
    with ImapStandin(root, {USER: "x"}, without={f"AUTH={other}"}) as server:
        server.tokens.add("good")
        tokens = Tokens("expired", "good")
        reader = source(server, access_token=tokens.access_token, forget_token=tokens.invalidate)
        assert payloads(reader) == [MAIL]
        assert tokens.refused == ["expired"]


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_refused_twice_is_an_auth_error_that_explains_the_challenge(
    root: Path, mechanism: str
) -> None:
    other = {"XOAUTH2": "OAUTHBEARER", "OAUTHBEARER": "XOAUTH2"}[mechanism]
    with ImapStandin(root, {USER: "x"}, without={f"AUTH={other}"}) as server:
        server.tokens.add("good")
        tokens = Tokens("ey-first", "ey-second", "ey-third")
        reader = source(server, access_token=tokens.access_token, forget_token=tokens.invalidate)
        with pytest.raises(AuthError) as caught:
            payloads(reader)
        said = str(caught.value)
        assert f"refuses the access token of {USER} ({mechanism})" in said
        assert "status 400, scope https://mail.example.com/" in said
        assert "ey-" not in said
        assert tokens.refused == ["ey-first", "ey-second"]


def test_a_token_dies_in_the_middle_and_the_next_connection_takes_another(
    root: Path, server: ImapStandin
) -> None:
    for number in range(2, 6):
        (root / "INBOX" / f"{number}.eml").write_bytes(MAIL + b"%d\r\n" % number)
    tokens = Tokens("good", "better")
    reader = source(
        server,
        access_token=tokens.access_token,
        forget_token=tokens.invalidate,
        page_mails=2,
    )
    pages = reader.pull("mails", None)
    found = list(next(pages).records)
    server.tokens.clear()
    server.tokens.add("better")
    server.faults.bye_fetches = 1
    server.faults.bye_text = "Session invalidated - AccessTokenExpired"
    found += [record for page in pages for record in page.records]
    assert len(found) == 5
    assert tokens.refused == ["good"]


def test_a_server_without_oauth_says_so(root: Path) -> None:
    oauth_error = pytest.raises(ConfigurationError, match="neither XOAUTH2 nor OAUTHBEARER")
    with ImapStandin(root, {USER: "x"}) as server, oauth_error:
        payloads(source(server, access_token=lambda: "good"))


def test_a_password_of_any_letters_is_taken(server: ImapStandin, root: Path) -> None:
    assert payloads(source(server, password=PASSWORD)) == [MAIL]
    assert "LOGIN" not in server.commands
    with pytest.raises(AuthError) as caught:
        payloads(source(server, password="falsch-ß"))
    assert "falsch" not in str(caught.value)
    ascii_error = pytest.raises(ConfigurationError, match="letters outside ASCII")
    with ImapStandin(root, {USER: PASSWORD}, without={"AUTH=PLAIN"}) as bare, ascii_error:
        payloads(source(bare, password=PASSWORD))


def test_a_password_with_quotes_and_backslashes_is_taken(root: Path) -> None:
    with ImapStandin(root, {USER: 'a"b\\c d'}) as server:
        assert payloads(source(server, password='a"b\\c d')) == [MAIL]
        assert "LOGIN" in server.commands


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost that no authority knows, and a server's context with it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    folder = tmp_path_factory.mktemp("certificate")
    public, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(public)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, key)
    return public, context


def test_starttls_encrypts_before_the_password_and_trusts_a_company_s_bundle(
    root: Path,
    certificate: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    public, context = certificate
    with ImapStandin(root, {USER: PASSWORD}, starttls_context=context) as server:
        reader = source(server, password=PASSWORD, use_starttls=True)
        with pytest.raises(ConfigurationError, match="certificate is not trusted"):
            payloads(reader)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(public))
        assert payloads(reader) == [MAIL]
        assert server.commands.index("STARTTLS") < server.commands.index("AUTHENTICATE")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(public.parent / "none.pem"))
        with pytest.raises(ConfigurationError, match=r"REQUESTS_CA_BUNDLE=.*none\.pem"):
            payloads(reader)


def test_a_server_that_wants_encryption_gets_no_password_before_it(
    root: Path, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    with ImapStandin(root, {USER: "secret"}, starttls_context=certificate[1]) as server:
        with pytest.raises(ConfigurationError, match="set 'tls: starttls'"):
            payloads(source(server, password="secret"))
        assert not {"LOGIN", "AUTHENTICATE"} & set(server.commands)


def test_starttls_where_it_is_not_offered_is_a_configuration_error(server: ImapStandin) -> None:
    with pytest.raises(ConfigurationError, match="offers no STARTTLS"):
        payloads(source(server, password=PASSWORD, use_starttls=True))
    assert not {"LOGIN", "AUTHENTICATE"} & set(server.commands)


def test_a_busy_log_in_is_no_refusal(server: ImapStandin) -> None:
    server.faults.busy_logins = 99
    tokens = Tokens("bad")
    reader = source(server, access_token=tokens.access_token, forget_token=tokens.invalidate)
    for busy in (source(server, password=PASSWORD), reader):
        with pytest.raises(UnavailableError, match="UNAVAILABLE"):
            payloads(busy)
    assert tokens.refused == []


def test_check_says_why_a_token_is_refused(server: ImapStandin) -> None:
    result = source(server, access_token=lambda: "bad").check()
    assert not result.works
    assert "scope https://mail.example.com/" in result.detail
