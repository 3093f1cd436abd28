"""Provision devices with Azure IoT Hub Device Provisioning Service (DPS)."""
