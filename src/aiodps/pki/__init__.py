"""A test certificate authority: root, intermediate, device, verification and server certificates.

An `Authority` issues; what it issues is a `Credential` with PEM bytes ready for TLS:

    root = Authority.root("my-root")
    device = root.intermediate("my-intermediate").device("sensor-7")
    device.chain_pem, device.private_key_pem
"""

from __future__ import annotations

from aiodps.input_files.private_keys import PrivateKey
from aiodps.pki.authority import Authority
from aiodps.pki.credential import Credential, KeyType

__all__ = ["Authority", "Credential", "KeyType", "PrivateKey"]
