"""A suite whose product uses azure-iot-device: `pip install azure-iot-device pytest`."""

from pathlib import Path

from azure.iot.device import ProvisioningDeviceClient


def test_a_lamp_finds_its_hub(dps):
    """The client connects to port 8883 always, which is the emulator's default."""
    client = ProvisioningDeviceClient.create_from_symmetric_key(
        provisioning_host=dps["host"],
        id_scope=dps["id_scope"],
        registration_id="lamp-7",
        symmetric_key=dps["key"],
        server_verification_cert=Path(dps["ca_file"]).read_text(),
    )

    assert client.register().registration_state.assigned_hub == dps["hub"]
