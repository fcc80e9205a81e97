"""The configuration file: how it is found and read, where secrets come from, what it gives."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.settings import SettingsError, load_settings, read_text
from pipelines.settings_values import read_instant

TEXT = """\
warehouse: sqlite:///data/warehouse.db
clients:
  acme:
    time_zone: Europe/Istanbul
    live_from: 2026-11-01T00:00:00+03:00
    sources:
      - {id: zendesk, type: zendesk, subdomain: acme, email: ops@acme.example, token: "${ACME_TOKEN}"}
      - {id: freshdesk, type: freshdesk, domain: acme.freshdesk.com, api_key: "key-${ACME_TOKEN}", timeout_seconds: 5}
      - {id: info, type: imap, host: imap.acme.example, username: info@acme.example, password: "${ACME_MAIL}"}
      - {id: archive, type: mbox, path: archive/*.mbox}
    reports: {time_zone: Asia/Tokyo}
  beta:
    time_zone: Europe/Berlin
    sources:
      - {id: zendesk, type: zendesk, base_url: "https://desk.example/", email: a@b.example, token: x}
"""

ENVIRONMENT = {"ACME_TOKEN": "tok-1234", "ACME_MAIL": "mail-pass"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deskbridge.yaml"
    path.write_text(TEXT, "utf-8")
    return path


def refusal(path: Path, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, ENVIRONMENT if environment is None else environment)
    return str(caught.value)


def test_a_good_file_gives_clients_sources_and_paths(path: Path) -> None:
    settings = load_settings(path, ENVIRONMENT)
    assert list(settings.clients) == ["acme", "beta"]
    acme = settings.client("acme")
    assert acme.live_from == datetime(2026, 11, 1, tzinfo=ZoneInfo("Europe/Istanbul"))
    assert settings.client("beta").live_from is None
    zendesk, freshdesk, info, _ = acme.sources
    assert zendesk.address() == "https://acme.zendesk.com"
    assert settings.client("beta").sources[0].address() == "https://desk.example"
    assert (zendesk.tries, freshdesk.tries) == (4, 6)
    assert (zendesk.timeout_seconds, freshdesk.timeout_seconds, info.timeout_seconds) == (60, 5, 60)
    assert settings.path("archive") == path.parent / "archive"
    assert settings.zone("acme") == ZoneInfo("Asia/Tokyo")
    assert settings.zone("beta") == ZoneInfo("Europe/Berlin")


def test_secrets_are_filled_in_and_never_shown(path: Path) -> None:
    settings = load_settings(path, ENVIRONMENT)
    zendesk, freshdesk, info, _ = settings.client("acme").sources
    assert zendesk.token.get_secret_value() == "tok-1234"
    assert freshdesk.api_key.get_secret_value() == "key-tok-1234"
    assert info.password.get_secret_value() == "mail-pass"
    assert "tok-1234" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_secret_may_stand_in_a_file_that_a_variable_names(path: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    settings = load_settings(
        path, {"ACME_TOKEN_FILE": str(tmp_path / "token"), "ACME_MAIL": "mail-pass"}
    )
    assert settings.client("acme").sources[0].token.get_secret_value() == "from-a-file"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: no such file or directory"),
        ("", "is empty"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_secret_file_that_gives_nothing_is_named(
    path: Path, tmp_path: Path, content: str | bytes | None, told: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    shown = refusal(path, {"ACME_TOKEN_FILE": str(file), "ACME_MAIL": "x"})
    assert f"deskbridge.yaml:7: clients.acme.sources.0.token: ACME_TOKEN_FILE names {file}" in shown
    assert told in shown


def test_a_dot_env_is_asked_last(path: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# secrets\n\nexport ACME_TOKEN='from dot env'\nACME_MAIL = \"a=b\"\n#ACME_X=1\nnonsense\n"
    )
    first = load_settings(path, {}).client("acme").sources
    assert first[0].token.get_secret_value() == "from dot env"
    assert first[2].password.get_secret_value() == "a=b"
    second = load_settings(path, {"ACME_TOKEN": "environment"}).client("acme").sources
    assert second[0].token.get_secret_value() == "environment"


def test_every_unset_secret_is_named_with_its_line(path: Path) -> None:
    lines = refusal(path, {}).splitlines()
    assert [line.split(":")[1] for line in lines] == ["7", "8", "9"]
    assert "export ACME_MAIL=…" in lines[2]


def test_an_empty_variable_counts_as_unset(path: Path) -> None:
    assert "ACME_TOKEN is not set" in refusal(path, {"ACME_TOKEN": "", "ACME_MAIL": "x"})


def test_a_secret_in_the_wrong_place_is_not_told(path: Path) -> None:
    path.write_text(TEXT.replace("Europe/Istanbul", '"${ACME_TOKEN}"'), "utf-8")
    shown = refusal(path)
    assert "tok-1234" not in shown
    assert "clients.acme.time_zone: '${ACME_TOKEN}' is no time zone" in shown


def test_where_the_file_is_looked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        load_settings(None, {**ENVIRONMENT, "DESKBRIDGE_CONFIG": str(path)}).folder == path.parent
    )
    monkeypatch.chdir(path.parent)
    assert load_settings(None, ENVIRONMENT).folder == path.parent
    monkeypatch.chdir(path.parent.parent)
    with pytest.raises(
        SettingsError, match=r"no configuration at deskbridge\.yaml\. Name one with"
    ):
        load_settings(None, ENVIRONMENT)


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path} cannot be read: is a directory"


def test_a_byte_order_mark_is_no_fault(path: Path) -> None:
    path.write_text("\ufeff" + TEXT, "utf-8")
    assert load_settings(path, ENVIRONMENT).clients
    assert read_text(path).startswith("warehouse")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("subdomain: acme, ", "", "deskbridge.yaml:7: clients.acme.sources.0: a zendesk source needs 'subdomain'"),
        ("domain: acme.freshdesk.com, ", "", "deskbridge.yaml:8: clients.acme.sources.1: a freshdesk source needs"),
        ("timeout_seconds: 5", "timeout_seconds: 0", "sources.1.timeout_seconds: found 0, expected a number above 0"),
        ("timeout_seconds: 5", "tries: 0", "sources.1.tries: found 0, expected a number of at least 1"),
        ("https://desk.example/", "desk.example", "'desk.example' is no address, expected https://HOST"),
        ("https://desk.example/", "https://desk.example:port", "is no address, expected https://HOST"),
        ("https://desk.example/", "https://", "is no address, expected https://HOST"),
        *(
            (
                "subdomain: acme, ",
                f"subdomain: '{written}', ",
                f"'{written}' is no subdomain, expected the first word of the address only, such as acme for",
            )
            for written in ("acme.zendesk.com", "https://acme.zendesk.com/agent", "acme desk", "acme/")
        ),
        *(
            (
                "domain: acme.freshdesk.com, ",
                f"domain: '{written}', ",
                f"'{written}' is no host name, expected it without https:// and path, such as acme.freshdesk.com",
            )
            for written in ("acme", "https://acme.freshdesk.com", "acme.freshdesk.com/a/tickets", "acme desk")
        ),
        ("https://desk.example/", "https://a:geheim@b", "an address holds no user or password"),
        ("  beta:", "  Beta GmbH:", "clients.Beta GmbH: 'Beta GmbH' cannot be an id, expected small letters"),
        ("id: archive", "id: info", "deskbridge.yaml:10: clients.acme.sources.3.id: a second source has the id 'info'"),
        ("clients:", "clients: {}\nrest:", "clients: found a mapping, expected at least 1 in it"),
        ("2026-11-01T00:00:00+03:00", "0001-01-01T00:00:00+03:00", "is no instant, expected for instance"),
        ("warehouse: sqlite", "clock: 2026-11-01\nwarehouse: sqlite", "deskbridge.yaml:1: clock: '2026-11-01' has no zone"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(path: Path, old: str, new: str, told: str) -> None:
    assert old in TEXT
    path.write_text(TEXT.replace(old, new, 1), "utf-8")
    shown = refusal(path)
    assert told in shown
    assert "geheim" not in shown


def test_an_unknown_client_lists_those_there_are(path: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected one of acme, beta; did you mean 'acme'\?"):
        load_settings(path, ENVIRONMENT).client("acmee")


@given(
    st.integers(-2_000_000_000, 7_000_000_000),
    st.integers(-14 * 60, 14 * 60),
)
def test_an_instant_is_read_back_as_written(seconds: int, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    instant = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(zone)
    assert read_instant(instant.isoformat()) == instant.astimezone(UTC)


@given(st.text(max_size=40) | st.integers() | st.floats() | st.none() | st.booleans())
def test_whatever_is_no_instant_is_refused_in_words(value: object) -> None:
    try:
        assert read_instant(value).tzinfo is not None
    except ValueError as error:
        assert "expected for instance" in str(error)


MAILBOX = 'username: info@acme.example, password: "${ACME_MAIL}"'


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ("username: info@acme.example", "needs 'password' or 'oauth'"),
        (MAILBOX + ", tls: sometimes", "tls"),
        (MAILBOX + ", folders: []", "folders"),
        (MAILBOX + ", oauth: {client_id: a, refresh_token: r}", "found both"),
        (
            "username: info@acme.example, oauth: {client_id: a, refresh_token: r}",
            "needs 'token_url'",
        ),
    ],
)
def test_a_mailbox_that_cannot_be_opened_is_refused(path: Path, new: str, told: str) -> None:
    assert MAILBOX in TEXT
    path.write_text(TEXT.replace(MAILBOX, new), "utf-8")
    assert told in refusal(path)


def test_a_mailbox_s_tokens_come_from_its_provider_unless_told(path: Path) -> None:
    right = "oauth: {client_id: a, refresh_token: r"
    hosts = {
        "imap.gmail.com": "https://oauth2.googleapis.com/token",
        "outlook.office365.com": "https://login.microsoftonline.com/acme.example/oauth2/v2.0/token",
    }
    for host, url in hosts.items():
        new = TEXT.replace("imap.acme.example", host).replace(
            MAILBOX, f"username: info@acme.example, {right}}}, tls: starttls"
        )
        path.write_text(new)
        source = load_settings(path, ENVIRONMENT).client("acme").sources[2]
        assert source.type == "imap"
        assert (source.token_url(), source.tls) == (url, "starttls")
    path.write_text(new.replace(right, right + ", token_url: https://id.acme.example/token"))
    source = load_settings(path, ENVIRONMENT).client("acme").sources[2]
    assert source.type == "imap"
    assert source.token_url() == "https://id.acme.example/token"


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("https://imap.acme.example/mail", "expected the name alone, such as imap.acme.example"),
        ("imap.acme.example:993", "such as imap.acme.example, with port: 993"),
        ("info@imap.acme.example", "expected the name alone, such as imap.acme.example"),
    ],
)
def test_a_mail_host_is_a_name_alone(tmp_path: Path, host: str, told: str) -> None:
    path = tmp_path / "deskbridge.yaml"
    path.write_text(TEXT.replace("host: imap.acme.example", f'host: "{host}"'))
    assert told in refusal(path)


@pytest.mark.parametrize("host", ["mail", "localhost", "192.0.2.7", "2001:db8::7"])
def test_a_mail_host_may_lie_in_the_own_network(tmp_path: Path, host: str) -> None:
    path = tmp_path / "deskbridge.yaml"
    path.write_text(TEXT.replace("host: imap.acme.example", f'host: "{host}"'))
    source = load_settings(path, ENVIRONMENT).client("acme").sources[2]
    assert getattr(source, "host", None) == host
