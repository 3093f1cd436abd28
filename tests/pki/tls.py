"""Two judges of certificates: this interpreter's TLS, as strict as Python 3.13, and openssl."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from tests.certificates import write
from tests.scripted.tls import handshake

from aiodps.pki import Credential


def shake_hands(
    directory: Path, *, client: Credential, server: Credential, root: Credential, host: str
) -> bytes:
    """Do a mutual TLS handshake; return the certificate that the server saw, in DER.

    Raises:
        ssl.SSLError: If either side does not accept the other.
    """
    directory.mkdir(exist_ok=True)
    device = _context(ssl.PROTOCOL_TLS_CLIENT, client, root, directory / "client")
    service = _context(ssl.PROTOCOL_TLS_SERVER, server, root, directory / "server")
    service.verify_mode = ssl.CERT_REQUIRED
    return handshake(device, service, host=host)[0]


def openssl_verify(
    directory: Path, credential: Credential, *, root: Credential, purpose: str = "sslclient"
) -> str:
    """Ask `openssl verify -x509_strict`; return what it says about what it refuses, else nothing."""
    directory.mkdir(exist_ok=True)
    (directory / "root.pem").write_bytes(root.certificate_pem)
    (directory / "leaf.pem").write_bytes(credential.certificate_pem)
    (directory / "chain.pem").write_bytes(credential.chain_pem)
    done = subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-purpose", purpose, "-no-CApath"),
            *("-no-CAstore", "-CAfile", "root.pem", "-untrusted", "chain.pem", "leaf.pem"),
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr


def _context(protocol: int, own: Credential, root: Credential, directory: Path) -> ssl.SSLContext:
    directory.mkdir(exist_ok=True)
    context = ssl.SSLContext(protocol)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=root.certificate_pem.decode())
    context.load_cert_chain(*write(own, directory))
    return context
