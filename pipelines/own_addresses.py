"""Which addresses are a client's own, by its settings: `own_addresses`.

Belongs here: the mailboxes', agents' and domains' addresses of all sources together. Does not belong here: what one mailbox
makes of them (`wiring`).
"""

from collections.abc import Callable

from pipelines.settings import MailSettings, Settings


def own_addresses(settings: Settings, client_key: str) -> Callable[[str], bool]:
    """Tells whether an address (normalised) is a mailbox's or an agent's of a client."""
    own: set[str] = set()
    domains: set[str] = set()
    for source in settings.client(client_key).sources:
        if not isinstance(source, MailSettings):
            continue
        logins = (getattr(source, name, None) for name in ("username", "user", "mailbox"))
        named = (*source.own_addresses, *source.agent_addresses, *logins)
        own |= {each.casefold() for each in named if each and "@" in each}
        domains |= {domain.casefold().lstrip("@") for domain in source.agent_domains}
    return lambda address: address in own or address.rpartition("@")[2] in domains
