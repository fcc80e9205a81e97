"""The files for people who write a configuration: the JSON Schema and the example."""

import re
from pathlib import Path

import yaml

from pipelines import schema
from pipelines.settings import load_settings

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "deskbridge.example.yaml"


def secrets_of(text: str) -> dict[str, str]:
    return dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "not-a-secret")


def test_the_shipped_schema_is_that_of_the_settings() -> None:
    assert schema.FILE.read_text("utf-8") == schema.text(), "run: python -m pipelines.schema"


def test_the_example_is_a_valid_configuration() -> None:
    text = EXAMPLE.read_text("utf-8")
    settings = load_settings(EXAMPLE, secrets_of(text))
    assert [one.type for one in settings.client("acme").sources] == [
        "zendesk",
        "freshdesk",
        "imap",
        "mbox",
        "csv",
    ]


def test_the_example_goes_nowhere_by_itself() -> None:
    """Copied as it is, it pages nobody."""
    text = EXAMPLE.read_text("utf-8")
    assert load_settings(EXAMPLE, secrets_of(text)).client("acme").live_from is None


def test_the_schema_knows_every_key_of_the_example() -> None:
    made = schema.schema()
    names = {name for part in made["$defs"].values() for name in part.get("properties", {})}
    names |= set(made["properties"])
    document = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    used = set(document) | {key for client in document["clients"].values() for key in client}
    for client in document["clients"].values():
        for part in ("sources", "notify", "migrations"):
            used |= {key for one in client[part] for key in one}
    assert used - {"acme"} <= names
