"""Tests of the pytest plugin, each in a pytest of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.processes
PAGE = Path(__file__).parents[1] / "docs" / "emulator" / "pytest.md"


def test_the_documented_example_runs(pytester: pytest.Pytester) -> None:
    """What the page tells to paste is a test suite that passes."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    pytester.makepyfile(code)
    result = pytester.runpytest_subprocess("-W", "error")

    result.assert_outcomes(passed=code.count("def test_"))


def test_state_is_fresh_for_each_test(pytester: pytest.Pytester) -> None:
    """What one test enrolls, the next does not find; the CA stays."""
    pytester.makepyfile(
        """
        import pytest

        seen = []

        @pytest.mark.parametrize("_", range(2))
        def test_it(_, dps, dps_ca, dps_device):
            assert dps.call(lambda emulator: len(list(emulator.service.enrollments))) == 0
            dps_device()
            seen.append((dps.ca_pem, dps_ca.certificate_pem))
            if len(seen) == 2:
                (one, ca), (other, same_ca) = seen
                assert one != other
                assert ca == same_ca
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_options_can_be_overridden(pytester: pytest.Pytester) -> None:
    """As pytest overrides fixtures."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def dps_options():
            return {"id_scope": "0ne000A0A0A"}

        def test_it(dps):
            assert dps.id_scope == "0ne000A0A0A"
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_failure_shows_what_was_asked(pytester: pytest.Pytester) -> None:
    """With the emulator's reason; a test that passes shows nothing."""
    pytester.makepyfile(
        """
        import aiodps
        import anyio
        import pytest

        @pytest.mark.parametrize("passes", [True, False])
        def test_it(passes, dps, dps_device):
            device = dps_device("lamp-7", enrolled=False)
            held = aiodps.X509.from_files(device.certificate_file, device.key_file)
            client = aiodps.ProvisioningClient(
                id_scope=dps.id_scope, endpoint=dps.host, port=dps.https_port,
                transport="rest", trust=dps.ca_pem,
            )
            with pytest.raises(aiodps.UnauthorizedError):
                anyio.run(lambda: client.provision(attestation=held))
            assert passes
        """
    )
    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*requests to dps*", "*0.000 s  https 401 register lamp-7 Signing*"]
    )
    assert result.stdout.str().count("requests to dps") == 1


REGISTER = """
import httpx
import ssl


def register(dps, name):
    context = ssl.create_default_context(cafile=dps.ca_file)
    url = f"https://{dps.host}:{dps.https_port}/{dps.id_scope}/registrations/{name}/register"
    with httpx.Client(verify=context, trust_env=False) as client:
        return client.put(url, params={"api-version": "2021-10-01"}, json={}).status_code
"""
"""A client without a credential, which is refused."""


def test_one_for_the_whole_session(pytester: pytest.Pytester) -> None:
    """Its devices do not share ids; the report of a failure shows the requests of that test."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def dps_session_options():
            return {"id_scope": "0ne000A0A0A"}
        """
    )
    pytester.makepyfile(
        REGISTER
        + """
def test_one(dps_session, dps_session_device):
    assert dps_session.id_scope == "0ne000A0A0A"
    assert register(dps_session, dps_session_device().registration_id) == 401

def test_other(dps_session, dps_session_device):
    assert register(dps_session, dps_session_device().registration_id) == 200
"""
    )
    result = pytester.runpytest_subprocess("-W", "error")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*requests to dps*", "*0.000 s  https 401 register device-2 *"])
    result.stdout.no_fnmatch_line("*device-1*")


def test_faults_by_seed_on_every_worker(pytester: pytest.Pytester) -> None:
    """One seed for all, which the header says; the report names the faults."""
    pytester.makepyfile(
        REGISTER
        + """
import pytest

@pytest.mark.parametrize("n", range(4))
def test_it(dps, n, pytestconfig):
    plan = dps.call(lambda emulator: emulator.faults.plan)
    assert (plan.seed, len(plan.rules) > 3) == (pytestconfig.option.dps_seed, True)
    with open("seeds", "a") as file:
        print(plan.seed, file=file)

def test_file(dps):
    assert register(dps, "lamp-7") == 200
"""
    )
    pytester.path.joinpath("faults.toml").write_text("[[rule]]\nstatus = 503\n")
    harsh = pytester.runpytest_subprocess("--dps-faults", "harsh", "-n", "2", "-k", "test_it")
    drawn = set(pytester.path.joinpath("seeds").read_text().split())
    struck = pytester.runpytest_subprocess("--dps-faults", "faults.toml", "-k", "test_file")

    harsh.assert_outcomes(passed=4)
    assert len(drawn) == 1
    harsh.stdout.fnmatch_lines(f"dps: --dps-faults harsh --dps-seed {drawn.pop()}")
    struck.assert_outcomes(failed=1)
    struck.stdout.fnmatch_lines("*https 503 register lamp-7 *[[]fault: rule 1]")


def test_faults_that_are_not_there(pytester: pytest.Pytester) -> None:
    """One line before any test, and not an error in each."""
    none = pytester.runpytest_inprocess("--dps-faults", "harsch")

    assert none.ret is pytest.ExitCode.USAGE_ERROR
    none.stderr.fnmatch_lines("ERROR: --dps-faults: there is no file 'harsch'; give `harsh`, *")


def test_in_unittest(pytester: pytest.Pytester) -> None:
    """By pytest, with the fixtures and what a report shows; and by unittest alone."""
    pytester.makepyfile(
        test_lamps=REGISTER
        + """
import unittest
import aiodps.testing
import pytest

class Lamps(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def use(self, dps, dps_device):
        self.dps, self.make = dps, dps_device

    def test_it(self):
        assert register(self.dps, self.make("lamp-7").registration_id) == 200

class Alone(unittest.TestCase):
    def setUp(self):
        self.dps = self.enterContext(aiodps.testing.running())
        self.make = aiodps.testing.DeviceFactory(self.dps)

    def test_it(self):
        device = self.make("lamp-7", chain=True, group=True)
        assert device.certificate_file.exists()
        assert register(self.dps, "lamp-7") == 401
"""
    )
    result = pytester.runpytest_subprocess("-W", "error")
    alone = pytester.run(sys.executable, "-m", "unittest", "test_lamps.Alone")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("*https 401 register lamp-7 *")
    assert alone.ret == 0


def test_a_suite_that_does_not_use_it_pays_nothing(pytester: pytest.Pytester) -> None:
    """Neither the package is imported nor anything of its dependencies."""
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert not {"aiodps", "httpx", "OpenSSL", "cryptography"} & set(sys.modules)
        """
    )
    arguments = ("-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:anyio")

    assert pytester.run(sys.executable, *arguments).ret == 0


@pytest.mark.parametrize("missing", ["OpenSSL", "starlette", "jinja2"])
def test_without_the_extra_it_says_what_to_install(
    pytester: pytest.Pytester, missing: str
) -> None:
    """The tests that use it fail with a hint in one line, without a traceback; others run."""
    pytester.makeconftest(f"import sys; sys.modules[{missing!r}] = None")
    pytester.makepyfile("def test_it(dps): pass\ndef test_other(): pass")
    result = pytester.runpytest_subprocess()

    result.assert_outcomes(errors=1, passed=1)
    hint = "the emulator needs more packages: pip install 'aiodps[[]emulator]'*"
    result.stdout.fnmatch_lines(hint)
    result.stdout.no_fnmatch_line("*listener.py*")
