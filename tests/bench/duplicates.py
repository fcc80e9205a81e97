"""How well `find_duplicates` tells invented pairs: `python -m tests.bench.duplicates`.

Prints precision and recall, and each miss by its name with what was said.
"""

from dataclasses import dataclass

from tests.duplicate_cases import CASES, DuplicateCase
from transforms.duplicates import find_duplicates


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said of a pair: the link's reason, None where it was left apart."""

    case: DuplicateCase
    reason: str | None

    @property
    def is_right(self) -> bool:
        """Whether that is what the label says."""
        return (self.reason is not None) == self.case.is_same


def measure() -> list[Outcome]:
    """Every case, in both orders of coming: a pair counts as linked only where both orders say the same."""
    found = []
    for case in CASES:
        together = find_duplicates([case.right, case.left])
        later = find_duplicates([case.left], [case.right])
        assert [one.ticket_key for one in together] == [one.ticket_key for one in later], case.name
        found.append(Outcome(case, together[0].reason if together else None))
    return found


def precision_and_recall(outcomes: list[Outcome]) -> tuple[float, float]:
    """Over pairs."""
    linked = [one for one in outcomes if one.reason is not None]
    right = sum(one.case.is_same for one in linked)
    return right / max(len(linked), 1), right / sum(one.case.is_same for one in outcomes)


def main() -> None:
    """Prints the figures."""
    outcomes = measure()
    precision, recall = precision_and_recall(outcomes)
    same = sum(one.case.is_same for one in outcomes)
    print(
        f"{len(outcomes)} pairs, {same} of them one request: precision {precision:.3f}, recall {recall:.3f}"
    )
    for one in outcomes:
        if not one.is_right:
            what = "linked, but two" if one.reason else "left apart, but one"
            print(f"  {one.case.name}: {what} ({one.reason or 'no evidence is strong enough'})")


if __name__ == "__main__":
    main()
