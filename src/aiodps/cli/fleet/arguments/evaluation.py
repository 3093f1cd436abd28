"""Options that say how the results of a run are evaluated, and written for CI systems."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from aiodps.errors import ConfigurationError
from aiodps.fleet.ci.junit import write_junit
from aiodps.fleet.ci.markdown import append_markdown
from aiodps.fleet.plan.evaluation import Evaluation
from aiodps.fleet.report.summary import Summary
from aiodps.fleet.report.thresholds import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationArguments:
    """The options as given on the command line; None if not given."""

    warm_up: float | None = None
    cool_down: float | None = None
    fail_if: str | None = None
    allow_limited: bool | None = None
    abort_on_fail: bool | None = None
    junit: Path | None = None
    markdown: Path | None = None

    @classmethod
    def taken_from(cls, arguments: dict[str, Any]) -> Self:
        """Take the options out of all arguments of a command, which may lack some."""
        return cls(
            **{field.name: arguments.pop(field.name, None) for field in dataclasses.fields(cls)}
        )

    def evaluation(self, before: Evaluation, *, transports: Collection[str]) -> Evaluation:
        """Return an evaluation with the options that are given, and the others as before.

        Raises:
            ConfigurationError: If a value cannot be used.
        """
        given = {
            field.name: value
            for field in dataclasses.fields(Evaluation)
            if (value := getattr(self, field.name, None)) is not None
        }
        evaluation = dataclasses.replace(before, **given)
        if evaluation.fail_if is not None:
            parse(evaluation.fail_if, transports=transports)
        elif self.junit is not None:
            raise ConfigurationError(
                "--junit has nothing to write without thresholds",
                setting="junit",
                hint="give --fail-if, too",
            )

        return evaluation

    def export(self, summary: Summary, *, name: str) -> None:
        """Write the files that are asked for.

        Raises:
            ConfigurationError: If one cannot be written.
        """
        for path, write in ((self.junit, write_junit), (self.markdown, append_markdown)):
            if path is None:
                continue

            try:
                write(path, summary, name=name)
            except OSError as exc:
                raise ConfigurationError(
                    f"{str(path)!r} cannot be written: {exc.strerror}",
                    setting="junit" if path is self.junit else "markdown",
                    hint="give a file that you have write access to, with `aiodps fleet report`",
                ) from exc
