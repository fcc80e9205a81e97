"""OAuth: refresh tokens that work once, many workers, crashes in between, and what people are told."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from connectors.errors import (
    AuthError,
    ConfigurationError,
    ConnectorError,
    RateLimitedError,
    UnavailableError,
)
from connectors.http import PolicySession
from connectors.oauth import LEASE_SECONDS, OAuthCredential
from connectors.standins.oauth import OAuthStandin, TokenDesk
from connectors.token_store import MemoryTokenStore, StoredToken
from connectors.warehouse.engine import make_engine, reading
from connectors.warehouse.oauth_tokens import SqlTokenStore
from connectors.warehouse.tables import lease, oauth_token

SEED, SECRET = "seed-refresh-token", "made-up-secret"
RENEW = "ask the owner to authorise it again"


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 24, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[OAuthStandin]:
    with OAuthStandin(TokenDesk(now=clock, expires_in_seconds=600)) as standin:
        yield standin


def credential_on(server: OAuthStandin, store: Any = None, **options: Any) -> OAuthCredential:
    settings: dict[str, Any] = {
        "token_url": server.token_url,
        "client_id": "deskbridge",
        "client_secret": SECRET,
        "refresh_token": SEED,
        "store": store,
        "label": "client acme, source zendesk",
        "how_to_renew": RENEW,
        "wall_clock": server.desk._now,
    }
    return OAuthCredential(**(settings | options))


def call(server: OAuthStandin, credential: OAuthCredential, method: str = "GET") -> int:
    with PolicySession(server.base_url, credential) as session:
        return session.request(method, "/protected").status_code


def test_the_seed_is_used_once_and_its_successor_from_then_on(server, clock) -> None:
    credential = credential_on(server)
    assert [call(server, credential) for _ in range(3)] == [200] * 3
    assert server.desk.refreshes == 1
    clock.pass_by(700)
    assert call(server, credential) == 200
    assert (server.desk.refreshes, server.desk.reused) == (2, 0)


def test_a_token_is_replaced_shortly_before_it_expires(server, clock) -> None:
    credential = credential_on(server)
    first = credential.access_token()
    clock.pass_by(539)
    assert credential.access_token() == first
    clock.pass_by(2)
    assert credential.access_token() != first


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_that_ended_before_its_time_is_renewed_after_the_401(server, method) -> None:
    credential = credential_on(server)
    credential.access_token()
    server.desk.expire_access()
    assert call(server, credential, method) == 200
    assert server.desk.refreshes == 2


def test_a_fresh_token_that_is_refused_as_well_is_an_error_not_a_loop(server) -> None:
    server.faults.add("protected", "status", status=401, times=None)
    credential = credential_on(server)
    with (
        PolicySession(server.base_url, credential, label="client acme") as session,
        pytest.raises(AuthError, match="fresh OAuth token is refused too"),
    ):
        session.get_json("/protected")
    assert server.calls["protected"] == 2


def test_many_workers_refresh_once(server, engine: Engine) -> None:
    """Each has a credential and an engine of its own, as processes have."""
    url = engine.url
    gate = threading.Barrier(6)

    def worker(_number: int) -> int:
        own = make_engine(url)
        try:
            credential = credential_on(server, SqlTokenStore(own))
            gate.wait(10)
            return call(server, credential)
        finally:
            own.dispose()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(worker, range(6))) == [200] * 6
    assert (server.desk.refreshes, server.desk.reused) == (1, 0)
    with reading(engine) as connection:
        assert connection.execute(select(lease)).all() == []
        row = connection.execute(select(oauth_token)).mappings().one()
    assert row["refresh_token"] not in (None, SEED)
    assert SEED not in row["credential"] and SECRET not in row["credential"]


def test_a_later_process_goes_on_with_the_stored_pair(server, clock, engine: Engine) -> None:
    store = SqlTokenStore(engine)
    first = credential_on(server, store).access_token()
    assert credential_on(server, store).access_token() == first
    clock.pass_by(10_000)
    assert credential_on(server, store).access_token() != first
    assert (server.desk.refreshes, server.desk.reused) == (2, 0)


def test_a_worker_whose_token_another_replaced_takes_the_new_one(server) -> None:
    store = MemoryTokenStore()
    one, other = credential_on(server, store), credential_on(server, store)
    assert one.access_token() == other.access_token()
    server.desk.expire_access()
    assert call(server, one) == call(server, other) == 200
    assert (server.desk.refreshes, server.desk.reused) == (2, 0)


def test_a_newly_configured_seed_wins(server, engine: Engine) -> None:
    store = SqlTokenStore(engine)
    assert call(server, credential_on(server, store)) == 200
    server.desk.revoke()
    with pytest.raises(AuthError):
        call(server, credential_on(server, store))
    server.desk.authorise("second-seed")
    assert call(server, credential_on(server, store, refresh_token="second-seed")) == 200
    assert call(server, credential_on(server, store, refresh_token="second-seed")) == 200


def test_a_right_that_ended_says_how_to_get_it_back(server) -> None:
    server.desk.revoke()
    with pytest.raises(AuthError) as caught:
        credential_on(server).access_token()
    told = str(caught.value)
    assert "client acme, source zendesk" in told and "invalid_grant" in told
    assert told.endswith(RENEW)
    assert "never came to an end" not in told
    assert SEED not in told and SECRET not in told


def test_a_wrong_client_is_told_as_such(server) -> None:
    with pytest.raises(AuthError, match="Check client_id and client_secret") as caught:
        credential_on(server, client_secret="wrong-secret").access_token()
    assert "wrong-secret" not in str(caught.value)


class DiesBeforeStoring(SqlTokenStore):
    """A process that is killed between the vendor's answer and the warehouse."""

    def finish(self, credential: str, owner: str, token: StoredToken) -> None:
        raise KeyboardInterrupt


def test_a_pair_lost_in_a_crash_is_told_with_what_to_do(server, clock, engine: Engine) -> None:
    with pytest.raises(KeyboardInterrupt):
        credential_on(server, DiesBeforeStoring(engine)).access_token()
    store = SqlTokenStore(engine)
    # The dead worker's lease has to run out first.
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        clock.pass_by(LEASE_SECONDS / 3)

    for _ in range(2):
        with pytest.raises(AuthError, match=r"never came to an end.*lost before") as caught:
            credential_on(server, store, sleep=sleep).access_token()
        assert "begun 2026-11-24 09:00:00 UTC" in str(caught.value)
        assert RENEW in str(caught.value)
    assert len(naps) == 3
    server.desk.authorise("second-seed")
    assert call(server, credential_on(server, store, refresh_token="second-seed")) == 200


@pytest.mark.parametrize(
    ("fault", "is_lost"), [("drop_request", False), ("drop_reply", True), ("truncate", True)]
)
def test_a_cut_line_while_refreshing(server, fault: Any, is_lost: bool) -> None:
    store = MemoryTokenStore()
    server.faults.add("oauth_token", fault)
    with pytest.raises(UnavailableError, match="Whether it arrived is not known"):
        credential_on(server, store).access_token()
    if is_lost:
        with pytest.raises(AuthError, match="never came to an end"):
            credential_on(server, store).access_token()
    else:
        assert credential_on(server, store).access_token()


def test_a_limit_spends_nothing_and_leaves_no_suspicion(server) -> None:
    store = MemoryTokenStore()
    server.faults.add("oauth_token", "status", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(RateLimitedError):
        credential_on(server, store).access_token()
    assert credential_on(server, store).access_token()


class FullDisk(MemoryTokenStore):
    """Takes no pair as long as `is_full`."""

    is_full = True

    def finish(self, credential: str, owner: str, token: StoredToken) -> None:
        if self.is_full:
            raise UnavailableError("the warehouse: database or disk is full")
        super().finish(credential, owner, token)


def test_a_pair_that_cannot_be_stored_is_not_used_and_not_lost(server) -> None:
    store = FullDisk()
    credential = credential_on(server, store)
    for _ in range(2):
        with pytest.raises(UnavailableError, match=r"could not be stored.*disk is full") as caught:
            credential.access_token()
        assert "access-" not in str(caught.value) and "refresh-1" not in str(caught.value)
    store.is_full = False
    assert call(server, credential) == 200
    assert (server.desk.refreshes, server.desk.reused) == (1, 0)
    assert credential_on(server, store).access_token() == credential.access_token()


def test_the_clients_own_right_needs_no_refresh_token(clock) -> None:
    desk = TokenDesk(now=clock, expires_in_seconds=600, has_own_right=True)
    with OAuthStandin(desk) as server:
        credential = credential_on(server, refresh_token=None, scope="everything")
        assert call(server, credential) == 200
        clock.pass_by(601)
        assert call(server, credential) == 200


def test_a_vendor_that_does_not_rotate_keeps_the_seed(clock) -> None:
    with OAuthStandin(TokenDesk(now=clock, expires_in_seconds=600, rotates=False)) as server:
        credential = credential_on(server)
        assert call(server, credential) == 200
        clock.pass_by(601)
        assert call(server, credential) == 200
        assert server.desk.refreshes == 2


def test_a_page_where_a_token_was_expected_is_an_outage(server) -> None:
    server.faults.add("oauth_token", "status", status=200, body="<html>maintenance</html>")
    with pytest.raises(ConnectorError, match="not JSON"):
        credential_on(server).access_token()


def test_a_right_without_any_secret_is_a_wrong_configuration(server) -> None:
    with pytest.raises(ConfigurationError, match="needs a refresh_token"):
        credential_on(server, refresh_token=None, client_secret="")


def test_no_representation_shows_a_secret(server) -> None:
    store = MemoryTokenStore()
    credential = credential_on(server, store)
    token = credential.access_token()
    shown = f"{credential!r} {store.load(credential.identity())!r} {credential._endpoint!r}"
    for secret in (*credential.secrets(), token):
        assert secret not in shown


def test_the_token_goes_to_its_own_host_only(server, clock) -> None:
    with OAuthStandin(TokenDesk(now=clock)) as other:
        with PolicySession(server.base_url, credential_on(server)) as session:
            assert session.request("GET", f"{other.base_url}/protected").status_code == 401
        assert server.desk.refreshes == 0, "a foreign host's 401 renews nothing"


def test_leases_are_kept_and_taken_over(engine: Engine, clock: Clock) -> None:
    store = SqlTokenStore(engine)
    soon = clock.now + timedelta(seconds=10)
    assert store.begin("c", "one", clock.now, soon).is_ours
    assert not store.begin("c", "two", clock.now, soon).is_ours
    store.release("c", "two")
    assert not store.begin("c", "two", clock.now, soon).is_ours, "only its owner gives it back"
    turn = store.begin("c", "two", soon, soon + timedelta(seconds=10))
    assert turn.is_ours and turn.abandoned_by == "one"
    store.release("c", "two")
    assert store.begin("c", "three", soon, soon).abandoned_by is None
