"""What a file is, whatever it was given for, and the command that converts it."""

from __future__ import annotations

import codecs
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiodps.errors import ProvisioningError
from aiodps.input_files.der import OID, Element, elements, is_cut_off, is_der
from aiodps.input_files.origin import Origin


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files."""

    name: str
    """With its article: "a public key"."""
    advice: str
    """What to do with it. `{file}` stands for the file, `{new}` for one to be made in PEM,
    `{copy}` for one of the same kind, `{stem}` for the name without what follows its last dot."""
    reason: str = "not_pem"
    """The reason of errors about it."""


NOTHING_TO_DO: Final = "give the certificate and its private key"
_PKCS12 = "convert it: openssl pkcs12 -in {file} -nodes -out {new}"
_OWN_KEY = "give the private key: nothing can make it from the public one"

CERTIFICATE: Final = Format(
    "a certificate", "give the private key; this may be its certificate", reason="swapped"
)
REQUEST: Final = Format(
    "a certificate signing request (CSR)",
    "have a CA sign it, and give the certificate: openssl x509 -req -in {file} -CA CA.pem"
    " -CAkey CA.key -CAcreateserial -days 365 -out {new}",
)
CRL: Final = Format("a certificate revocation list", "give the certificate itself")
PKCS7: Final = Format(
    "certificates in PKCS#7 (.p7b)",
    "convert it: openssl pkcs7 -in {file} -print_certs -out {new}",
)
PKCS7_DER: Final = Format(
    PKCS7.name, "convert it: openssl pkcs7 -inform DER -in {file} -print_certs -out {new}"
)
PKCS12: Final = Format("a PKCS#12 bundle (.pfx)", _PKCS12)
PRIVATE_KEY: Final = Format(
    "a private key", "give the certificate; this may be its private key", reason="swapped"
)
PUBLIC_KEY: Final = Format("a public key", _OWN_KEY, reason="public_key")
OPENSSH: Final = Format(
    "a private key in OpenSSH's format",
    "convert a copy of it, which is rewritten: ssh-keygen -p -N '' -m PKCS8 -f {file}",
)
OPENSSH_PUBLIC: Final = Format("an OpenSSH public key", _OWN_KEY, reason="public_key")
TSS2: Final = Format(
    "a key inside of a TPM (TSS2)",
    "link it into a token, and make a reference to it (aiodps keys reference):"
    " tpm2_ptool link --label=TOKEN --userpin=PIN --key-label=KEY {file}",
)
KEY_REFERENCE: Final = Format(
    "a reference to a key in a token (PKCS#11)",
    "give it as the private key of a device's certificate; elsewhere, give the key itself",
)
PUTTY: Final = Format(
    "a private key in PuTTY's format",
    "convert it: puttygen {file} -O private-openssh -o {new}",
)
PVK: Final = Format(
    "a private key in Microsoft's format (PVK)",
    "convert it: openssl rsa -inform PVK -in {file} -out {new}",
)
BLOB: Final = Format(
    "a private key in Microsoft's format (a blob)",
    "convert it: openssl rsa -inform MSBLOB -in {file} -out {new}",
)
JKS: Final = Format(
    "a Java key store (JKS)",
    "convert it: keytool -importkeystore -srckeystore {file} -deststoretype PKCS12"
    " -destkeystore {stem}.p12",
)
BASE64: Final = Format(
    "base64 without its BEGIN and END lines",
    "convert it to DER: openssl base64 -d -A -in {file} -out {stem}.der",
)
ESCAPED: Final = Format(
    "PEM whose line ends are written out as \\n",
    "convert it: printf '%b' \"$(cat {file})\" > {new}",
)
PRINTED: Final = Format(
    "a certificate as text, without its PEM",
    "give the PEM: openssl x509 -in CERTIFICATE -out {new}",
)
PGP: Final = Format("an OpenPGP key", "give a key and a certificate (X.509) in PEM")
JWK: Final = Format("a key as JSON (JWK)", "give it in PEM")
HTML: Final = Format("an HTML page", "download the file itself, not the page about it")
XML: Final = Format("XML", "give PEM or DER")
ZIP: Final = Format("a ZIP archive", "unpack it: unzip {file}")
GZIP: Final = Format("compressed (gzip)", "unpack it: gunzip -k {file}")
ENCRYPTED_KEY: Final = Format(
    "an encrypted private key", PRIVATE_KEY.advice, reason=PRIVATE_KEY.reason
)

_LABELS: Final = {
    "CERTIFICATE": CERTIFICATE,
    "X509 CERTIFICATE": CERTIFICATE,
    "TRUSTED CERTIFICATE": CERTIFICATE,
    "CERTIFICATE REQUEST": REQUEST,
    "NEW CERTIFICATE REQUEST": REQUEST,
    "X509 CRL": CRL,
    "PKCS7": PKCS7,
    "PKCS #7 SIGNED DATA": PKCS7,
    "CMS": PKCS7,
    "OPENSSH PRIVATE KEY": OPENSSH,
    "TSS2 PRIVATE KEY": TSS2,
    "TSS PRIVATE KEY": TSS2,
    "PKCS#11 PROVIDER URI": KEY_REFERENCE,
    "PGP PRIVATE KEY BLOCK": PGP,
    "PGP PUBLIC KEY BLOCK": PGP,
    "ENCRYPTED PRIVATE KEY": ENCRYPTED_KEY,
}
_BEGINNINGS: Final = (
    (b"PuTTY-User-Key-File", PUTTY),
    (b"ssh-", OPENSSH_PUBLIC),
    (b"ecdsa-sha2-", OPENSSH_PUBLIC),
    (b"---- BEGIN SSH2 PUBLIC", OPENSSH_PUBLIC),
    (b"Certificate:", PRINTED),
    (b"\xfe\xed\xfe\xed", JKS),
    (b"\xce\xce\xce\xce", JKS),
    (b"\x1e\xf1\xb5\xb0", PVK),
    (b"\x07\x02\x00\x00", BLOB),
    (b"PK\x03\x04", ZIP),
    (b"\x1f\x8b", GZIP),
    (b"<!DOCTYPE", HTML),
    (b"<html", HTML),
    (b"<", XML),
)
_PKCS7_OIDS = bytes.fromhex("2a864886f70d0107")
"""1.2.840.113549.1.7: PKCS#7 and its content types."""
_TSS2_OIDS = bytes.fromhex("67810501 0a01")
"""2.23.133.10.1: loadable keys."""
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 #]+)-----")
_BASE64 = re.compile(rb"\s*MI[A-Za-z0-9+/\s]{60,}={0,2}\s*")


def recognize(data: bytes) -> Format | None:
    """Return what a file is; None if it is unknown."""
    begin = _BEGIN.search(data)
    if begin is not None:
        return _of_escaped(data) or of_label(begin[1].decode())

    if is_der(data):
        return of_der(data)

    text = data.removeprefix(codecs.BOM_UTF8).lstrip()
    known = (each for beginning, each in _BEGINNINGS if text.startswith(beginning))
    found = next(known, None)
    if found is not None:
        return found

    if text[:1] == b"{" and b'"kty"' in text:
        return JWK

    return BASE64 if _BASE64.fullmatch(data) else None


def of_label(label: str) -> Format:
    """Return the format of a PEM block."""
    if label in _LABELS:
        return _LABELS[label]

    if label.endswith("PRIVATE KEY"):
        return PRIVATE_KEY

    if label.endswith("PUBLIC KEY"):
        return PUBLIC_KEY

    return Format(f"{label.lower()!r} in PEM", NOTHING_TO_DO)


def of_der(data: bytes) -> Format | None:
    """Return the format of DER, by its structure; also if its end is cut off."""
    top = elements(data, cut_off=True)
    children = top[0].children if top else []
    match [child.tag for child in children]:
        case [0x30, 0x30, 0x03]:
            found = _signed(children[0])
        case [0x30, 0x03] | [0x02, 0x02]:
            found = PUBLIC_KEY
        case [0x30, 0x04]:
            found = ENCRYPTED_KEY
        case [0x02, 0x30, 0x04, *_] | [0x02, 0x04, *_] | [0x02, 0x02, 0x02, 0x02, *_]:
            found = PRIVATE_KEY
        case [0x02, 0x30, *_] if _oid(children[1]).startswith(_PKCS7_OIDS):
            found = PKCS12
        case [0x06, 0xA0, *_] if children[0].content.startswith(_PKCS7_OIDS):
            found = PKCS7_DER
        case [0x06, *_] if children[0].content.startswith(_TSS2_OIDS):
            found = TSS2
        case _:
            return None

    return found


def _signed(body: Element) -> Format:
    """Return what is signed: certificate, request or revocation list."""
    match [child.tag for child in body.children]:
        case [0xA0, *_] | [0x02, 0x30, 0x30, 0x30, *_]:
            return CERTIFICATE
        case [0x02, 0x30, 0x30, 0xA0, *_] | [0x02, 0x30, 0x30]:
            return REQUEST
        case _:
            return CRL


def _oid(element: Element) -> bytes:
    children = element.children
    return children[0].content if children and children[0].tag == OID else b""


def _of_escaped(data: bytes) -> Format | None:
    head = data.partition(b"-----END")[0]
    return ESCAPED if rb"\n" in head and b"\n" not in head.strip() else None


def in_bytes(data: bytes) -> str | None:
    """Return the name of the encoding if it is UTF-16 or UTF-32, with or without its mark."""
    for mark, encoding in (
        (codecs.BOM_UTF32_LE, "UTF-32"),
        (codecs.BOM_UTF32_BE, "UTF-32"),
        (codecs.BOM_UTF16_LE, "UTF-16"),
        (codecs.BOM_UTF16_BE, "UTF-16"),
    ):
        if data.startswith(mark):
            return encoding

    sample = data[:200]
    if len(sample) < 4 or is_der(data):  # noqa: PLR2004 (two characters)
        return None

    for first, encoding in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        zeros, others = sample[first::2], sample[1 - first :: 2]
        if not any(zeros) and all(others):
            return encoding

    return None


def unexpected(
    data: bytes, origin: Origin, *, wanted: str, hint: str | None = None
) -> ProvisioningError:
    """Return the error about data of another kind, which says what it is.

    Args:
        data: All of it.
        origin: Where it comes from.
        wanted: What it should have been, like "a private key".
        hint: How to get that; None for what can be done with what it is.
    """
    if not data.strip():
        return origin.error("is empty", reason="empty", hint=f"give {wanted}")

    if is_cut_off(data):
        cut = of_der(data)
        return origin.error(
            f"is truncated: {'DER' if cut is None else cut.name} that is cut off",
            reason="truncated",
            hint="copy it again, as a binary file",
        )

    encoding = in_bytes(data)
    if encoding is not None:
        return origin.error(
            f"is encoded in {encoding}",
            reason="utf16",
            hint=advice(f"convert it: iconv -f {encoding} -t UTF-8 {{file}} > {{new}}", origin),
        )

    found = recognize(data)
    if found is None:
        return origin.error(
            f"contains DER that is not {wanted}"
            if is_der(data)
            else f"is not {wanted}: it is neither PEM nor DER",
            reason="not_pem",
            hint=hint or "PEM begins with -----BEGIN",
        )

    return origin.error(
        f"contains {found.name}, not {wanted}",
        reason=found.reason,
        hint=hint or advice(found.advice, origin),
    )


def advice(text: str, origin: Origin) -> str:
    """Fill a format's advice with the names of the file and of a new one."""
    if origin.shown_path is None:
        return text.format(file="FILE", new="NEW.pem", stem="NEW", copy="NEW")

    path = Path(origin.shown_path)
    new = path.with_suffix(".pem")
    if new == path:
        new = path.with_name(f"{path.stem}_new.pem")

    return text.format(
        file=shlex.quote(str(path)),
        new=shlex.quote(str(new)),
        stem=shlex.quote(str(path.with_suffix(""))),
        copy=shlex.quote(str(path.with_name(f"{path.stem}_new{path.suffix}"))),
    )
