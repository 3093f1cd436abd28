"""Keys in a token of SoftHSM2, for tests with the mark `pkcs11`."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aiodps import X509
from aiodps.attestation.key_reference import make_reference
from aiodps.pki import Credential

PIN: Final = "canary-pin-of-the-token"
_LABEL: Final = "aiodps"


@functools.cache
def token() -> Path:
    """Make a token, once in this process; return the folder for files."""
    folder = tempfile.TemporaryDirectory(prefix="aiodps-token-")
    _kept.append(folder)
    path = Path(folder.name)
    (path / "tokens").mkdir()
    (path / "softhsm2.conf").write_text(f"directories.tokendir = {path / 'tokens'}\n")
    os.environ["SOFTHSM2_CONF"] = str(path / "softhsm2.conf")
    _softhsm2("--init-token", "--free", "--label", _LABEL, "--so-pin", PIN)
    return path


_kept: Final[list[tempfile.TemporaryDirectory[str]]] = []
"""Removed when the process ends."""
_numbers: Final = itertools.count(1)


def import_key(credential: Credential) -> Path:
    """Import a private key into the token; return a file with a reference to it."""
    number = next(_numbers)
    key = token() / "key.p8"
    key.write_bytes(
        credential.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    label = f"key-{number}"
    _softhsm2(
        *("--import", str(key), "--token", _LABEL, "--label", label, "--id", f"{number:08x}")
    )
    key.unlink()
    return write_reference(label)


def write_reference(label: str) -> Path:
    """Write a file with a reference to the key with a label."""
    file = token() / f"{label}.pem"
    file.write_bytes(make_reference(f"pkcs11:token={_LABEL};object={label};type=private"))
    return file


def in_token(credential: Credential) -> X509:
    """Return the attestation of a device whose key is in the token."""
    reference = import_key(credential)
    chain = reference.with_suffix(".crt")
    chain.write_bytes(credential.chain_pem)
    return X509.from_files(chain, reference, password=PIN)


def _softhsm2(*words: str) -> None:
    """Run SoftHSM's command without the provider: it would use the token that it makes."""
    env = {name: value for name, value in os.environ.items() if name != "OPENSSL_CONF"}
    command = ["softhsm2-util", *words, "--pin", PIN]
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
