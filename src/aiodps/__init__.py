"""Provision devices with Azure IoT Hub Device Provisioning Service (DPS)."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aiodps.assignments.cache import AssignmentCache
    from aiodps.assignments.hub_connection import HubConnection
    from aiodps.assignments.reprovision import should_reprovision
    from aiodps.attestation.base import Attestation
    from aiodps.attestation.issuance.key_spec import IssuedKeyType, KeySpec
    from aiodps.attestation.symmetric_key import SymmetricKey
    from aiodps.attestation.tpm import Tpm, TpmDevice
    from aiodps.attestation.x509 import X509
    from aiodps.client import ProvisioningClient, provision, registration_status
    from aiodps.errors import (
        BadRequestError,
        CertificateError,
        ClientCertificateRejectedError,
        ConfigurationError,
        ConflictError,
        ConnectError,
        ConnectionLostError,
        CredentialError,
        DnsError,
        ForbiddenError,
        IdentityMismatchError,
        IssuanceError,
        JournalError,
        MalformedResponseError,
        NotFoundError,
        PrivateKeyError,
        ProtocolError,
        ProvisioningError,
        ProvisioningTimeoutError,
        ProxyError,
        RedirectRefusedError,
        RegistrationDisabledError,
        RegistrationFailedError,
        ResourceError,
        ResponseTooLargeError,
        ServerIdentityError,
        ServiceError,
        ServiceUnavailableError,
        SymmetricKeyError,
        ThrottledError,
        TlsError,
        TlsProtocolError,
        TpmError,
        TransportError,
        TransportTimeoutError,
        UnauthorizedError,
        UnexpectedStatusError,
        UnknownStatusError,
        UntrustedHubError,
        UsageError,
    )
    from aiodps.input_files.reading import InsecureKeyFileWarning
    from aiodps.models import (
        Assignment,
        IssuedCredential,
        Phase,
        RegistrationRecord,
        RegistrationStatus,
        Substatus,
    )
    from aiodps.network.proxy import Proxy
    from aiodps.network.trust import Trust
    from aiodps.observe import Observer, PhaseTimes, Step, StepKind, log_step
    from aiodps.registration.retry import RetryPolicy
    from aiodps.settings import Settings, SettingsArguments
    from aiodps.transports.auto import Auto
    from aiodps.transports.mqtt import MQTT
    from aiodps.transports.rest import REST
    from aiodps.version import __version__

_HOMES: Final = {
    "aiodps.assignments.cache": ("AssignmentCache",),
    "aiodps.assignments.hub_connection": ("HubConnection",),
    "aiodps.assignments.reprovision": ("should_reprovision",),
    "aiodps.attestation.base": ("Attestation",),
    "aiodps.attestation.issuance.key_spec": ("IssuedKeyType", "KeySpec"),
    "aiodps.attestation.symmetric_key": ("SymmetricKey",),
    "aiodps.attestation.tpm": ("Tpm", "TpmDevice"),
    "aiodps.attestation.x509": ("X509",),
    "aiodps.client": ("ProvisioningClient", "provision", "registration_status"),
    "aiodps.input_files.reading": ("InsecureKeyFileWarning",),
    "aiodps.models": (
        "Assignment",
        "IssuedCredential",
        "Phase",
        "RegistrationRecord",
        "RegistrationStatus",
        "Substatus",
    ),
    "aiodps.network.proxy": ("Proxy",),
    "aiodps.network.trust": ("Trust",),
    "aiodps.observe": ("Observer", "PhaseTimes", "Step", "StepKind", "log_step"),
    "aiodps.registration.retry": ("RetryPolicy",),
    "aiodps.settings": ("Settings", "SettingsArguments"),
    "aiodps.transports.auto": ("Auto",),
    "aiodps.transports.mqtt": ("MQTT",),
    "aiodps.transports.rest": ("REST",),
    "aiodps.version": ("__version__",),
}
"""The modules of public names, except for errors. They are imported when first used (PEP 562):
importing all of them takes half a second."""
_HOME: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name, or the module `aiodps.NAME`."""
    if name in __all__:
        home = importlib.import_module(_HOME.get(name, "aiodps.errors"))
        value: object = getattr(home, name)
    elif not name.startswith("_") and importlib.util.find_spec(f"aiodps.{name}") is not None:
        value = importlib.import_module(f"aiodps.{name}")
    else:
        raise AttributeError(f"module 'aiodps' has no attribute {name!r}")

    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "MQTT",
    "REST",
    "X509",
    "Assignment",
    "AssignmentCache",
    "Attestation",
    "Auto",
    "BadRequestError",
    "CertificateError",
    "ClientCertificateRejectedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "ConnectionLostError",
    "CredentialError",
    "DnsError",
    "ForbiddenError",
    "HubConnection",
    "IdentityMismatchError",
    "InsecureKeyFileWarning",
    "IssuanceError",
    "IssuedCredential",
    "IssuedKeyType",
    "JournalError",
    "KeySpec",
    "MalformedResponseError",
    "NotFoundError",
    "Observer",
    "Phase",
    "PhaseTimes",
    "PrivateKeyError",
    "ProtocolError",
    "ProvisioningClient",
    "ProvisioningError",
    "ProvisioningTimeoutError",
    "Proxy",
    "ProxyError",
    "RedirectRefusedError",
    "RegistrationDisabledError",
    "RegistrationFailedError",
    "RegistrationRecord",
    "RegistrationStatus",
    "ResourceError",
    "ResponseTooLargeError",
    "RetryPolicy",
    "ServerIdentityError",
    "ServiceError",
    "ServiceUnavailableError",
    "Settings",
    "SettingsArguments",
    "Step",
    "StepKind",
    "Substatus",
    "SymmetricKey",
    "SymmetricKeyError",
    "ThrottledError",
    "TlsError",
    "TlsProtocolError",
    "Tpm",
    "TpmDevice",
    "TpmError",
    "TransportError",
    "TransportTimeoutError",
    "Trust",
    "UnauthorizedError",
    "UnexpectedStatusError",
    "UnknownStatusError",
    "UntrustedHubError",
    "UsageError",
    "__version__",
    "log_step",
    "provision",
    "registration_status",
    "should_reprovision",
]
