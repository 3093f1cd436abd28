"""Completion of options and arguments that are files or folders, as their metavar says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

_KINDS: Final = {
    "FILE": "file",
    "CERT": "file",
    "KEY": "file",
    "PART...": "file",
    "A... -- B...": "file",
    "DIR": "dir",
}
"""What shells complete, by the metavar of the value."""


class _Completed(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """A type whose values are completed by the shell."""

    def __init__(self, inner: Any, kind: str) -> None:
        self._inner = inner
        self._kind = kind
        self.name = inner.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert as the type itself does."""
        return self._inner.convert(value, param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 (click's)
        param: click.Parameter,  # noqa: ARG002 (idem)
        incomplete: str,
    ) -> list[CompletionItem]:
        """Leave it to the shell, which knows the files."""
        return [CompletionItem(incomplete, type=self._kind)]


def complete_files(parameters: Iterable[click.Parameter]) -> None:
    """Have the shell complete the values of the parameters that are files or folders."""
    for parameter in parameters:
        kind = _KINDS.get(parameter.metavar or parameter.human_readable_name)
        if kind is not None and parameter.nargs in {1, -1}:
            parameter.type = _Completed(parameter.type, kind)
