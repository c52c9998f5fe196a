"""Certificates of the tests: an authority, and what it signs, as the files that a mounted Secret has."""

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class Secret:
    """A folder with tls.crt, tls.key and ca.crt; `renew` writes them again, signed by whom it is told."""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.cert, self.key, self.ca = folder / "tls.crt", folder / "tls.key", folder / "ca.crt"
        self.renew(authority)

    def renew(self, authority: trustme.CA) -> None:
        """A fresh certificate for this machine and its key, and the authority's own certificate."""
        fresh = authority.issue_cert("127.0.0.1", "localhost")
        self.cert.write_bytes(fresh.cert_chain_pems[0].bytes())
        self.key.write_bytes(pkcs8(fresh.private_key_pem.bytes()))
        self.ca.write_bytes(authority.cert_pem.bytes())


def pkcs8(key: bytes) -> bytes:
    """The key as cert-manager and Strimzi write it, and as Kafka reads it."""
    loaded = load_pem_private_key(key, None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
