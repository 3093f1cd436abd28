"""Certificates and keys as OpenSSL writes them, and what editors, mails and copying make of them."""

from __future__ import annotations

import functools
import random
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from tests import certificates as kit
from tests.foreign_files import padded_key

from aiodps.pki import Credential, PrivateKey

PASSWORD: Final = b"x"
RANDOM_VARIANTS: Final = 60
"""How many are made of a certificate, a key and two edits that are drawn; the seed is fixed."""

CURVES: Final = {
    "prime256v1": ec.SECP256R1(),
    "secp384r1": ec.SECP384R1(),
    "secp521r1": ec.SECP521R1(),
}
ALGORITHMS: Final = (*CURVES, "rsa", "ed25519")

Edit: TypeAlias = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Variant:
    """A certificate and a key as files, and what curl has to be told of them."""

    name: str
    device: str
    """Registration id."""
    certificate: bytes
    key: bytes | None
    """None if it is in the certificate's file."""
    password: bytes = PASSWORD

    @property
    def types(self) -> tuple[str, str]:
        """What the files are, as curl calls it; it looks at neither."""
        return _type(self.certificate), _type(self.key or self.certificate)


def _type(data: bytes) -> str:
    if not data.startswith(b"0\x82") and not data.startswith(b"0\x81"):
        return "PEM" if b"BEGIN" in data or not data.startswith(b"0") else "DER"

    return "P12" if b"\x2a\x86\x48\x86\xf7\x0d\x01\x07" in data[:60] else "DER"


@functools.cache
def device(algorithm: str) -> Credential:
    """Make a device under the test root."""
    match algorithm:
        case "rsa":
            key: PrivateKey = kit.rsa_key(2048)
        case "ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
        case curve:
            key = ec.generate_private_key(CURVES[curve])

    return kit.certify(f"device-{algorithm}", issuer=kit.root(), key=key)


def openssl(*words: str, data: bytes) -> bytes:
    """Let OpenSSL write a file."""
    return subprocess.run(
        ("openssl", *words),
        input=data,
        capture_output=True,
        check=True,
    ).stdout


@functools.cache
def key_forms(algorithm: str) -> Mapping[str, bytes]:
    """Write the key of a device in each form that OpenSSL has for it."""
    plain, secret = device(algorithm).private_key_pem, ("-passout", "pass:x")
    forms = {
        "PKCS#8": plain,
        "PKCS#8 encrypted": openssl("pkcs8", "-topk8", *secret, data=plain),
        "PKCS#8 scrypt": openssl("pkcs8", "-topk8", "-scrypt", *secret, data=plain),
        "PKCS#8 3DES": openssl("pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", *secret, data=plain),
        "DER": openssl("pkey", "-outform", "DER", data=plain),
        "with text": openssl("pkey", "-text", data=plain),
        "PKCS#12": _bundle(algorithm),
        "dump of PKCS#12": openssl(
            "pkcs12", "-nodes", "-passin", "pass:x", data=_bundle(algorithm)
        ),
        "another key after it": plain + kit.intermediate().private_key_pem,
        "another key before it": kit.intermediate().private_key_pem + plain,
    }
    if algorithm != "ed25519":
        forms |= {
            "traditional": openssl("pkey", "-traditional", data=plain),
            "traditional AES": openssl("pkey", "-traditional", "-aes128", *secret, data=plain),
            "traditional DER": openssl("pkey", "-traditional", "-outform", "DER", data=plain),
        }
    if algorithm in CURVES:
        parameters = openssl("ecparam", "-name", algorithm, data=b"")
        forms |= {
            "parameters before it": parameters + forms["traditional"],
            "no public key": openssl("ec", "-no_public", data=plain),
            "explicit parameters": openssl("ec", "-param_enc", "explicit", data=plain),
            "compressed": openssl("ec", "-conv_form", "compressed", data=plain),
        }
    if algorithm == "prime256v1":
        forms["GnuTLS"] = padded_key(device(algorithm))

    return forms


@functools.cache
def _bundle(algorithm: str) -> bytes:
    both = device(algorithm).private_key_pem + device(algorithm).certificate_pem
    return openssl("pkcs12", "-export", "-passout", "pass:x", data=both)


@functools.cache
def certificate_forms(algorithm: str) -> Mapping[str, bytes]:
    """Write the certificate of a device, alone and together with others."""
    plain, root = device(algorithm).certificate_pem, kit.root().certificate_pem
    request = b"-----BEGIN CERTIFICATE REQUEST-----\n!!\n-----END CERTIFICATE REQUEST-----\n"
    return {
        "PEM": plain,
        "with text": openssl("x509", "-text", data=plain),
        "trusted": openssl("x509", "-trustout", data=plain),
        "trusted for": openssl("x509", "-addtrust", "clientAuth", "-setalias", "a b", data=plain),
        "old label": plain.replace(b"CERTIFICATE", b"X509 CERTIFICATE"),
        "with its root": plain + root,
        "with another root": plain + kit.other_root().certificate_pem,
        "twice": plain + plain,
        "after its root": root + plain,
        "after a request": request + plain,
        "DER": openssl("x509", "-outform", "DER", data=plain),
        "PKCS#12": _bundle(algorithm),
        "dump of PKCS#12": key_forms(algorithm)["dump of PKCS#12"],
    }


def _wrapped(width: int) -> Edit:
    block = re.compile(rb"(-----BEGIN [^-]+-----)\s(.*?)\s(-----END [^-]+-----)", re.DOTALL)

    def wrapped(match: re.Match[bytes]) -> bytes:
        body = b"".join(match[2].split())
        lines = (body[place : place + width] for place in range(0, len(body), width))
        return b"\n".join((match[1], *lines, match[3]))

    return lambda data: block.sub(wrapped, data)


def _line_ends(end: bytes) -> Edit:
    return lambda data: data.replace(b"\n", end)


def _before(text: bytes) -> Edit:
    return lambda data: text + data


def _after(text: bytes) -> Edit:
    return lambda data: data + text


def _amid(text: bytes) -> Edit:
    """Put it into a line of base64.

    In an END line, OpenSSL would drop all that follows in the file without a word; aiodps says
    that the file is damaged.
    """
    return lambda data: data[:100] + text + data[100:]


def _in_place_of(old: bytes, new: bytes) -> Edit:
    return lambda data: data.replace(old, new)


EDITS: Final[Mapping[str, Edit]] = {
    **{f"line ends {end!a}": _line_ends(end) for end in (b"\r\n", b"\r", b"\r\r\n", b"\n\n")},
    **{f"line ends {end!a}": _line_ends(end) for end in (b"  \n", b"\t\n", b"\n  ", b"\\n")},
    **{f"lines of {width}": _wrapped(width) for width in (4, 48, 63, 76, 250, 9999)},
    "byte order mark": _before(b"\xef\xbb\xbf"),
    "byte order mark, line": _before(b"\xef\xbb\xbf\n"),
    "UTF-16": lambda data: data.decode("latin1").encode("utf-16"),
    "indented": _before(b"  "),
    "comment": _before(b"# a comment\n"),
    "attributes": _before(b"Bag Attributes\n    friendlyName: x\n\n"),
    "Latin-1": _before("Gerät Nº 7\n".encode("latin1")),
    "long comment": _before(b"x" * 5000 + b"\n"),
    "a BEGIN in text": _before(b"text -----BEGIN CERTIFICATE----- in a line\n"),
    "text after it": _after(b"\ntrailing text\n"),
    "no line end": lambda data: data.rstrip(),
    "NUL": _after(b"\0"),
    "padded": _after(b"\0" * 500),
    "Ctrl-Z": _after(b"\x1a"),
    **{f"amid {junk!a}": _amid(junk) for junk in (b"\n", b" ", b"!", b"=", b"\xc2\xa0")},
    "truncated": lambda data: data[:-10],
    "half": lambda data: data[: len(data) // 2],
    "four dashes": _in_place_of(b"-----\n", b"----\n"),
    "lower case": _in_place_of(b"BEGIN", b"begin"),
    "spaces after BEGIN": _in_place_of(b"-----\n", b"-----   \n"),
    "headers": _in_place_of(b"-----\nM", b"-----\nComment: x\n\nM"),
    "no padding": _in_place_of(b"=\n", b"\n"),
    "no line between": _in_place_of(b"-----\n-----", b"----------"),
}


def variants() -> Iterator[Variant]:
    """Make each form of each algorithm, each edit of one of them, and others as they are drawn."""
    for name in ALGORITHMS:
        certificates, keys = certificate_forms(name), key_forms(name)
        for form, key in keys.items():
            yield _variant(name, certificates["PEM"], key, f"key {form}")

        for form, certificate in certificates.items():
            yield _variant(name, certificate, keys["PKCS#8"], f"certificate {form}")

    name = "prime256v1"
    certificate, key = certificate_forms(name)["with its root"], key_forms(name)["PKCS#8"]
    for edited, edit in EDITS.items():
        yield _variant(name, edit(certificate), key, f"certificate {edited}")
        yield _variant(name, certificate, edit(key), f"key {edited}")
        yield _variant(name, edit(key + certificate), None, f"both {edited}")

    yield from _drawn(random.Random(7))  # noqa: S311 (the same ones each time)


def _drawn(source: random.Random) -> Iterator[Variant]:
    for _ in range(RANDOM_VARIANTS):
        name = source.choice(ALGORITHMS)
        form, certificate = source.choice(list(certificate_forms(name).items()))
        key_form, key = source.choice(list(key_forms(name).items()))
        first, second = (source.choice(list(EDITS)) for _ in range(2))
        said = f"certificate {form}, {first}; key {key_form}, {second}"
        certificate, key = EDITS[first](certificate), EDITS[second](key)
        password = source.choice((PASSWORD, PASSWORD, b"wrong"))
        yield Variant(said, f"device-{name}", certificate, key, password)


def _variant(algorithm: str, certificate: bytes, key: bytes | None, name: str) -> Variant:
    return Variant(f"{algorithm}: {name}", f"device-{algorithm}", certificate, key)
