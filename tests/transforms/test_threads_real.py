"""Real archives: threads and senders against their truths, by `tests.bench.threads`; floors held per set."""

from pathlib import Path

import pytest

from tests.bench.threads import (
    Archive,
    agreement,
    is_order_free,
    read_archive,
    read_spamassassin,
    strangers,
    threads_of,
    with_ids_taken_away,
)
from transforms.threads import ThreadPolicy

pytestmark = pytest.mark.real_data

SETS = ["usrp-2022", "usrp-2023", "notmuch-lkml", "notmuch-threading", "easy_ham_2"]


@pytest.fixture(scope="module", params=SETS)
def archive(request: pytest.FixtureRequest, shared_data: Path) -> Archive:
    if request.param == "easy_ham_2":
        return read_spamassassin(shared_data / "tickets" / "mail")
    return read_archive(shared_data / "mail" / "threads", request.param)


def tickets(archive: Archive, policy: ThreadPolicy | None = None) -> dict[str, str]:
    return {n: one.ticket_remote_id for n, one in threads_of(archive.headers, policy).items()}


def test_ids_alone_give_the_threads_of_other_programs(archive: Archive) -> None:
    found = tickets(archive, ThreadPolicy(steps=frozenset()))
    precision, recall = agreement(found, archive.threads)
    # The truth of the old mbox takes writers' addresses in In-Reply-To for ids; we do not.
    least = 0.88 if archive.name == "easy_ham_2" else 0.99
    assert (precision >= 0.99, recall >= least) == (True, True), (precision, recall)


def test_no_step_joins_strangers_without_quoted_text(archive: Archive) -> None:
    assert strangers(archive, threads_of(archive.headers)).without_quote == 0


def test_every_step_joins_no_more_than_rfc_5256(archive: Archive) -> None:
    if not archive.references:
        pytest.skip(f"{archive.name} has no partition by RFC 5256")
    precision, recall = agreement(tickets(archive), archive.references)
    assert (precision >= 0.99, recall >= 0.99) == (True, True), (precision, recall)


def test_mails_stand_with_the_mail_that_they_quote(archive: Archive) -> None:
    """Every one, but for those that name another mail, which is here, as the one they answer."""
    if not archive.parents:
        pytest.skip(f"{archive.name} has no quoted parents")
    found = tickets(archive)
    known = {mail.message_id for mail in archive.mails.values()}
    missed = [child for child, parent in archive.parents.items() if found[child] != found[parent]]
    unexplained = [child for child in missed if known.isdisjoint(archive.mails[child].in_reply_to)]
    assert unexplained == []
    assert len(missed) <= 0.2 * len(archive.parents)


def test_conversations_are_found_again_without_ids(archive: Archive) -> None:
    lost, right, _, wrong = with_ids_taken_away(archive)
    assert wrong <= 0.01 * lost
    least = {"usrp-2022": 0.95, "usrp-2023": 0.95, "easy_ham_2": 0.8}.get(archive.name, 0)
    assert right >= least * lost


def test_order_and_batches_change_nothing(archive: Archive) -> None:
    assert is_order_free(archive.headers)


def test_customers_are_found_behind_the_list(archive: Archive) -> None:
    if not archive.senders:
        pytest.skip(f"{archive.name} has no customers")
    ours = {name: mail.sender.address for name, mail in archive.mails.items() if mail.sender}
    right = sum(ours.get(name) == address for name, address in archive.senders.items())
    lists = {each for mail in archive.mails.values() for each in mail.list_addresses}
    assert right >= 0.995 * len(archive.senders)
    assert lists.isdisjoint(ours.values())
