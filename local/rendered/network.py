"""The cluster's network on one machine: a bridge, an address a pod, and names that follow who is ready."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from local.part import PartFailed

BRIDGE, GATEWAY, NETWORK = "pods", "10.77.0.1", 16
DOMAIN = "langganan.svc.cluster.local"
RESOLV_CONF = f"nameserver {GATEWAY}\nsearch {DOMAIN} svc.cluster.local cluster.local\noptions ndots:5\n"
TTL = 5  # seconds, as CoreDNS gives for Services
TYPE_A, IN = 1, 1
NO_NAME, AUTHORITATIVE = 3, 0x8580  # NXDOMAIN; an answer by whoever knows, recursion offered


def command(*words: str) -> None:
    """Run a program of the system; raise PartFailed with what it says."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PartFailed(f"{' '.join(words)}: {done.stderr.strip()}")


def prepare(folder: Path) -> None:
    """Make the bridge and our own way of resolving names, in the namespaces that we are in."""
    command("mount", "-t", "tmpfs", "netns", "/run")
    Path("/run/netns").mkdir()
    command("ip", "link", "set", "lo", "up")
    command("ip", "link", "add", BRIDGE, "type", "bridge")
    command("ip", "addr", "add", f"{GATEWAY}/{NETWORK}", "dev", BRIDGE)
    command("ip", "link", "set", BRIDGE, "up")
    ours = folder / "resolv.conf"
    ours.write_text(RESOLV_CONF)
    command("mount", "--bind", str(ours), str(Path("/etc/resolv.conf").resolve()))


class Addresses:
    """Gives each pod a network namespace and an address that was never used before."""

    def __init__(self) -> None:
        self._last = ipaddress.IPv4Address(GATEWAY)

    def take(self, name: str) -> str:
        """Make the namespace /run/netns/NAME; its address."""
        self._last += 1
        address, outside = str(self._last), f"veth{int(self._last) & 0xFFFF}"
        command("ip", "netns", "add", name)
        command("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
        command("ip", "link", "set", outside, "master", BRIDGE, "up")
        command("ip", "-n", name, "addr", "add", f"{address}/{NETWORK}", "dev", "eth0")
        command("ip", "-n", name, "link", "set", "eth0", "up")
        command("ip", "-n", name, "link", "set", "lo", "up")
        return address

    def cut(self, name: str) -> None:
        """Let nothing in or out any more, and tell nobody: what a node does that vanishes."""
        command("ip", "-n", name, "link", "set", "eth0", "down")

    def give_back(self, name: str) -> None:
        """Remove the namespace once nothing runs in it."""
        command("ip", "netns", "delete", name)


class Names(asyncio.DatagramProtocol):
    """Answers for NAME.langganan.svc.cluster.local; `look_up`: name → addresses, None: no such Service."""

    def __init__(self, look_up: Callable[[str], Sequence[str] | None]) -> None:
        self._look_up = look_up
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        """Answer a question."""
        with contextlib.suppress(IndexError, UnicodeDecodeError, struct.error):  # no question at all
            assert self._transport is not None
            self._transport.sendto(answer(data, self._look_up), addr)


def answer(query: bytes, look_up: Callable[[str], Sequence[str] | None]) -> bytes:
    """The DNS message that answers another one with one question (RFC 1035)."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    question = query[12 : at + 5]
    (kind,) = struct.unpack("!H", query[at + 1 : at + 3])
    name, _, domain = ".".join(labels).partition(".")
    found = look_up(name) if domain == DOMAIN else None
    addresses = list(found or ()) if kind == TYPE_A else []
    flags = AUTHORITATIVE | (NO_NAME if found is None else 0)
    records = b"".join(
        struct.pack("!HHHIH4s", 0xC00C, TYPE_A, IN, TTL, 4, ipaddress.IPv4Address(one).packed)
        for one in addresses
    )
    header = query[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0)
    return header + question + records
