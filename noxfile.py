"""What is run before a change lands: `nox`; and what is slower, each in a session of its own."""

from __future__ import annotations

import shutil

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = False
nox.needs_version = ">=2025.5"

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = ["3.11", "3.12", "3.13"]


def group(name: str) -> list[str]:
    """Name the packages of a dependency group."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


@nox.session
def lint(session: nox.Session) -> None:
    """Style and form."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, strictly."""
    session.install(".[all]", *group("types"))
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """The suite against the built package, and the coverage of machine and protocol."""
    session.install(".[all]", *group("test"))
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    if session.posargs:
        return

    session.run(
        "coverage",
        "report",
        "--include=*/aiodps/registration/*,*/aiodps/protocol/*",
        "--fail-under=100",
    )


@nox.session(python=PYTHONS, default=False)
def matrix(session: nox.Session) -> None:
    """The suite on every Python that is here."""
    session.install(".[all]", *group("test"))
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def interop(session: nox.Session) -> None:
    """Real third-party clients against the emulator, in environments of their own."""
    session.install(".[all]", *group("test"))
    azure = session.create_tmp() + "/azure-iot-device"
    session.run("python", "-m", "venv", azure, silent=True)
    python = f"{azure}/bin/python"
    session.run(python, "-m", "pip", "install", "-q", "azure-iot-device==2.14.0", external=True)
    session.run(
        "pytest", "-m", "interop", *session.posargs, env={"AZURE_IOT_DEVICE_PYTHON": python}
    )


@nox.session(default=False)
def scale(session: nox.Session) -> None:
    """Thousands of devices against an emulator in another process."""
    session.install(".[all]", *group("test"))
    session.run("pytest", "-m", "scale", "-s", *session.posargs)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """The emulator's page and the fleet's report in a headless Chromium (Debian's packages)."""
    if not shutil.which("chromedriver"):
        session.error(
            "install chromium and chromedriver first (Debian: chromium, chromium-driver)"
        )

    session.install(".[all]", *group("test"), *group("browser"))
    session.run("pytest", "-m", "browser", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """The properties and parsers with a hundred times as many examples."""
    session.install(".[all]", *group("test"))
    session.run("pytest", "-k", "any_bytes or laws or fuzz", env={"HYPOTHESIS_PROFILE": "fuzz"})


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """What a device costs, side by side with the libraries used plainly."""
    session.install(".[all]")
    session.run("python", "-m", "benchmarks.register", *session.posargs)
