"""IMAP servers that the mailbox tests run against: our stand-in, Dovecot and pymap.

Each gives the same small surface: where it listens, how to put mails in, how to renumber a folder.
"""

import getpass
import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from imapclient import IMAPClient

from connectors.mailbox.imap import ImapSource
from connectors.standins.imap import ImapStandin

USER, PASSWORD = "info", "secret"


class Peer:
    """A running server with the folders INBOX and Sent."""

    name = ""
    user = USER

    def __init__(self, port: int) -> None:
        self.port = port
        self.pauses: list[float] = []

    def source(self, *folders: str, password: str = PASSWORD, **options: object) -> ImapSource:
        settings: dict[str, object] = {
            "port": self.port,
            "use_tls": False,
            "folders": folders or ("INBOX",),
            "connect_seconds": 5.0,
            "read_seconds": 10.0,
            "sleep": self.pauses.append,
        }
        return ImapSource("127.0.0.1", self.user, password, **{**settings, **options})  # type: ignore[arg-type]

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        client = IMAPClient("127.0.0.1", self.port, ssl=False, timeout=10)
        try:
            client.login(self.user, PASSWORD)
            yield client
        finally:
            client.logout()

    def add(self, payload: bytes, folder: str = "INBOX", at: datetime | None = None) -> None:
        with self.client() as client:
            client.append(folder, payload, msg_time=at or datetime(2026, 3, 1, 9, 0, tzinfo=UTC))

    def flags(self, folder: str = "INBOX") -> list[tuple[bytes, ...]]:
        with self.client() as client:
            client.select_folder(folder, readonly=True)
            found = client.fetch(client.search(), ["FLAGS"])
        return [data[b"FLAGS"] for data in found.values()]

    def renumber(self, folder: str = "INBOX") -> None:
        raise NotImplementedError


class StandinPeer(Peer):
    name = "stand-in"

    def __init__(self, server: ImapStandin) -> None:
        super().__init__(server.port)
        self.server = server

    def add(self, payload: bytes, folder: str = "INBOX", at: datetime | None = None) -> None:
        found = self.server.store.folder(folder)
        assert found is not None
        with self.server.lock:
            found.append(payload, at or datetime(2026, 3, 1, 9, 0, tzinfo=UTC))

    def renumber(self, folder: str = "INBOX") -> None:
        found = self.server.store.folder(folder)
        assert found is not None
        found.renumber()


class Dovecot:
    """A running Dovecot; each test gets a mailbox of its own in it."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self._program = program
        self._is_root = os.geteuid() == 0
        self._user = "nobody" if self._is_root else getpass.getuser()
        self._group = grp.getgrgid(pwd.getpwnam(self._user).pw_gid).gr_name
        self._process: subprocess.Popen[bytes] | None = None
        self._mailboxes = 0
        (folder / "run").mkdir()
        (folder / "mail").mkdir()
        (folder / "dovecot.conf").write_text(
            _dovecot_settings(folder, self._user, self._group, self.port)
        )
        self.own(folder)

    def own(self, folder: Path) -> None:
        """Gives files to the user that Dovecot runs as."""
        if self._is_root:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, self._user, self._group)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-F", "-c", str(self.folder / "dovecot.conf")],
            user=self._user if self._is_root else None,
            group=self._group if self._is_root else None,
            extra_groups=[] if self._is_root else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(self.port, self._process, self.folder / "dovecot.log")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None

    def mailbox(self) -> "DovecotPeer":
        """A peer with an empty mailbox."""
        self._mailboxes += 1
        user = f"{USER}{self._mailboxes}"
        peer = DovecotPeer(self, user)
        with peer.client() as client:
            client.create_folder("Sent")
        return peer


class DovecotPeer(Peer):
    name = "dovecot"

    def __init__(self, server: Dovecot, user: str) -> None:
        super().__init__(server.port)
        self.server = server
        self.user = user
        self.maildir = server.folder / "mail" / user

    def renumber(self, folder: str = "INBOX") -> None:
        """A new UIDVALIDITY, all UIDs given anew: what is left when an administrator removed the indexes."""
        path = self.maildir if folder == "INBOX" else self.maildir / f".{folder}"
        lines = (path / "dovecot-uidlist").read_text().splitlines()
        match = re.match(r"3 V(\d+) N(\d+)(.*)", lines[0])
        assert match is not None, lines[0]
        for each in path.glob("dovecot.*index*"):
            each.unlink()
        new = int(match[1]) + 1
        (path / "dovecot-uidlist").write_text(f"3 V{new} N1{match[3]}\n")


class PymapPeer(Peer):
    name = "pymap"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def standin_peer(root: Path) -> Iterator[Peer]:
    (root / "Sent").mkdir(parents=True)
    with ImapStandin(root, {USER: PASSWORD}) as server:
        yield StandinPeer(server)


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    program = shutil.which("dovecot") or "/usr/sbin/dovecot"
    if not Path(program).exists():
        pytest.skip("Dovecot is not installed (Debian: dovecot-core, dovecot-imapd)")
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    try:
        server = Dovecot(program, folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def pymap_peer(root: Path) -> Iterator[Peer]:
    hashing = pytest.importorskip("pysasl.hashing", reason="pymap is not installed")
    pytest.importorskip("pymap", reason="pymap is not installed")
    root.mkdir(parents=True)
    (root / "pymap-etc-passwd").write_text(f"{USER}:x::::{USER}:\n")
    hashed = hashing.BuiltinHash(rounds=1_000).hash(PASSWORD)
    (root / "pymap-etc-shadow").write_text(f"{USER}:{hashed}:::::::\n")
    port = free_port()
    program = Path(sys.executable).parent / "pymap"
    with (
        (root / "pymap.log").open("wb") as log,
        subprocess.Popen(
            [
                str(program),
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--no-tls",
                "maildir",
                str(root),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            _wait_for(port, process, root / "pymap.log")
            peer = PymapPeer(port)
            with peer.client() as client:
                if not client.folder_exists("Sent"):
                    client.create_folder("Sent")
            yield peer
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    said = log.read_text(errors="replace")[-600:] if log.exists() else "nothing"
    pytest.skip(f"the server did not start; it said: {said}")


def _dovecot_settings(folder: Path, user: str, group: str, port: int) -> str:
    account = pwd.getpwnam(user)
    return f"""
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={account.pw_uid} gid={account.pw_gid} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
}}
"""
