"""The whole job on both databases, and that doing it again changes nothing."""

from connectors.warehouse.tables import audit_entry, delivery, escalation


def test_the_whole_job_again_changes_nothing(desk):
    first = desk.run_job()
    sums, received = desk.checksums(), desk.received()
    sequence = desk.count(audit_entry)
    assert sums["ticket"][0] > 150
    assert desk.count(delivery) > 0
    assert desk.count(escalation) > 0
    assert desk.count(delivery, delivery.c.state != "delivered") == 0
    assert sequence > 0

    second = desk.run_job()

    assert desk.checksums() == sums
    assert desk.received() == received
    assert desk.count(audit_entry) == sequence
    assert second.issue == first.issue == 1
    assert second.path.read_bytes() == first.path.read_bytes()
