"""The key-encryption key of the vault on this machine, in the form that the `file` key provider reads."""

import base64
import secrets
from pathlib import Path

from local.tokens import Keys, write_secret

KEY_BYTES = 32


def ensure_vault_key(keys: Keys) -> Path:
    """The key file; made once, and without it nothing in the vault can be read again."""
    file = keys.folder / "vault.key"
    if not file.exists():
        write_secret(file, base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())
    return file
