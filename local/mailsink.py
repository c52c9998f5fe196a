"""The mail sink: an SMTP server that delivers to a folder, `python -m local.mailsink PORT FOLDER`.

Mail 1234 lies in FOLDER/001/001234.eml; FOLDER/index.tsv has a line for each in order of arrival:
number, Message-ID, recipients. While there is a FOLDER/refusal, each mail is answered with what it says,
"451 come again", and not kept.
"""

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import TextIO

from aiosmtpd.smtp import SMTP, Envelope, Session

MESSAGE_ID = re.compile(rb"^message-id:[ \t\r\n]*(\S+)", re.IGNORECASE | re.MULTILINE)
LARGEST = 1_000_000  # bytes of a mail
REFUSAL = "refusal"  # the file whose text is the reply to every mail


@dataclass(frozen=True)
class Mail:
    """One mail as it arrived."""

    number: int
    message_id: str
    recipients: tuple[str, ...]
    path: Path

    def parse(self) -> EmailMessage:
        """The message with its headers and text decoded."""
        return BytesParser(policy=policy.default).parsebytes(self.path.read_bytes())

    def text(self) -> str:
        """The plain text of the message."""
        body = self.parse().get_body(("plain", "html"))
        return body.get_content() if body else ""


class Mailbox:
    """Reads what the sink received, and has it refuse; the sink may be another process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def count(self) -> int:
        """How many mails have arrived, repeats included."""
        if not self._index.exists():
            return 0
        with self._index.open("rb") as index:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: index.read(1 << 20), b""))

    def __iter__(self) -> Iterator[Mail]:
        """All mails in order of arrival."""
        if not self._index.exists():
            return
        with self._index.open() as index:
            for line in index:
                if not line.endswith("\n"):
                    return  # being written
                number, message_id, recipients = line.rstrip("\n").split("\t")
                path = mail_path(self.folder, int(number))
                yield Mail(int(number), message_id, tuple(recipients.split(",")), path)

    def to(self, address: str) -> list[Mail]:
        """The mails to one address, in order of arrival."""
        return [mail for mail in self if address in mail.recipients]

    @contextlib.contextmanager
    def refusing(self, reply: str) -> Iterator[None]:
        """Have the sink answer each mail with an SMTP `reply` of 4xx or 5xx, and keep none meanwhile."""
        refusal = self.folder / REFUSAL
        refusal.write_text(reply)
        try:
            yield
        finally:
            refusal.unlink()

    @property
    def _index(self) -> Path:
        return self.folder / "index.tsv"


def mail_path(folder: Path, number: int) -> Path:
    """Where a mail lies; a thousand to a folder."""
    return folder / f"{number // 1000:03d}" / f"{number:06d}.eml"


class Deliver:
    """Writes each mail to its file, then its line to the index; only then is it accepted."""

    def __init__(self, folder: Path, index: TextIO, number: int) -> None:
        self._folder = folder
        self._index = index
        self._number = number

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Accept one mail, or refuse it while it is wished so."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / REFUSAL).read_text()
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self._number += 1
        path = mail_path(self._folder, self._number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        found = MESSAGE_ID.search(content)
        message_id = found[1].decode(errors="replace") if found else ""
        self._index.write(f"{self._number}\t{message_id}\t{','.join(envelope.rcpt_tos)}\n")
        self._index.flush()
        return "250 kept"


async def serve(port: int, folder: Path, host: str = "127.0.0.1") -> None:
    """Receive mails until SIGTERM."""
    folder.mkdir(parents=True, exist_ok=True)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    with (folder / "index.tsv").open("a") as index:
        deliver = Deliver(folder, index, Mailbox(folder).count())
        server = await loop.create_server(
            lambda: SMTP(
                deliver,
                hostname="mail.localhost",
                ident="Langganan mail sink",
                enable_SMTPUTF8=True,
                data_size_limit=LARGEST,
                loop=loop,
            ),
            host,
            port,
        )
        await stopping.wait()
        server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
