"""`aiodps keys`: symmetric keys, references to keys in tokens, and the key of a TPM."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import anyio
import click
from rich.text import Text

from aiodps.attestation.files import load_tpm
from aiodps.attestation.key_reference import make_reference
from aiodps.attestation.symmetric_key import read_key
from aiodps.attestation.tpm import registration_id_of
from aiodps.cli.output import Command, err, print_json
from aiodps.errors import ConfigurationError
from aiodps.pki.files import create_file
from aiodps.protocol.identifiers import check_registration_id
from aiodps.tpm.hardware import DEFAULT_TCTI

EPILOG = """\b
Exit codes: 0 done, 2 bad input, 130 Ctrl-C, 143 SIGTERM.
Nothing is overwritten without --force."""

_KEY_BYTES = 64
"""As many as those that the portal makes."""


class KeysGroup(click.Group):
    """The group of the commands, which share their exit codes."""

    command_class: type[click.Command] | None = Command


@click.group(cls=KeysGroup, epilog=EPILOG)
def command() -> None:
    """Make symmetric keys, derive those of devices from a group's, and refer to keys in tokens.

    Symmetric keys are read from files and never from the command line, where other users of the
    machine can see them.
    """


_out_option = click.option(
    "--out",
    metavar="FILE",
    type=Path,
    help="File to write, readable only by you. Default: stdout.",
)
_force_option = click.option("--force", is_flag=True, help="Overwrite --out if it exists.")
_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead."
)


@command.command()
@_out_option
@_force_option
@_json_option
def new(*, out: Path | None, force: bool, as_json: bool) -> None:
    """Make a key of 64 random bytes, for a device or for a group."""
    key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    _deliver(key, out, force=force, as_json=as_json, facts={})


@command.command()
@click.argument("registration_id")
@click.option(
    "--group-key-file", required=True, type=Path, metavar="FILE", envvar="AIODPS_GROUP_KEY_FILE",
    help="Primary or secondary key of the enrollment group, in base64.",
)  # fmt: skip
@_out_option
@_force_option
@_json_option
def derive(
    *, registration_id: str, group_key_file: Path, out: Path | None, force: bool, as_json: bool
) -> None:
    """Derive the key of the device REGISTRATION_ID from that of its enrollment group.

    Derive in the factory: a device that has the group's key can register as any other.
    """
    name = check_registration_id(registration_id)
    key = read_key(group_key_file).derive(name).text()
    _deliver(key, out, force=force, as_json=as_json, facts={"registration_id": name})


@command.command()
@click.argument("uri")
@_out_option
@_force_option
@_json_option
def reference(*, uri: str, out: Path | None, force: bool, as_json: bool) -> None:
    """Make a reference to the private key that a PKCS#11 URI names: a file for --key.

    Example of a URI: 'pkcs11:token=T;object=O;type=private?pin-source=file:/etc/device.pin'.
    """
    if "pin-value=" in uri:
        raise ConfigurationError(
            "the URI has a PIN, which other users of the machine can see on the command line",
            setting="uri",
            hint="write the PIN to a file, and name it: pin-source=file:FILE",
        )

    try:
        pem = make_reference(uri).decode().rstrip("\n")
    except ValueError as exc:
        raise ConfigurationError(
            f"no reference can be made: {exc}",
            setting="uri",
            hint="give one like 'pkcs11:token=T;object=O;type=private'",
        ) from exc

    _deliver(pem, out, force=force, as_json=as_json, facts={}, as_file="private_key")


@command.command()
@click.option(
    "--tpm", default=DEFAULT_TCTI, metavar="TCTI", envvar="AIODPS_TPM",
    help=f"The TPM. Default: {DEFAULT_TCTI}.",
)  # fmt: skip
@click.option(
    "--tpm-owner-auth-file", type=Path, metavar="FILE", envvar="AIODPS_TPM_OWNER_AUTH_FILE",
    help="Password of the TPM's owner, if a key has to be made.",
)  # fmt: skip
@click.option(
    "--tpm-endorsement-auth-file", type=Path, metavar="FILE",
    envvar="AIODPS_TPM_ENDORSEMENT_AUTH_FILE", help="Password of the TPM's endorsement hierarchy.",
)  # fmt: skip
@_json_option
def endorsement(*, tpm: str, as_json: bool, **auth_files: Path | None) -> None:
    """Show the public endorsement key of this machine's TPM, for its enrollment.

    Makes the keys that provisioning uses, if the TPM has none.
    """
    device = anyio.run(load_tpm, tpm, auth_files)
    key = base64.b64encode(device.endorsement_key).decode()
    name = registration_id_of(device.endorsement_key)
    if as_json:
        print_json({"registration_id": name, "endorsement_key": key})
        return

    click.echo(key)
    err.print(Text(f"registration id, unless you give another: {name}", "dim"))


def _deliver(
    key: str,
    out: Path | None,
    *,
    force: bool,
    as_json: bool,
    facts: dict[str, str],
    as_file: str = "symmetric_key_file",
) -> None:
    """Write the key to a file, or print it; `as_file` is the setting for the file."""
    if out is not None:
        _write(out, key, force=force)

    delivered = {"key": key} if out is None else {as_file: str(out)}
    if as_json:
        print_json({**facts, **delivered})
    elif out is None:
        click.echo(key)
    else:
        err.print(Text(f"wrote {out}, readable only by you", "green"))


def _write(path: Path, key: str, *, force: bool) -> None:
    try:
        create_file(path, f"{key}\n".encode(), mode=0o600, overwrite=force)
    except FileExistsError as exc:
        raise ConfigurationError(
            f"the file {str(path)!r} exists already",
            setting="out",
            hint="choose another file, or overwrite it with `--force`",
        ) from exc
    except OSError as exc:
        raise ConfigurationError(
            f"the file {str(path)!r} cannot be written: {exc.strerror}",
            setting="out",
            hint="check the directory and its permissions",
        ) from exc
