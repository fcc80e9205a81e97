"""Help that reads well, starts at once, and is what the documents say."""

import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

sys.path.insert(0, str(Path(__file__).parent))
from command_runner import run

from pipelines.cli import app

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = [
    path
    for pattern in ("*.md", "*/*.md", "*/*/*.md")
    for path in sorted(REPOSITORY.glob(pattern))
    if not path.relative_to(REPOSITORY).parts[0].startswith((".", "build"))
]


def commands(
    group: object, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        yield (*words, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))


COMMANDS = dict(commands(get_command(app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_a_help_that_reads_well(words: tuple[str, ...]) -> None:
    ran = run(*words, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: deskbridge {' '.join(words)} ")
    first = ran.out.splitlines()[2].strip()
    assert first.endswith("."), "the first line is a sentence of its own"
    assert first[0].isupper()
    for line in ran.out.splitlines():
        assert len(line) <= 80
    described = re.findall(r"^  (-\S+(?:, --\S+)?(?: <[^>]+>)?)(.*)$", ran.out, re.M)
    assert all(text.strip() or len(option) > 20 for option, text in described), described


def test_the_list_of_commands_shows_whole_sentences() -> None:
    for words in ((), ("migrate",), ("messages",), ("db",)):
        ran = run(*words, "--help")
        assert "..." not in ran.out.partition("Commands:")[2]
        assert ran.code == 0


def test_without_a_command_the_help_is_shown() -> None:
    ran = run()
    assert ran.code == 2
    assert "Commands:" in ran.out + ran.err
    assert "Exit codes: 0 done; 1 something failed; 2 wrong use" in ran.out + ran.err


def documented() -> Iterator[tuple[str, int, str]]:
    """Commands in code blocks (fenced or indented), at the start of a line or of a crontab's command, and in
    the first column of a table."""
    for path in DOCUMENTS:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            found = re.match(
                r"(?:\s{4,}|\$ |)(?:\$ )?(?:\.venv/bin/)?(deskbridge [a-z].*)"
                r"|.*&& (?:flock \S+ \S+ )?(?:flock -n \S+ )?(?:\.venv/bin/)?(deskbridge [a-z].*)"
                r"|\| `(deskbridge [^`]+)` \|",
                line,
            )
            if found:
                text = next(one for one in found.groups() if one)
                yield f"{path.relative_to(REPOSITORY)}", number, re.split(r"\s+[#>|&]", text)[0]


DOCUMENTED = list(documented())


def test_the_documents_show_commands() -> None:
    assert len([one for one in DOCUMENTED if one[0] == "README.md"]) >= 10


@pytest.mark.parametrize(("document", "line", "text"), DOCUMENTED)
def test_each_documented_command_exists_with_its_options(
    document: str, line: int, text: str
) -> None:
    words = shlex.split(text)[1:]
    depth = 1
    while depth < len(words) and tuple(words[: depth + 1]) in COMMANDS:
        depth += 1
    name = tuple(words[:depth])
    assert name in COMMANDS, f"{document}:{line}: there is no command '{text}'"
    command = COMMANDS[name]
    assert not hasattr(command, "commands"), f"{document}:{line}: {text} needs a further word"
    try:
        # Reads the words as the command would; nothing is run.
        command.make_context(" ".join(name), words[depth:])  # type: ignore[attr-defined]
    except typer.Exit:
        return
    except Exception as error:
        raise AssertionError(f"{document}:{line}: {text}: {error}") from error


def imported(code: str) -> set[str]:
    """Top-level modules that are loaded after some code has run in an interpreter of its own."""
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys\n{code}\nprint(*{{m.split('.')[0] for m in sys.modules}})",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    return set(ran.stdout.split())


HEAVY = {"dagster", "pandas", "openpyxl"}


def test_help_imports_nothing_heavy() -> None:
    loaded = imported("import pipelines.cli")
    assert not loaded & (
        HEAVY | {"sqlalchemy", "alembic", "numpy", "zenpy", "requests", "slack_sdk"}
    )


@pytest.mark.parametrize(
    "modules",
    [
        "pipelines.check",
        "pipelines.ingest, pipelines.runtime",
        "pipelines.tick, pipelines.runtime",
        "pipelines.explain, pipelines.runtime",
        "pipelines.migrate, pipelines.runtime",
    ],
)
def test_daily_commands_import_neither_dagster_nor_pandas(modules: str) -> None:
    assert not imported(f"import pipelines.cli, {modules}") & HEAVY


def test_help_answers_well_below_a_second() -> None:
    """Measured in the process' own CPU time, which does not grow while others wait for the processor."""
    seconds = []
    for _ in range(3):
        before = _children_seconds()
        subprocess.run(
            [sys.executable, "-m", "pipelines.cli", "--help"],
            capture_output=True,
            check=True,
            cwd=REPOSITORY,
        )
        seconds.append(_children_seconds() - before)
    assert min(seconds) < 0.6, seconds


def _children_seconds() -> float:
    """CPU time of all children that ended, in their own code and in the system's."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
