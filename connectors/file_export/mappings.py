"""Finds a mapping file: a shipped one by name, or one of the user's by path.

Belongs here: names, paths and reading the text. Does not belong here: what a mapping says
(`transforms.mapping`).
"""

from pathlib import Path

from connectors.errors import ConfigurationError

SHIPPED = Path(__file__).parent.parent / "mappings"


def shipped_names() -> list[str]:
    """The mappings that come with Deskbridge."""
    return sorted(path.name for path in SHIPPED.glob("*.yaml"))


def mapping_text(name: str, folder: Path) -> tuple[str, str]:
    """A mapping's name for errors, and its text.

    Args:
        name: a path, absolute or relative to `folder`; else the name of a shipped mapping, with or without
            `.yaml`. A file of the user's goes before a shipped one of the same name.
        folder: the folder of the configuration file.

    Raises:
        ConfigurationError: neither is there; the shipped ones are listed.
    """
    own = folder / name
    # Only a bare name may point into the package: a path is the user's own.
    shipped = SHIPPED / (name if name.endswith(".yaml") else f"{name}.yaml")
    is_bare = Path(name).name == name
    path = own if own.is_file() or not is_bare else shipped
    try:
        return path.name, path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"mapping {own}: not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(
            f"mapping {own}: {error.strerror or error}. Give a path, or one of the shipped mappings: "
            f"{', '.join(shipped_names())}"
        ) from None
