"""A reference to a private key in a token: PEM with a PKCS#11 URI in place of the key.

OpenSSL's provider pkcs11 reads such files (latchset/pkcs11-provider), and OpenSSL loads the
provider if its configuration says so, which `OPENSSL_CONF` names.
"""

from __future__ import annotations

import os
import shlex
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.attestation.memory_file import as_file
from aiodps.errors import PrivateKeyError, ProvisioningError
from aiodps.input_files.der import UTF8_STRING, VISIBLE_STRING, element, elements, sequence
from aiodps.input_files.formats import KEY_REFERENCE, PRIVATE_KEY, of_label
from aiodps.input_files.origin import Origin
from aiodps.input_files.pem import Block, armoured, blocks
from aiodps.input_files.private_keys import Password, resolve_password

_LABEL = "PKCS#11 PROVIDER URI"
_DESCRIPTION = b"PKCS#11 Provider URI v1.0"
_SCHEME = "pkcs11:"
_PAGE = "docs/keys-in-tokens.md"
_MAKE = "make a new one: aiodps keys reference URI --out FILE"


@dataclass(frozen=True, slots=True)
class KeyReference:
    """A key in a token, which OpenSSL finds by the user's own file whenever it loads the key."""

    path: str
    """The file, absolute. It is never copied."""
    password: bytes | None = field(default=None, repr=False)
    """The token's PIN; None if the URI or OpenSSL's configuration has it."""
    is_secret: bool = False
    """Whether the file contains the PIN itself, which makes it a secret."""

    @classmethod
    def read(cls, block: Block, password: Password, origin: Origin) -> KeyReference:
        """Check a reference that was given.

        Raises:
            ProvisioningError: Of the origin's kind, if it is damaged, names no private key, or is
                not in a regular file, which OpenSSL can read again.
        """
        fault = _fault(block.der(origin))
        if fault is not None:
            raise origin.error(
                f"is a reference to a key in a token, and {fault}",
                reason="unreadable",
                hint=_MAKE,
            )

        if origin.path is None or not origin.path.is_file():
            raise origin.error(
                "is a reference to a key in a token, and not a regular file",
                reason="not_regular",
                hint="write it to a file, and give the path of the file",
            )

        return cls(
            path=str(origin.path.absolute()),
            password=None if password is None else resolve_password(password, origin),
            is_secret="pin-value=" in _uri(block.der(origin)),
        )

    def leaf(
        self, certificates: Sequence[x509.Certificate], message: Callable[[], str]
    ) -> x509.Certificate:
        """Return the certificate that has issued none of the others, if the key belongs to it.

        OpenSSL is asked once and not for each certificate: a token counts wrong PINs.

        Args:
            certificates: Among these.
            message: Returns what to say if the key does not belong to it.

        Raises:
            PrivateKeyError: If it does not, or OpenSSL gets no key.
        """
        leaf = next((each for each in certificates if _is_last(each, certificates)), None)
        leaf = leaf or certificates[0]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.load_into(context, leaf.public_bytes(Encoding.PEM), mismatch=message())
        return leaf

    def pem(self, _: x509.Certificate) -> bytes:
        """Return nothing: the key is in the token."""
        return b""

    def load_into(
        self,
        context: ssl.SSLContext,
        chain: bytes,
        *,
        mismatch: str = "the key in the token does not belong to the certificate",
    ) -> None:
        """Load the certificates and the key into a context.

        Args:
            context: The context.
            chain: The certificates in PEM, the device's first.
            mismatch: Says that the key is not the certificate's.

        Raises:
            PrivateKeyError: If OpenSSL gets no key, or it is not the certificate's.
        """
        asked: list[bool] = []

        def pin() -> bytes:
            # An empty PIN ends the login; an exception would make OpenSSL ask on the terminal.
            asked.append(True)
            return self.password or b""

        with as_file(chain) as certificates:
            try:
                context.load_cert_chain(certificates, self.path, pin)
            except OSError as exc:
                raise self._refusal(exc, mismatch, asked=bool(asked)) from exc

    def _refusal(self, exc: OSError, mismatch: str, *, asked: bool) -> ProvisioningError:
        """Return the error about a key that OpenSSL did not load.

        It says "PEM lib" whatever is wrong, or, only with the provider, an error number that a
        library has left behind, usually "No such file".
        """
        if asked and self.password is None:
            return self._error(
                "which asks for a PIN: there is none, or the configured one is wrong",
                reason="password_missing",
                hint="give pin-source=file:FILE in the URI, or password= (--key-password-file)",
            )

        match exc:
            case ssl.SSLError(reason="KEY_VALUES_MISMATCH"):
                return PrivateKeyError(mismatch, reason="mismatch")
            case _ if not os.path.lexists(self.path):
                return self._error("and no longer exists", reason="unreadable", hint=_MAKE)
            case ssl.SSLError() if (fault := _configuration_fault()) is not None:
                return self._error(
                    f"which OpenSSL's provider pkcs11 loads, and OPENSSL_CONF {fault}",
                    reason="provider",
                    hint=f"activate the provider in a file as in {_PAGE}, and start Python again",
                )
            case _:
                inactive = "OpenSSL's provider pkcs11 is not active, or "
                return self._error(
                    f"and {inactive if isinstance(exc, ssl.SSLError) else ''}the token does not"
                    " have it, has another PIN, or has the key of another certificate",
                    reason="token",
                    hint=f"compare: openssl pkey -in {shlex.quote(self.path)} -pubout;"
                    " openssl x509 -in CERTIFICATE -noout -pubkey",
                )

    def _error(self, fault: str, *, reason: str, hint: str) -> ProvisioningError:
        origin = Origin(what="private key file", kind=PrivateKeyError, path=Path(self.path))
        return origin.error(f"refers to a key in a token, {fault}", reason=reason, hint=hint)


def find_reference(data: bytes, origin: Origin) -> Block | None:
    """Return the first reference in PEM; None if there is none, or there is a key itself.

    Raises:
        ProvisioningError: Of the origin's kind, if a block is cut off.
    """
    if _LABEL.encode() not in data:
        return None

    found = blocks(data, origin)
    if any(of_label(each.label) is PRIVATE_KEY for each in found):
        return None

    return next((each for each in found if of_label(each.label) is KEY_REFERENCE), None)


def make_reference(uri: str) -> bytes:
    """Write a reference to a key.

    Args:
        uri: Its PKCS#11 URI (RFC 7512), like `pkcs11:token=T;object=O;type=private`.

    Raises:
        ValueError: If it is the URI of something else, or not one.
    """
    fault = _uri_fault(uri)
    if fault is not None:
        raise ValueError(fault)

    description = element(VISIBLE_STRING, _DESCRIPTION)
    return armoured(sequence(description, element(UTF8_STRING, uri.encode())), _LABEL).pem


def refuse_uri(private_key: str | Path | None) -> None:
    """Raise `PrivateKeyError` if the URI itself was given in place of the file."""
    # A settings file's or a manifest's is below its folder here.
    if _SCHEME not in str(private_key).lower():
        return

    if any(part.lower().startswith(_SCHEME) for part in Path(private_key or "").parts):
        raise PrivateKeyError(
            "the private key file is not a path, but a PKCS#11 URI",
            reason="not_a_path",
            hint="make a file of it: aiodps keys reference URI --out FILE",
        )


def _configuration_fault() -> str | None:
    configuration = os.environ.get("OPENSSL_CONF")
    if not configuration:
        return "is not set"

    return None if Path(configuration).is_file() else f"is {configuration!r}, which is not a file"


def _fault(der: bytes) -> str | None:
    return _uri_fault(_uri(der))


def _uri(der: bytes) -> str:
    """Return the URI in a reference; empty if it has another form."""
    parts = [(each.tag, each.content) for whole in elements(der) for each in whole.children]
    if len(parts) == 2 and parts[0] == (VISIBLE_STRING, _DESCRIPTION):  # noqa: PLR2004 (a pair)
        tag, uri = parts[1]
        return uri.decode(errors="replace") if tag == UTF8_STRING else ""

    return ""


def _uri_fault(uri: str) -> str | None:
    """Return what is wrong with the URI of a private key."""
    if not uri.startswith(_SCHEME):
        return "it has no URI that begins with pkcs11:"

    attributes = uri.removeprefix(_SCHEME).partition("?")[0].split(";")
    kinds = [each.partition("=")[2] for each in attributes if each.startswith("type=")]
    return None if kinds in ([], ["private"]) else "its URI is not that of a private key"


def _is_last(certificate: x509.Certificate, all_: Sequence[x509.Certificate]) -> bool:
    """Whether a certificate has issued none of the others."""
    return all(other.issuer != certificate.subject for other in all_ if other is not certificate)
