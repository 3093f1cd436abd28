"""`Origin`: where data that a person gave comes from, and which error its faults are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

from aiodps.errors import ConfigurationError, CredentialError, ProvisioningError
from aiodps.key_text import HIDDEN, is_content, is_key

ErrorKind: TypeAlias = type[CredentialError] | str
"""`CertificateError` or `PrivateKeyError`; for a `ConfigurationError` the name of its setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where data comes from; its string is the subject of messages, like "the CA file 'a.pem'"."""

    what: str
    """What it is: "certificate", "payload file"."""
    kind: ErrorKind
    path: Path | None = None
    """The file; None if the data was given itself."""

    @classmethod
    def file(cls, path: str | os.PathLike[str], *, what: str, kind: ErrorKind) -> Self:
        """Return the origin of a file.

        Raises:
            ProvisioningError: Of the kind, if the path is not a path, such as a key itself.
        """
        text = os.fspath(path)
        if text and not is_content(text):
            known = path if isinstance(path, Path) else Path(text)
            return cls(what=what, kind=kind, path=known)

        fault = "is not a path: it is empty" if not text else "is not a path, but content"
        raise cls(what=what, kind=kind).error(
            fault,
            reason="not_a_path",
            hint="write the content to a file, and give the path of the file",
        )

    @property
    def shown_path(self) -> str | None:
        """The path for messages; None if there is none, or if it may be a key or a password."""
        if self.path is None:
            return None

        name = str(self.path)
        secret = may_be_secret(name, what=self.what)
        return None if secret and not os.path.lexists(name) else name

    def __str__(self) -> str:
        """Return the subject of a message."""
        if self.path is None:
            return f"the {self.what}"

        path = self.shown_path
        return f"the {self.what} {HIDDEN if path is None else repr(path)}"

    def error(self, fault: str, *, reason: str, hint: str | None = None) -> ProvisioningError:
        """Return an error about this data.

        Args:
            fault: What is wrong: the message without its subject.
            reason: The reason of a `CredentialError`.
            hint: The next step; None for the default of the error.
        """
        message = f"{self} {fault}"
        if isinstance(self.kind, str):
            return ConfigurationError(message, setting=self.kind, hint=hint)

        return self.kind(message, reason=reason, hint=hint)


def may_be_secret(name: str, *, what: str) -> bool:
    """Whether the name of a file may be a key; or a password, if a file of one was to be given."""
    return is_key(name) or ("password" in what and not any(mark in name for mark in "./\\"))
