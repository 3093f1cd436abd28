"""Two judges of certificates: this interpreter's TLS, as strict as Python 3.13, and openssl."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from tests.certificates import write

from aiodps.pki import Credential


def shake_hands(
    directory: Path, *, client: Credential, server: Credential, root: Credential, host: str
) -> bytes:
    """Do a mutual TLS handshake in memory; return the certificate that the server saw, in DER.

    Raises:
        ssl.SSLError: If either side does not accept the other.
    """
    directory.mkdir(exist_ok=True)
    client_context = _context(ssl.PROTOCOL_TLS_CLIENT, client, root, directory / "client")
    server_context = _context(ssl.PROTOCOL_TLS_SERVER, server, root, directory / "server")
    server_context.verify_mode = ssl.CERT_REQUIRED
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server_side = server_context.wrap_bio(to_server, to_client, server_side=True)
    # TLS 1.3 takes three flights; each side is also given a turn to read the other's alert.
    for _ in range(4):
        for side in (client_side, server_side):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue

    shown = server_side.getpeercert(binary_form=True)
    assert shown is not None
    return shown


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
