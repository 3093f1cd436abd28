"""How much of an answer is taken, in one place. The service's own limit is 96 KB a message."""

from __future__ import annotations

MAX_BODY = 256 * 1024
"""Bytes of an HTTP body; 256 kB is more than twice what the service may send."""
MAX_PACKET = 256 * 1024
"""Bytes of one MQTT packet."""
MAX_HEADER_BYTES = 64 * 1024
"""Bytes of all HTTP response headers together."""
MAX_HEADERS = 200
"""HTTP response headers."""
MAX_INTERIM_RESPONSES = 8
"""HTTP 1xx answers before the real one."""
MAX_TOPIC_BYTES = 1024
"""Bytes of an MQTT topic."""
MAX_TOPIC_PARAMETERS = 16
"""Parameters in the query of an MQTT topic."""
MAX_IGNORED_MESSAGES = 100
"""MQTT messages that are not for us, on one connection, before it counts as a flood."""
MAX_JSON_DEPTH = 32
"""Nesting of a JSON body."""
MAX_REQUEST_PAYLOAD = 96 * 1024
"""Bytes of the custom payload as JSON; the service refuses messages over 96 KB."""
