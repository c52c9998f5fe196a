"""TLS of the gRPC server, with the certificate as its files have it when a connection begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from kit.renewed import Renewed


def server_credentials(cert_file: Path, key_file: Path) -> grpc.ServerCredentials:
    """Return credentials that follow the two PEM files; raises OSError or ValueError for unusable ones.

    Later on a certificate that is not its key's, or half of a file, is logged and the last good pair goes on.
    """
    pair = Renewed([cert_file, key_file], _pair)
    given = pair.current()

    def renewal() -> grpc.ServerCertificateConfiguration | None:
        # Called by gRPC's threads as each connection begins; None: as before.
        nonlocal given
        found = pair.current()
        if found is given:
            return None
        given = found
        return found

    fetch: Any = renewal  # gRPC's stubs forget that None is allowed
    return grpc.dynamic_ssl_server_credentials(given, fetch, require_client_authentication=False)


def _pair(contents: Sequence[bytes]) -> grpc.ServerCertificateConfiguration:
    chain, key = contents
    certificate = x509.load_pem_x509_certificates(chain)[0]
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    of_key = load_pem_private_key(key, None).public_key().public_bytes(*form)
    if certificate.public_key().public_bytes(*form) != of_key:
        raise ValueError("the private key is not the certificate's")
    return grpc.ssl_server_certificate_configuration([(key, chain)])
