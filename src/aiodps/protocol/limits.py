"""The limits on the size of messages. The service's own limit is 96 KB per message."""

from __future__ import annotations

MAX_BODY = 256 * 1024
"""Bytes of an HTTP response body; more than twice what the service may send."""
MAX_PACKET = 256 * 1024
"""Bytes of an MQTT packet."""
MAX_HEADER_BYTES = 64 * 1024
"""Bytes of all HTTP response headers."""
MAX_HEADERS = 200
"""Number of HTTP response headers."""
MAX_INTERIM_RESPONSES = 8
"""Number of HTTP 1xx responses before the final one."""
MAX_TOPIC_BYTES = 1024
"""Bytes of an MQTT topic."""
MAX_TOPIC_PARAMETERS = 16
"""Number of parameters in the query of an MQTT topic."""
MAX_IGNORED_MESSAGES = 100
"""MQTT packets that belong to no request of ours, before the connection is given up."""
MAX_EMPTY_FRAMES = 1000
"""WebSocket frames without data in a row, such as pings, before the connection is given up."""
MAX_JSON_DEPTH = 32
"""Nesting depth of a JSON body."""
MAX_CSR = 8192
"""Characters of a certificate request in base64; the limit of Microsoft's client in C."""
MAX_CHAIN = 8
"""Certificates of an issued chain; two or three have been seen."""
MAX_REQUEST_PAYLOAD = 96 * 1024
"""Bytes of the custom payload as JSON; the service rejects messages over 96 KB."""
