"""`aiodps certs`: test certificates."""

from __future__ import annotations

from aiodps.cli.certs.commands import command as command
