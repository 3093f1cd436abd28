"""Name and keys of an instance: made once, kept if anything is, has been replaced in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography import x509
from tests.emulator.dict_store import DictStore

from aiodps.emulator.azure_api.access_policies import AccessPolicy, Right
from aiodps.emulator.identity import KEPT_CA_DAYS, InstanceIdentity
from aiodps.emulator.state.store import Kind, MemoryStore, Store
from aiodps.errors import ConfigurationError
from aiodps.pki import Authority


def load_or_create(store: Store, **more: Any) -> InstanceIdentity:
    """Settle an instance."""
    options: Mapping[str, Any] = {
        "durable": True,
        "id_scope": None,
        "service_key": None,
        "access_policies": (),
        "server_names": ("localhost",),
    }
    return InstanceIdentity.load_or_create(store, **{**options, **more})


def days_left(certificate: x509.Certificate) -> float:
    """Say how long a certificate is good for."""
    return (certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)) / dt.timedelta(days=1)


def test_what_was_made_once_stays() -> None:
    """Clients go on trusting the CA, and administrators' keys go on working."""
    store = DictStore()
    first = load_or_create(store, id_scope="0neFFF")
    second = load_or_create(store, server_names=("localhost", "dps.example"))

    assert second.id_scope == "0neFFF"
    assert second.authority.certificate == first.authority.certificate
    assert second.owner == first.owner
    assert second.server.private_key_pem == first.server.private_key_pem
    names = second.server.certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert "dps.example" in names.value.get_values_for_type(x509.DNSName)
    second.server.certificate.verify_directly_issued_by(first.authority.certificate)


def test_without_a_store_all_is_new_and_short_lived() -> None:
    """Seven days for what nobody keeps, with the id scope of the documentation."""
    one, other = (load_or_create(MemoryStore(), durable=False) for _ in range(2))

    assert one.authority.certificate != other.authority.certificate
    assert one.owner != other.owner
    assert days_left(one.authority.certificate) <= 7
    assert one.id_scope == "0ne00000000"


def test_another_id_scope_than_that_of_the_store_is_refused() -> None:
    """Any casing of it is the same one."""
    store = DictStore()
    load_or_create(store, id_scope="0neABC")

    assert load_or_create(store, id_scope="0NEabc").id_scope == "0neABC"
    with pytest.raises(ConfigurationError, match=r"'0neABC', not '0neXYZ'") as caught:
        load_or_create(store, id_scope="0neXYZ")

    assert caught.value.setting == "id_scope"


@pytest.mark.parametrize("id_scope", ["", "a/b", "0ne\n", "0n\N{SNOWMAN}", "x" * 129])
def test_an_id_scope_that_no_path_can_hold_is_refused(id_scope: str) -> None:
    """No device could ever name it."""
    with pytest.raises(ConfigurationError, match="is not an id scope"):
        load_or_create(DictStore(), id_scope=id_scope)


def test_a_ca_near_its_end_is_made_anew(caplog: pytest.LogCaptureFixture) -> None:
    """Before clients find out, and said aloud, because they must trust the new one."""
    store = DictStore()
    load_or_create(store)
    old = Authority.root("old", days=6)
    pair = {
        "certificate": old.certificate_pem.decode(),
        "private_key": old.private_key_pem.decode(),
    }
    store.put(Kind.INSTANCE, "authority", lambda: pair)
    renewed = load_or_create(store)

    assert days_left(renewed.authority.certificate) == pytest.approx(KEPT_CA_DAYS, abs=0.1)
    assert "has been replaced" in caplog.text
    assert load_or_create(store).authority.certificate == renewed.authority.certificate


def test_a_key_that_is_given_counts_and_stays() -> None:
    """The other key of the owner is not touched by that."""
    store = DictStore()
    before = load_or_create(store).owner
    given = load_or_create(store, service_key="YWJj").owner

    assert (given.primary_key, given.secondary_key) == ("YWJj", before.secondary_key)
    assert load_or_create(store).owner == given


def test_policies_keep_their_keys() -> None:
    """Their rights are those of the last start; a policy that comes with keys has these."""
    store = DictStore()
    before = load_or_create(
        store, access_policies=["Reader=EnrollmentRead", "other=EnrollmentRead"]
    )
    given = AccessPolicy.create("other")
    after = load_or_create(store, access_policies=["reader=ServiceConfig", given])

    assert after.policies[1].primary_key == before.policies[1].primary_key
    assert after.policies[1].secondary_key == before.policies[1].secondary_key
    assert after.policies[1].rights == {Right.SERVICE_CONFIG}
    assert after.policies[2] == given


def test_secrets_are_in_no_text() -> None:
    """Neither keys of TLS nor of the service API."""
    instance = load_or_create(MemoryStore())

    assert instance.owner.primary_key not in repr(instance)
    assert "private_key" not in repr(instance)
