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
    result.stdout.fnmatch_lines(["*requests to dps*", "https 401 register lamp-7 Signing*"])
    assert result.stdout.str().count("requests to dps") == 1


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
