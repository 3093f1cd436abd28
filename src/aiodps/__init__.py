"""Provision devices with Azure IoT Hub Device Provisioning Service (DPS)."""

from __future__ import annotations

from aiodps.assignments.cache import AssignmentCache
from aiodps.assignments.hub_connection import HubConnection
from aiodps.assignments.reprovision import should_reprovision
from aiodps.attestation.base import Attestation
from aiodps.attestation.issuance.request import IssuedKeyType, KeySpec
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
