"""MQTT 3.1.1, as devices speak it."""
