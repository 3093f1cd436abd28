"""The devices of the demo are what their enrollments say."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from aiodps.attestation.symmetric_key import SymmetricKey
from aiodps.attestation.tpm import Tpm
from aiodps.attestation.x509 import X509
from aiodps.cli.demo_devices import DemoDevices
from aiodps.emulator.service.enrollments.store import read_enrollments


def test_devices_and_enrollments(tmp_path: Path) -> None:
    """Each can be loaded from its files, and belongs to one enrollment or group."""
    demo = DemoDevices.make(tmp_path)
    enrolled = {each.id for each in read_enrollments(json.dumps(demo.enrollments()).encode())}
    kinds = [type(each.attestation()) for each in demo.devices]

    assert kinds == [X509] * 6 + [SymmetricKey] * 4
    assert enrolled == {
        *("individual-rest", "individual-mqtt", "key-rest", "key-mqtt"),
        *("root", "intermediate", "group-key"),
    }
    keys = [*tmp_path.glob("*.key"), *tmp_path.glob("*_key.pem")]
    assert {stat.S_IMODE(each.stat().st_mode) for each in keys} == {0o600}


def test_a_device_with_a_tpm(tmp_path: Path) -> None:
    """One more, whose enrollment has the key of its TPM."""
    demo = DemoDevices.make(tmp_path, tpm=True)
    device = demo.devices[-1]

    assert len(demo.devices) == 11
    assert isinstance(device.attestation(), Tpm)
    assert device.attestation().registration_id == "tpm-rest"
    assert "tpm-rest" in {each.get("registrationId") for each in demo.enrollments()}


def test_devices_that_ask_for_certificates(tmp_path: Path) -> None:
    """Two more, whose enrollments have a policy."""
    demo = DemoDevices.make(tmp_path, issue=True)
    policies = {
        each["registrationId"]: each["certificatePolicyName"]
        for each in demo.enrollments()
        if "certificatePolicyName" in each
    }

    assert len(demo.devices) == 12
    assert policies == {"issued-rest": "demo-policy", "issued-mqtt": "demo-policy"}
    read_enrollments(json.dumps(demo.enrollments()).encode())
