"""How devices and services speak to the emulator: HTTP, MQTT, WebSocket."""
