"""Locks in a repository as restic writes them, of any host and age: nobody waits half an hour for a dead one.

The form is that of restic's design document ("Repository Format", "Locks"): JSON, encrypted with the master key by
AES-256-CTR, with a Poly1305-AES code of authentication, in a file named by the digest of its bytes.
"""

import base64
import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.poly1305 import Poly1305

HOST = "pod-that-is-gone"


def leave(folder: Path, master_key: str, *, minutes: float, exclusive: bool = False, host: str = HOST) -> Path:
    """Leave a lock of another host in the repository in a folder, last refreshed some minutes ago."""
    told = {
        "time": (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(),
        "exclusive": exclusive,
        "hostname": host,
        "username": "someone",
        "pid": 1,
    }
    data = _sealed(json.dumps(told).encode(), json.loads(master_key))
    path = folder / "locks" / hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    return path


def _sealed(plain, key):
    encrypt, k, r = (base64.b64decode(part) for part in (key["encrypt"], key["mac"]["k"], key["mac"]["r"]))
    nonce = os.urandom(16)
    hidden = Cipher(AES(encrypt), CTR(nonce)).encryptor().update(plain)
    pad = Cipher(AES(k), ECB()).encryptor().update(nonce)  # noqa: S305  # Poly1305-AES is defined so
    return nonce + hidden + Poly1305.generate_tag(r + pad, hidden)
