"""What is run before a change lands: `nox`; and what is slower, each in a session of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nox

nox.options.sessions = ["plan", "lint", "types", "tests"]
nox.options.default_venv_backend = "uv|virtualenv"  # `pip install "nox[uv]"` saves a minute
nox.options.error_on_missing_interpreters = False
nox.needs_version = ">=2025.5"

PYPROJECT = nox.project.load_toml("pyproject.toml")
ENVIRONMENTS = Path("tests/interop/environments")
PYTHONS = ["3.11", "3.12", "3.13"]
SPREAD = ("-n", "auto", "--dist", "worksteal")
"""Options of pytest: a process for each core, and who has nothing left to do takes from others."""
BYTECODE = {"PYTHONDONTWRITEBYTECODE": None}
"""Environment in which Python keeps what it compiled: hundreds of processes import the same."""
MINUTES = {
    "lint": "a few seconds",
    "types": "1 minute",
    "tests": "4 minutes",
}
"""What the default sessions take on two quiet cores, packages downloaded before."""

GITHUB = Path(".github")
FORMS = {
    "github-workflows": [
        *(str(path) for path in sorted(GITHUB.glob("workflows/*.yml"))),
        "docs/examples/github-actions.yml",
    ],
    "compose-spec": ["docs/examples/container/compose.yaml"],
    "github-issue-forms": [str(path) for path in sorted(GITHUB.glob("ISSUE_TEMPLATE/[!c]*.yml"))],
    "github-issue-config": [str(GITHUB / "ISSUE_TEMPLATE" / "config.yml")],
}
"""Files that GitHub and others read, by their schema."""


def group(name: str) -> list[str]:
    """Name the packages of a dependency group."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


@nox.session(python=False)
def plan(session: nox.Session) -> None:
    """What `nox` will do, and how long that takes on two quiet cores."""
    for name, takes in MINUTES.items():
        session.log(f"{name}: {str(globals()[name].__doc__).splitlines()[0]} ({takes})")

    session.log("while you write, `nox -s unit`: the quick tests, without sockets (half a minute)")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, spelling, and the schemas of workflows and forms."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    for schema, files in FORMS.items():
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The documentation site, into build/site: no warning, no dead link between pages."""
    session.install(".[fleet,otel]", *group("docs"))
    strict = ("-q", "-j", "auto", "-W", "--keep-going", "-c", "docs")
    session.run("sphinx-build", *strict, "-d", "build/doctrees", ".", "build/site")


@nox.session(default=False)
def man(session: nox.Session) -> None:
    """A man page for each command, into build/man."""
    session.install(".[fleet]", "click-man>=0.6")
    session.run("python", "docs/make_man_pages.py", "build/man")


@nox.session
def types(session: nox.Session) -> None:
    """Strict type checks, and whether a user's checker finds a type for every public name."""
    session.install(".[all]", *group("types"))
    session.run("mypy")
    session.run("pyright", "--verifytypes", "aiodps", "--ignoreexternal")


@nox.session
def tests(session: nox.Session) -> None:
    """The suite against the built package; all branches of registration and protocol."""
    session.install(".[all]", *group("test"))
    if session.posargs:
        session.run("pytest", *session.posargs)
        return

    core = ("tests/registration", "tests/protocol")
    session.run("coverage", "run", "-m", "pytest", "-q", *core, env=BYTECODE)
    measured = "--include=*/aiodps/registration/*,*/aiodps/protocol/*"
    session.run("coverage", "report", measured, "--fail-under=100")
    session.run("pytest", *SPREAD, *(f"--ignore={each}" for each in core), env=BYTECODE)


@nox.session(default=False)
def unit(session: nox.Session) -> None:
    """The quick tests: they open no socket and start no process; half a minute or so."""
    session.install(".[all]", *group("test"))
    quick = ("-m", "not sockets and not slow")
    session.run("pytest", *SPREAD, *quick, *session.posargs, env=BYTECODE)


@nox.session(default=False)
def processes(session: nox.Session) -> None:
    """Tests that start many processes, and simulations of thousands of devices."""
    session.install(".[all]", *group("test"))
    slow = ("-m", "processes or simulation")
    session.run("pytest", *SPREAD, *slow, *session.posargs, env=BYTECODE)


@nox.session(python=PYTHONS, default=False)
def matrix(session: nox.Session) -> None:
    """The suite on each Python that is installed."""
    session.install(".[all]", *group("test"))
    session.run("pytest", *(session.posargs or SPREAD), env=BYTECODE)


@nox.session(default=False)
def lowest(session: nox.Session) -> None:
    """The demo and the tests of transports and network, with the oldest declared versions."""
    session.install("uv")
    session.run(
        "uv", "pip", "install", "--resolution", "lowest-direct", *(".[all]", "--group", "test")
    )
    session.run("aiodps", "demo")
    session.run("pytest", *SPREAD, *(session.posargs or ("tests/transports", "tests/network")))


@nox.session(venv_backend="virtualenv", default=False)
def httpx2(session: nox.Session) -> None:
    """REST on httpx2, the successor of httpx, imported under its name (docs/design/0023)."""
    session.install(".[all]", *group("test"), "httpx2")
    session.run("python", "-m", "pip", "uninstall", "-y", "-q", "httpx", "httpcore")
    alias = "import sys, httpx2, pytest; sys.modules['httpx'] = httpx2; sys.exit(pytest.main())"
    tests = ("tests/transports/test_http_connection.py", "tests/transports/test_rest.py")
    session.run("python", "-c", alias, *tests, "tests/protocol/test_rest.py", *session.posargs)


@nox.session(default=False)
def interop(session: nox.Session) -> None:
    """Real third-party clients against the emulator, in environments of their own."""
    session.install(".[all]", *group("test"))
    npm = [] if shutil.which("npm") else ["nodejs", "npm"]
    debian_packages(session, ENVIRONMENTS / "debian" / "packages", *npm)
    home = Path(session.create_tmp()).resolve()
    for requirements in sorted(ENVIRONMENTS.glob("*.txt")):
        environment = home / requirements.stem
        session.run("python", "-m", "venv", "--clear", str(environment), silent=True)
        install = ("-m", "pip", "install", "-q", "-r", str(requirements))
        session.run(str(environment / "bin" / "python"), *install, external=True)

    npm_packages(session, ENVIRONMENTS / "node")
    env = {"INTEROP_ENVIRONMENTS": str(home)}
    session.run(
        "pytest", *(session.posargs or ["tests/interop", "-m", "interop or not interop"]), env=env
    )


def npm_packages(session: nox.Session, listed_in: Path) -> Path:
    """Install what a package.json lists, and return the folder, which is named as its own."""
    node = Path(session.create_tmp()).resolve() / listed_in.name
    node.mkdir(exist_ok=True)
    shutil.copy(listed_in / "package.json", node)
    options = ("--no-package-lock", "--silent", "--prefix", str(node))
    session.run("npm", "install", *options, external=True)
    return node


def debian_packages(session: nox.Session, listed_in: Path, *more: str) -> None:
    """Install what comes from Debian, unless it is here."""
    names = [*listed_in.read_text().split(), *more]
    show = ("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *names)
    listed = session.run(*show, silent=True, external=True, success_codes=[0, 1])
    if all(f"{name} installed" in str(listed) for name in names):
        return

    session.run("apt-get", "install", "-y", "-qq", *names, external=True)


@nox.session(default=False)
def swtpm(session: nox.Session) -> None:
    """TPM attestation with a simulated TPM; tpm2-pytss is compiled, which takes a minute."""
    debian_packages(session, Path("tests/tpm/debian-packages"))
    session.install(".[all,tpm]", *group("test"))
    session.run("pytest", "tests/tpm", "-m", "swtpm", *session.posargs)


@nox.session(default=False)
def network(session: nox.Session) -> None:
    """Paths through networks and proxies, in network namespaces; the fault matrix; as root."""
    debian_packages(session, Path("tests/paths/debian-packages"))
    session.install(".[all]", *group("test"))
    if session.posargs:
        session.run("pytest", "-m", "network", *session.posargs)
        return

    networks = "tests/paths/test_networks.py"
    others = ("tests/paths", "tests/reliability", f"--ignore={networks}")
    session.run("pytest", *SPREAD, "-m", "network", *others)
    session.run("pytest", "-m", "network", "-s", networks)


@nox.session(python="3.11", venv_backend="virtualenv", default=False)
def container(session: nox.Session) -> None:
    """The image of docs/examples/container, built without a container engine; as root.

    The Python is that of the base, a Debian that is made once, in build/container; with that,
    it takes ten minutes.
    """
    debian_packages(session, Path("tests/containers/debian-packages"))
    session.install(".[all]", *group("test"))
    work = Path("build/container").resolve()
    if not (work / "debian").is_dir():
        python = "--include=python3,python3-venv"
        new = work / "new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        session.run(
            "debootstrap", "--variant=minbase", python, "bookworm", str(new), external=True
        )
        new.rename(work / "debian")

    shutil.rmtree(work / "wheels", ignore_errors=True)
    session.run("pip", "wheel", "-q", "-w", str(work / "wheels"), ".[emulator,cli]")
    env = {"AIODPS_CONTAINER": str(work)}
    session.install("mypy", "testcontainers")
    session.run("mypy", "--strict", "docs/examples/container/dps_container.py")
    session.run("pytest", "-m", "container", *session.posargs, env=env)


@nox.session(default=False)
def scale(session: nox.Session) -> None:
    """Thousands of devices against an emulator in another process."""
    session.install(".[all]", *group("test"))
    session.run("pytest", "-m", "scale", "-s", *session.posargs)


@nox.session(default=False)
def cluster(session: nox.Session) -> None:
    """The fleet on a Dask cluster of real processes, on loopback."""
    session.install(".[all]", *group("test"))
    session.run("pytest", "-m", "cluster", *session.posargs)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """The emulator's page and the fleet's report in a headless Chromium (Debian's packages)."""
    if not shutil.which("chromedriver") or not shutil.which("npm"):
        session.error(
            "install chromium, chromedriver and npm first"
            " (Debian: chromium, chromium-driver, nodejs, npm)"
        )

    session.install(".[all]", *group("test"), *group("browser"))
    node = npm_packages(session, Path("tests/browser"))
    env = {"AIODPS_AXE": str(node / "node_modules" / "axe-core" / "axe.min.js")}
    session.run("pytest", "-m", "browser", *session.posargs, env=env)


@nox.session(default=False)
def pkcs11(session: nox.Session) -> None:
    """Keys in a token of SoftHSM2, which OpenSSL's provider pkcs11 uses (Debian's packages)."""
    show = ("openssl", "list", "-providers", "-provider", "pkcs11")
    shown = session.run(*show, silent=True, external=True, success_codes=[0, 1])
    if not shutil.which("softhsm2-util") or "PKCS#11 Provider" not in str(shown):
        session.error(
            "install softhsm2 and pkcs11-provider first (packages of Debian 13; Debian 12 has"
            " pkcs11-provider in bookworm-backports alone)"
        )

    session.install(".[all]", *group("test"))
    # OpenSSL reads it when Python starts; no test can set it.
    env = {"OPENSSL_CONF": str(Path("tests/tokens.cnf").resolve())}
    session.run("pytest", "-m", "pkcs11", *session.posargs, env=env)


@nox.session(default=False)
def kills(session: nox.Session) -> None:
    """The emulator with --state, and the cache, killed hundreds of times while they write."""
    session.install(".[all]", *group("test"))
    session.run(
        "pytest",
        *(f"tests/reliability/test_kill_{what}.py" for what in ("emulator", "cache")),
        *("-m", "processes"),
        *session.posargs,
        env={"AIODPS_KILLS": "300"},
    )


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Properties and parsers with 400 times as many examples, and a million hostile messages."""
    session.install(".[all]", *group("test"))
    each = 1_000_000 // 3 + 1  # of three kinds
    plenty = {
        "HYPOTHESIS_PROFILE": "fuzz",
        "AIODPS_HOSTILE": str(each),
        "AIODPS_HOSTILE_CONNECTIONS": "20000",
    }
    session.run("pytest", *SPREAD, "-k", "any_bytes or law or fuzz", *session.posargs, env=plenty)


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """The files of a release, in dist: built twice and compared, checked, and installed."""
    session.install(*group("release"))
    once, again = Path("dist"), Path(session.create_tmp()) / "again"
    for folder in (once, again):
        shutil.rmtree(folder, ignore_errors=True)
        session.run("python", "-m", "build", "--outdir", str(folder), silent=True)

    for built in once.iterdir():
        if built.read_bytes() != (again / built.name).read_bytes():
            session.error(f"{built.name} is not reproducible")

    session.run("twine", "check", "--strict", *map(str, once.iterdir()))
    (wheel,) = once.glob("*.whl")
    fresh = f"{session.create_tmp()}/fresh"
    session.run("python", "-m", "venv", "--clear", fresh, silent=True)
    session.run(f"{fresh}/bin/pip", "install", "-q", f"{wheel}[all]", external=True)
    session.run(f"{fresh}/bin/aiodps", "demo", external=True)
    materials = ("--pyproject", "pyproject.toml", "--output-reproducible", "--of", "JSON")
    sbom = str(once / f"{wheel.stem}.cdx.json")
    session.run("cyclonedx-py", "environment", *materials, "-o", sbom, f"{fresh}/bin/python")


@nox.session(default=False, python="3.11")
def costs(session: nox.Session) -> None:
    """Calls, system calls and instructions of a device: no more than is recorded.

    With the libraries of the record: that there is a newer one is not a fault of a change.
    """
    debian_packages(session, Path("benchmarks/debian-packages"))
    recorded = json.loads(Path("benchmarks/costs.json").read_text("utf-8"))["libraries"]
    session.install(".[all]", *(f"{name}=={version}" for name, version in recorded.items()))
    session.run("python", "-m", "benchmarks.costs", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Benchmarks of aiodps, of other clients and of the emulator, and the page of the results.

    Waits until the machine is quiet, and refuses if it does not become so. Hours: it says how many
    minutes each table takes; `nox -s bench -- --table rsa --rounds 5` makes one.
    """
    npm = [] if shutil.which("npm") else ["nodejs", "npm"]
    debian_packages(session, Path("benchmarks/programs"), *npm)
    session.install(".[all]", "psutil", "opentelemetry-sdk")
    session.run("python", "-m", "benchmarks.environments")
    words = session.posargs or ["--table", "all"]
    publish = ("--out", "benchmarks/results")
    session.run("python", "-m", "benchmarks.register", *publish, *words)
    if not session.posargs:
        session.run("python", "-m", "benchmarks.telemetry")
        session.run("python", "-m", "benchmarks.sampled", *publish)
        session.run("python", "-m", "benchmarks.emulator", *publish)

    session.run("python", "-m", "benchmarks.page")
