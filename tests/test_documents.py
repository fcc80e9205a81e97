"""What stands in the documents is true: links lead somewhere, commands and options exist, alerts have a page."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from pipelines.assets import build_assets
from pipelines.cli import app
from pipelines.messages import RUNBOOKS
from pipelines.settings import load_settings

REPOSITORY = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for path in REPOSITORY.rglob("*.md")
    if not path.relative_to(REPOSITORY).parts[0].startswith((".", "build", "dist"))
)
RUNBOOK_FOLDER = REPOSITORY / "pipelines" / "runbooks"


def names() -> list[str]:
    return [str(path.relative_to(REPOSITORY)) for path in DOCUMENTS]


def anchors(text: str) -> set[str]:
    """Headings as the web pages of repositories make anchors of them."""
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=names())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file) if file else path
        assert found.exists(), f"{path.name}: {target}"
        if anchor:
            assert anchor in anchors(found.read_text("utf-8")), f"{path.name}: {target}"


def commands_in(text: str) -> Iterator[list[str]]:
    """`deskbridge …` in code: inline, or the indented and fenced lines that begin with it."""
    for line in text.splitlines():
        inline = re.findall(r"`(?:\S*/)?deskbridge ([^`]+)`", line)
        block = re.findall(r"^\s{4,}(?:\S*/)?deskbridge ([^#>]+)", line)
        cron = re.findall(r"\.venv/bin/deskbridge ([^#>]+)", line)
        for found in {*inline, *block, *cron}:
            words = shlex.split(found.replace("…", "").replace("`", ""))
            if words:
                yield words


@pytest.mark.parametrize("path", DOCUMENTS, ids=names())
def test_commands_and_their_options_exist(path: Path) -> None:
    for words in commands_in(path.read_text("utf-8")):
        command = get_command(app)
        rest = list(words)
        while hasattr(command, "commands") and rest:
            word = rest.pop(0)
            assert word in command.commands, f"{path.name}: deskbridge {' '.join(words)}"
            command = command.commands[word]
        known = {name for one in command.params for name in one.opts}
        used = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert used <= known | {"--help"}, f"{path.name}: deskbridge {' '.join(words)}"


def test_every_command_stands_in_the_readme() -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    written = {words[0] for words in commands_in(text)}
    assert set(get_command(app).commands) - {"demo"} <= written  # type: ignore[attr-defined]


def test_make_targets_of_the_documents_exist() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8")))
    for path in DOCUMENTS:
        used = set(re.findall(r"`make ([a-z-]+)", path.read_text("utf-8")))
        assert used <= targets, path.name


def test_every_alert_has_its_page(tmp_path: Path) -> None:
    pages = {path.name for path in RUNBOOK_FOLDER.glob("*.md")}
    assert set(RUNBOOKS.values()) <= pages
    config = tmp_path / "deskbridge.yaml"
    config.write_text(
        "clients: {acme: {time_zone: UTC, sources: [{id: a, type: mbox, path: a.mbox}]}}", "utf-8"
    )
    described = [
        spec.description or ""
        for asset in build_assets(load_settings(config))
        for spec in getattr(asset, "check_specs", ())
    ]
    assert len(described) == 8
    for text in described:
        (page,) = re.findall(r"Runbook: (\S+\.md)", text)
        assert page in pages
    index = (RUNBOOK_FOLDER / "README.md").read_text("utf-8")
    assert {f"({page})" for page in pages - {"README.md"}} <= set(re.findall(r"\(\S+\.md\)", index))


def test_pictures_are_small() -> None:
    pictures = [*REPOSITORY.glob("*/pictures/*.png")]
    assert pictures
    assert all(path.stat().st_size < 200_000 for path in pictures)
