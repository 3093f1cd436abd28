"""Credential: whether the device's certificate, key or TPM can be used, before the service says.

Nothing here connects, except to a TPM.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509

from aiodps.attestation.base import Attestation
from aiodps.attestation.chain import check_validity
from aiodps.attestation.files import AttestationFiles, load_in_order, load_tpm
from aiodps.attestation.x509 import X509
from aiodps.checks.model.finding import Finding, bad, good, not_tried, of_error
from aiodps.checks.network.anchors import issued, name_of, text_of
from aiodps.errors import CertificateError, IdentityMismatchError, ProvisioningError
from aiodps.pki.credential import is_root
from aiodps.protocol.identifiers import audience
from aiodps.settings import Settings

_TOKEN_SECONDS = 3600


async def check_credentials(
    settings: Settings, *, verified: Sequence[x509.Certificate], now: datetime
) -> tuple[list[Finding], tuple[Attestation, ...]]:
    """Check every credential that the settings name.

    Args:
        settings: Of the device.
        verified: CAs that are verified at DPS; empty if nothing is known of them.
        now: The time for the dates.

    Returns:
        The findings, and the credentials that could be loaded.
    """
    files = {each.name: getattr(settings, each.name) for each in dataclasses.fields(settings)}
    if settings.tpm is None and not AttestationFiles.of(files).given:
        advice = "give --cert and --key, or --symmetric-key-file, to have it checked"
        return [not_tried("credential", "none was given", advice)], ()

    try:
        tpm = None if settings.tpm is None else await load_tpm(settings.tpm, files)
        loaded = load_in_order(files, settings.registration_id, tpm=tpm)
    except ProvisioningError as error:
        return [of_error("credential", error)], ()

    found: list[Finding] = []
    for number, each in enumerate(loaded):
        which = f" {number + 1}" if number else ""
        found += await _check_one(each, settings, verified, now, which)

    return found, loaded


async def _check_one(
    attestation: Attestation,
    settings: Settings,
    verified: Sequence[x509.Certificate],
    now: datetime,
    which: str,
) -> list[Finding]:
    named = _check_name(attestation, settings, now, which)
    if isinstance(attestation, X509):
        return [
            named,
            *check_chain(attestation, verified, which),
            *_dates(attestation, now, which),
        ]

    return [named, await _check_token(attestation, settings, now, which)]


def _check_name(
    attestation: Attestation, settings: Settings, now: datetime, which: str
) -> Finding:
    """Check that the credential is for the registration id."""
    name = f"credential{which}"
    try:
        registration_id = settings.registration_id or attestation.registration_id or ""
        attestation.check(registration_id=registration_id, wall_time=now.timestamp())
    except IdentityMismatchError as error:
        return bad(name, "registration_id_mismatch", error.message, error.hint)
    except CertificateError as error:
        if error.reason not in {"expired", "not_yet_valid"}:  # which is a finding of its own
            return of_error(name, error)

    kind = "certificate" if isinstance(attestation, X509) else "key"
    return good(name, f"{kind} of {registration_id!r}" + ", with its key" * (kind != "key"))


def check_chain(
    attestation: X509, verified: Sequence[x509.Certificate], which: str = ""
) -> Iterator[Finding]:
    """Check that the chain is complete, as far as that can be known here."""
    name, chain = f"chain{which}", attestation.chain
    for remark in attestation.remarks:
        advice = "have a certificate for TLS clients issued; see docs/troubleshooting.md"
        yield bad(f"certificate{which}", "unsuitable", remark, advice)

    top = chain[-1]
    sent = f"{len(chain)} certificate{'s' * (len(chain) > 1)}"
    issuer = text_of(top.issuer)
    if is_root(top):
        yield good(name, f"{sent}, self-signed: for an individual enrollment")
    elif not verified:
        yield not_tried(
            name,
            f"{sent}, up to one issued by {issuer!a}: right only if that CA itself is verified",
            "give the CA that is verified at DPS with --verified-ca to have it checked",
        )
    elif any(each in verified or _issued_by_any(each, verified) for each in chain):
        yield good(name, f"{sent}, up to a CA of --verified-ca")
    else:
        yield _broken(name, top, verified)


def _issued_by_any(certificate: x509.Certificate, cas: Sequence[x509.Certificate]) -> bool:
    return any(issued(certificate, by=ca) for ca in cas)


def _broken(name: str, top: x509.Certificate, verified: Sequence[x509.Certificate]) -> Finding:
    issuer = text_of(top.issuer)
    if any(ca.subject == top.issuer for ca in verified):
        seen = f"{name_of(top)!a} was issued by another CA with the name {issuer!a}"
        return bad(name, "wrong_ca", seen, "verify the CA that issued it at DPS")

    return bad(
        name,
        "missing_intermediate",
        f"the chain ends at {name_of(top)!a}; its issuer {issuer!a} is neither sent nor verified",
        f"append the certificate of {issuer!a} to the file of the device's certificate",
    )


def _dates(attestation: X509, now: datetime, which: str) -> Iterator[Finding]:
    name = f"dates{which}"
    for each in attestation.chain:
        try:
            check_validity(each, now)
        except CertificateError as error:
            yield of_error(name, error)
            return

    ends = min(each.not_valid_after_utc for each in attestation.chain)
    yield good(name, f"valid until {ends:%Y-%m-%d}, {(ends - now).days} days from now")


async def _check_token(
    attestation: Attestation, settings: Settings, now: datetime, which: str
) -> Finding:
    """Sign a token, which goes nowhere."""
    name = f"token{which}"
    if settings.tpm is not None and not which:
        return not_tried(name, "a TPM signs only when the service has sent a challenge")

    if settings.id_scope is None:
        return not_tried(name, "it needs the id scope", "give --id-scope")

    whose = audience(settings.id_scope, str(attestation.registration_id))
    try:
        await attestation.authorization(whose, expires=int(now.timestamp()) + _TOKEN_SECONDS)
    except ProvisioningError as error:
        return of_error(name, error)

    return good(name, f"the key signs, for {whose}")
