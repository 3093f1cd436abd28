"""The kinds of keys for issued certificates; `test_request.py` makes each of them."""

from __future__ import annotations

import pytest

from aiodps import KeySpec, errors


@pytest.mark.parametrize("bad", ["p521", "", None, 256])
def test_a_kind_of_key_that_there_is_not(bad: object) -> None:
    """The kinds that there are stand in the hint."""
    with pytest.raises(errors.ConfigurationError) as caught:
        KeySpec(bad)  # type: ignore[arg-type]  # that is the point

    assert caught.value.setting == "issue"
    assert "p256, p384, rsa2048" in caught.value.hint
