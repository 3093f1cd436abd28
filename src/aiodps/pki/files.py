"""Credential files: their names and modes; none is overwritten by mistake.

NAME_cert.pem    the certificate alone
NAME_key.pem     its private key, PKCS#8, mode 0600 from the start
NAME_chain.pem   the certificate, then its intermediates, without the root; not made for roots
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiodps.errors import CertificateError, ConfigurationError, PrivateKeyError
from aiodps.input_files.certificates import load_certificates
from aiodps.input_files.origin import Origin
from aiodps.input_files.private_keys import find_key
from aiodps.input_files.reading import read
from aiodps.pki.authority import Authority
from aiodps.pki.credential import Credential, is_root
from aiodps.pki.names import check_file_name


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFiles:
    """The files of one credential."""

    directory: Path
    """Created when something is written, with its parents."""
    name: str
    """Prefix of the file names."""

    def __post_init__(self) -> None:
        """Refuse names that lead to another directory.

        Raises:
            ConfigurationError: If the name is not a file name.
        """
        check_file_name(self.name)

    @property
    def certificate(self) -> Path:
        """The certificate alone."""
        return self.directory / f"{self.name}_cert.pem"

    @property
    def private_key(self) -> Path:
        """The private key."""
        return self.directory / f"{self.name}_key.pem"

    @property
    def chain(self) -> Path:
        """The certificate and its intermediates."""
        return self.directory / f"{self.name}_chain.pem"

    def check_absent(self) -> None:
        """Check that no file of this name exists, before a key is generated.

        Raises:
            ConfigurationError: If one exists.
        """
        for path in (self.certificate, self.private_key, self.chain):
            if os.path.lexists(path):
                raise _exists(path)

    def write(
        self, credential: Credential, *, password: bytes | None = None, overwrite: bool = False
    ) -> list[Path]:
        """Write a credential; return the files made: certificate, private key, chain if any.

        Args:
            credential: What to write.
            password: Encrypts the private key; None leaves it readable to its owner.
            overwrite: Replace files that exist, each in one step, whatever their modes were.

        Raises:
            ConfigurationError: If a file exists, or cannot be written.
        """
        if not overwrite:
            self.check_absent()

        if password is None:
            key_pem = credential.private_key_pem
        else:
            key_pem = credential.encrypted_key_pem(password=password)

        contents = {self.private_key: key_pem, self.certificate: credential.certificate_pem}
        if not is_root(credential.certificate):
            contents[self.chain] = credential.chain_pem

        self._create(contents, overwrite=overwrite)
        if overwrite and self.chain not in contents:
            self.chain.unlink(missing_ok=True)

        return sorted(contents, key=[self.certificate, self.private_key, self.chain].index)

    def write_certificate(self, credential: Credential, *, overwrite: bool = False) -> list[Path]:
        """Write the certificate alone.

        Raises:
            ConfigurationError: If the file exists, or cannot be written.
        """
        self._create({self.certificate: credential.certificate_pem}, overwrite=overwrite)
        return [self.certificate]

    def read_authority(self, *, password: bytes | None = None) -> Authority:
        """Read a CA back, with the intermediates above it.

        Args:
            password: Opens the private key; None if it is not encrypted.

        Raises:
            CertificateError: If the certificate cannot be read, or is not a CA's.
            PrivateKeyError: If the private key cannot be read, or belongs to another certificate.
        """
        certificate = self.chain if os.path.lexists(self.chain) else self.certificate
        return read_authority(
            certificate=certificate, private_key=self.private_key, password=password
        )

    def _create(self, contents: Mapping[Path, bytes], *, overwrite: bool) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for path, data in contents.items():
                mode = 0o600 if path == self.private_key else 0o644
                create_file(path, data, mode=mode, overwrite=overwrite)
        except FileExistsError as exc:
            raise _exists(Path(exc.filename)) from exc
        except OSError as exc:
            raise ConfigurationError(
                f"{str(self.directory)!r} cannot be written to: {exc.strerror}",
                setting="out",
                hint="give a writable directory",
            ) from exc


def read_authority(
    *, certificate: Path, private_key: Path, password: bytes | None = None, again: bool = False
) -> Authority:
    """Read a CA from two files, in PEM or DER.

    Args:
        certificate: The CA's certificate, and the intermediates above it, if any.
        private_key: The CA's private key.
        password: Opens the private key; None if it is not encrypted.
        again: Whether the files will be read again, which a pipe cannot be.

    Raises:
        CertificateError: If the certificate cannot be read, or is not a CA's.
        PrivateKeyError: If the private key cannot be read, or belongs to another certificate.
    """
    of_ca = Origin.file(certificate, what="CA certificate file", kind=CertificateError)
    of_key = Origin.file(private_key, what="CA key file", kind=PrivateKeyError)
    certificates = load_certificates(read(of_ca, again=again), of_ca)
    key = find_key(read(of_key, again=again), of_key).open(password)
    own = next((each for each in certificates if each.public_key() == key.public_key()), None)
    first = own or certificates[0]
    above = (each for each in certificates if each != first and not is_root(each))
    return Authority(certificate=first, private_key=key, intermediates=tuple(above))


def create_file(path: Path, data: bytes, *, mode: int, overwrite: bool) -> None:
    """Create a file with its mode; an existing one is replaced atomically, or an error.

    Raises:
        FileExistsError: If it exists, and must not be overwritten.
        OSError: If it cannot be written.
    """
    target = path.with_name(f".{path.name}.{secrets.token_hex(4)}") if overwrite else path
    try:
        with open(target, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as stream:
            stream.write(data)

        if overwrite:
            target.replace(path)
    except FileExistsError:
        raise
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _exists(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"the file {str(path)!r} exists already",
        setting="out",
        hint="choose another name or directory, or overwrite it with `--force`",
    )
