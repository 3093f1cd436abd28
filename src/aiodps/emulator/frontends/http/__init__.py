"""HTTPS and MQTT over WebSocket, as devices and administrators speak them."""
