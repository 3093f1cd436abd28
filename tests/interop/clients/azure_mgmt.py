"""Proves possession of a CA with Microsoft's azure-mgmt-iothubprovisioningservices, 1.1 or 2.1.

    python azure_mgmt.py 1|2

What it needs is in the variables DPS_*; it prints one line of JSON: what it saw at each step. The
proof is issued with openssl.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azure.core import MatchConditions  # type: ignore[import-not-found]
from azure.core.credentials import AccessToken  # type: ignore[import-not-found]
from azure.core.exceptions import HttpResponseError  # type: ignore[import-not-found]
from azure.mgmt.iothubprovisioningservices import (  # type: ignore[import-not-found]
    IotDpsClient,
    models,
)

CA, KEY = os.environ["DPS_GROUP_CERTIFICATE_FILE"], os.environ["DPS_GROUP_KEY_FILE"]
WHERE = {"resource_group_name": "group-1", "provisioning_service_name": "dps-1"}
NAME = {"certificate_name": "my-root"}


class OwnersKey:
    """A credential that nobody asks Entra for: the emulator's own bearer token."""

    def get_token(self, *_scopes: str, **_more: Any) -> Any:
        """Return a token."""
        return AccessToken(os.environ["DPS_BEARER_TOKEN"], int(time.time()) + 3600)


def proof(code: str) -> bytes:
    """Issue the certificate whose CN is the code, as the articles do."""
    with tempfile.TemporaryDirectory() as directory:
        request, certificate = f"{directory}/request", f"{directory}/certificate"
        subject = ("-subj", f"/CN={code}", "-newkey", "rsa:2048", "-nodes")
        made = ("openssl", "req", "-new", *subject, "-keyout", os.devnull, "-out", request)
        subprocess.run(made, check=True, capture_output=True)
        issuer = ("-CA", CA, "-CAkey", KEY, "-set_serial", "1", "-days", "1")
        signed = ("openssl", "x509", "-req", "-in", request, *issuer, "-out", certificate)
        subprocess.run(signed, check=True, capture_output=True)
        return Path(certificate).read_bytes()


def status(call: Callable[[], Any]) -> int:
    """Return the status of a call that must fail."""
    try:
        call()
    except HttpResponseError as error:
        return int(error.status_code)

    return 200


def body(version: str, pem: bytes) -> Any:
    """Write the certificate to upload."""
    if version == "1":
        return models.CertificateBodyDescription(certificate=base64.b64encode(pem).decode())

    return models.CertificateResponse(properties=models.CertificateProperties(certificate=pem))


def match(version: str, etag: str) -> dict[str, Any]:
    """Say which state of the certificate is meant."""
    if version == "1":
        return {"if_match": etag}

    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def story(version: str) -> dict[str, Any]:
    """Go through what the owner of a CA does."""
    client = IotDpsClient(
        OwnersKey(),
        "00000000-0000-0000-0000-000000000000",
        base_url=f"https://{os.environ['DPS_HOST']}:{os.environ['DPS_HTTPS_PORT']}",
        connection_verify=os.environ["DPS_CA_FILE"],
        retry_total=0,
    )
    calls = client.dps_certificate
    upload = body(version, Path(CA).read_bytes())
    made = calls.create_or_update(**WHERE, **NAME, certificate_description=upload)
    seen: dict[str, Any] = {"subject": made.properties.subject}
    seen["verified at first"] = made.properties.is_verified
    seen["has dates"] = made.properties.created <= made.properties.updated < made.properties.expiry

    coded = calls.generate_verification_code(**WHERE, **NAME, **match(version, made.etag))
    wrong, right = (
        models.VerificationCodeRequest(certificate=base64.b64encode(proof(code)).decode())
        for code in ("another-code", coded.properties.verification_code)
    )
    etag = match(version, coded.etag)
    seen["wrong proof"] = status(
        lambda: calls.verify_certificate(**WHERE, **NAME, request=wrong, **etag)
    )
    proved = calls.verify_certificate(**WHERE, **NAME, request=right, **etag)
    seen["verified"] = proved.properties.is_verified
    seen["listed"] = sorted(each.name for each in calls.list(**WHERE).value)
    seen["got"] = calls.get(**WHERE, **NAME).properties.is_verified

    late = match(version, made.etag)
    seen["deleted too late"] = status(lambda: calls.delete(**WHERE, **NAME, **late))
    calls.delete(**WHERE, **NAME, **match(version, proved.etag))
    seen["deleted"] = status(lambda: calls.get(**WHERE, **NAME))
    return seen


if __name__ == "__main__":
    print(json.dumps(story(sys.argv[1])))  # noqa: T201 (its answer)
