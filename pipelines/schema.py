"""The JSON Schema of the configuration, for editors: completion, and red lines under typing mistakes.

Belongs here: making `deskbridge.schema.json` from the settings. Does not belong here: validation (`settings`); a
schema knows no time zones and no cross-references.

    python -m pipelines.schema      # writes it anew after a change to the settings
"""

import json
from pathlib import Path
from typing import Any

from pipelines.settings import Settings

FILE = Path(__file__).with_name("deskbridge.schema.json")


def schema() -> dict[str, Any]:
    """The schema, with its keys in the order of the settings."""
    made = Settings.model_json_schema(by_alias=True)
    # Where the file lies is no part of the file.
    del made["properties"]["folder"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | made


def text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
