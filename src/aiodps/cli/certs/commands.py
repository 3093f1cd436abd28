"""`aiodps certs`: creates and shows test certificates."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import click

from aiodps.cli.certs.output import show_credential, show_descriptions
from aiodps.cli.output import Command, Option, print_json
from aiodps.errors import CertificateError, ConfigurationError
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import read
from aiodps.input_files.text import read_password
from aiodps.pki import Authority, Credential, KeyType
from aiodps.pki.authority import INTERMEDIATE_DAYS, LEAF_DAYS, ROOT_DAYS, VERIFICATION_DAYS
from aiodps.pki.describe import describe
from aiodps.pki.files import CredentialFiles, read_authority

_PLACEHOLDER = "CODE_FROM_THE_PORTAL"

EPILOG = """\b
NAME_cert.pem    the certificate alone
NAME_key.pem     its private key, readable only by you
NAME_chain.pem   the certificate, then its intermediates, without the root
\b
Exit codes: 0 done, 2 bad input, 130 Ctrl-C, 143 SIGTERM.
Nothing is overwritten without --force."""


class CertsGroup(click.Group):
    """The group of the commands, which share their exit codes."""

    command_class: type[click.Command] | None = Command


@click.group(cls=CertsGroup, epilog=EPILOG)
def command() -> None:
    """Create and show test certificates: CAs, device certificates, proofs of possession.

    NAME is used exactly as given, as the certificate's CN and in file names. PARENT is the NAME
    of a CA whose files are in --out.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """The options that the creating commands share."""

    directory: Path
    force: bool
    as_json: bool
    days: int
    key_type: KeyType = "ec"
    password_file: Path | None = None
    ca_password_file: Path | None = None

    def files(self, name: str) -> CredentialFiles:
        """Return the files of a credential; raises if they exist and must not be overwritten."""
        files = CredentialFiles(directory=self.directory, name=name)
        if not self.force:
            files.check_absent()

        return files

    def issuer(self, parent: str) -> Authority:
        """Read the CA called PARENT.

        Raises:
            ConfigurationError: If there is no such CA in the folder.
        """
        files = CredentialFiles(directory=self.directory, name=parent)
        if not files.certificate.exists():
            raise ConfigurationError(
                f"the folder {str(self.directory)!r} has no CA {parent!r}: there is no file "
                f"{files.certificate.name!r}",
                setting="parent",
                hint="give the folder of the CA with --out: what it issues is written there, too",
            )

        return files.read_authority(password=_password(self.ca_password_file))

    def write(self, files: CredentialFiles, credential: Credential) -> None:
        """Write a credential, with its key encrypted if there is a password."""
        files.write(credential, password=_password(self.password_file), overwrite=self.force)

    def show(
        self,
        credential: Credential,
        uses: Mapping[Path, str],
        next_step: str,
        *,
        issuer: Authority | None = None,
    ) -> None:
        """Show what was created."""
        show_credential(
            credential, uses, issuer=issuer, days=self.days, next_step=next_step,
            as_json=self.as_json,
        )  # fmt: skip


def creation_options(*options: Option) -> Option:
    """Add options, then those of every creating command; in the order of the help."""
    every: tuple[Option, ...] = (
        click.option("--out", "directory", metavar="DIR", type=Path, default=".",
                     help="Folder for the files; those of a PARENT are read from it. Default: ."),
        click.option("--force", is_flag=True, help="Overwrite files that exist."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead."),
    )  # fmt: skip

    def add(function: Callable[..., None]) -> Callable[..., None]:
        return reduce(lambda made, option: option(made), reversed(options + every), function)

    return add


def days_option(days: float) -> Option:
    """Add `--days`."""
    return click.option("--days", type=int, default=int(days), show_default=True, metavar="N",
                        help="Validity; it ends no later than the issuer's.")  # fmt: skip


key_type_option: Option = click.option(
    "--key-type", type=click.Choice(["ec", "rsa"]), default="ec", show_default=True,
    help="EC P-256 or RSA 2048.",
)  # fmt: skip
password_option: Option = click.option(
    "--password-file", metavar="FILE", type=Path,
    help="Encrypt the private key with the password in the first line.",
)  # fmt: skip
ca_password_option: Option = click.option(
    "--ca-password-file", metavar="FILE", type=Path,
    help="Password of the issuer's key, in the first line.",
)  # fmt: skip


@command.command()
@click.argument("name")
@creation_options(key_type_option, days_option(ROOT_DAYS), password_option)
def root(*, name: str, **options: Any) -> None:
    """Create a root CA called NAME."""
    creation = Creation(**options)
    files = creation.files(name)
    credential = Authority.root(name, key_type=creation.key_type, days=creation.days)
    creation.write(files, credential)
    next_step = _line(
        f"aiodps certs verification --nonce {_PLACEHOLDER}",
        *("--ca", files.certificate, "--key", files.private_key),
        *_option("--ca-password-file", creation.password_file),
        *_option("--out", creation.directory),
    )
    uses = {
        files.certificate: "root certificate: add it to the DPS instance (portal: Certificates"
        " > Add), then choose it in an enrollment group",
        files.private_key: "its private key: signs intermediates, devices and verification"
        " codes; it stays with you",
    }
    creation.show(credential, uses, next_step)


@command.command()
@click.argument("name")
@click.argument("parent")
@creation_options(
    key_type_option, days_option(INTERMEDIATE_DAYS), password_option, ca_password_option
)
def intermediate(*, name: str, parent: str, **options: Any) -> None:
    """Create an intermediate CA called NAME, issued by PARENT."""
    creation = Creation(**options)
    files, issuer = creation.files(name), creation.issuer(parent)
    credential = issuer.intermediate(name, key_type=creation.key_type, days=creation.days)
    creation.write(files, credential)
    uses = {
        files.certificate: "intermediate certificate: for an enrollment group of its own"
        " (portal: Enrollment groups > Intermediate certificate)",
        files.private_key: "its private key: signs devices and further intermediates",
        files.chain: "it and the intermediates above: goes into each device's chain",
    }
    next_step = _line(
        "aiodps certs device REGISTRATION_ID",
        *(name, *_option("--ca-password-file", creation.password_file)),
        *_option("--out", creation.directory),
    )
    creation.show(credential, uses, next_step, issuer=issuer)


@command.command()
@click.argument("registration_id")
@click.argument("parent")
@creation_options(key_type_option, days_option(LEAF_DAYS), password_option, ca_password_option)
def device(*, registration_id: str, parent: str, **options: Any) -> None:
    """Create a device certificate, issued by PARENT; its CN is REGISTRATION_ID."""
    creation = Creation(**options)
    files, issuer = creation.files(registration_id), creation.issuer(parent)
    credential = issuer.device(registration_id, key_type=creation.key_type, days=creation.days)
    creation.write(files, credential)
    uses = {
        files.certificate: "device certificate: for an individual enrollment (portal:"
        " Individual enrollments > Primary certificate); groups do not need it",
        files.private_key: "its private key: --key of aiodps provision, key_file of"
        " azure-iot-device's X509",
        files.chain: "certificate and intermediates: --cert of aiodps provision, cert_file of"
        " azure-iot-device's X509",
    }
    next_step = _line(
        "aiodps provision --id-scope ID_SCOPE",
        *("--cert", files.chain, "--key", files.private_key),
        *_option("--key-password-file", creation.password_file),
    )
    creation.show(credential, uses, next_step, issuer=issuer)


@command.command()
@click.option("--ca", required=True, type=Path, metavar="CERT", help="Certificate of the CA.")
@click.option("--key", required=True, type=Path, metavar="KEY", help="Private key of the CA.")
@click.option(
    "--nonce", required=True, metavar="CODE", help="Verification code that the portal generated."
)
@creation_options(days_option(VERIFICATION_DAYS), ca_password_option)
def verification(*, ca: Path, key: Path, nonce: str, **options: Any) -> None:
    """Create a proof of possession of a CA's private key.

    Writes verification_cert.pem, whose CN is CODE, signed by the CA. The certificate's own
    private key is not needed, and is discarded.
    """
    creation = Creation(**options)
    files, password = creation.files("verification"), _password(creation.ca_password_file)
    issuer = read_authority(certificate=ca, private_key=key, password=password)
    credential = issuer.verification(_verification_code(nonce), days=creation.days)
    files.write_certificate(credential, overwrite=creation.force)
    uses = {
        files.certificate: "proof of possession: upload it where the code came from (portal:"
        f" Certificates > {issuer.name} > Verification certificate)"
    }
    next_step = f"upload {files.certificate}, then choose {issuer.name} in an enrollment group"
    creation.show(credential, uses, next_step, issuer=issuer)


def _verification_code(text: str) -> str:
    """Return the code without the spaces that a clipboard adds.

    Published codes are 48 hex digits; the one that Microsoft's article prints has other letters.

    Raises:
        ConfigurationError: If it is not a code, such as the placeholder in our own next step.
    """
    code = text.strip()
    if code and not (code.isascii() and code.isalnum()):
        raise ConfigurationError(
            f"{code!a} is not a verification code, which has letters and digits only",
            setting="nonce",
            hint="copy the code that the portal shows after Generate verification code",
        )

    return code


@command.command()
@click.argument("file", type=Path)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def show(*, file: Path, as_json: bool) -> None:
    """Show each certificate, request and key in FILE (PEM or DER), but no private key itself.

    DPS finds an individual enrollment by the thumbprint, and a group by the issuing CAs.
    """
    origin = Origin.file(file, what="file", kind=CertificateError)
    descriptions = describe(read(origin), now=dt.datetime.now(dt.UTC), origin=origin)
    if as_json:
        contents = [{"kind": each.kind, **each.facts} for each in descriptions]
        print_json({"file": str(file), "contents": contents})
        return

    show_descriptions(descriptions)


def _password(file: Path | None) -> bytes | None:
    return None if file is None else read_password(file)


def _option(name: str, value: Path | None) -> tuple[str | Path, ...]:
    """Return an option for the next step, unless it has its default."""
    return () if value in {None, Path()} else (name, value)


def _line(start: str, *words: str | Path) -> str:
    """Return a command that can be pasted into a shell."""
    return " ".join([start, *(shlex.quote(str(word)) for word in words)])
