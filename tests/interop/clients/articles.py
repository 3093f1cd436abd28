"""What Microsoft's articles have a device without any SDK do over MQTT: names, token, steps.

The clients that use it differ in how they speak MQTT.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import time
import urllib.parse
from collections.abc import Callable
from typing import Any, TypeAlias

ANSWERS = "$dps/registrations/res/#"
REGISTER = "$dps/registrations/PUT/iotdps-register/?$rid={rid}"
STATUS = "$dps/registrations/GET/iotdps-get-operationstatus/?$rid={rid}&operationId={operation}"

Ask: TypeAlias = Callable[[str, bytes], tuple[str, bytes]]
"""Publishes at a topic, and returns topic and payload of the answer."""


def user_name() -> str:
    """Name scope, device and version."""
    scope, device = os.environ["DPS_ID_SCOPE"], os.environ["DPS_REGISTRATION_ID"]
    return f"{scope}/registrations/{device}/api-version=2019-03-31"


def password() -> str | None:
    """Make a shared access signature; None for a device with a certificate."""
    key = os.environ.get("DPS_SYMMETRIC_KEY")
    if key is None:
        return None

    scope, device = os.environ["DPS_ID_SCOPE"], os.environ["DPS_REGISTRATION_ID"]
    resource = urllib.parse.quote(f"{scope}/registrations/{device}", safe="")
    expiry = int(time.time()) + 3600
    digest = hmac.digest(base64.b64decode(key), f"{resource}\n{expiry}".encode(), "sha256")
    signature = urllib.parse.quote(base64.b64encode(digest), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn=registration"


def provision(ask: Ask) -> dict[str, Any]:
    """Register, then ask until the operation has ended."""
    body = {"registrationId": os.environ["DPS_REGISTRATION_ID"], "payload": {"colour": "green"}}
    topic, payload = ask(REGISTER.format(rid=1), json.dumps(body).encode())
    rid = 1
    while "/res/202/" in topic:
        rid += 1
        time.sleep(retry_after(topic))
        operation = json.loads(payload)["operationId"]
        topic, payload = ask(STATUS.format(rid=rid, operation=operation), b"")

    answer = json.loads(payload)
    if answer.get("status") != "assigned":
        return {"error": [topic, answer]}

    state = answer["registrationState"]
    return {"status": "assigned", "hub": state["assignedHub"], "device_id": state["deviceId"]}


def retry_after(topic: str) -> float:
    """Read how long to wait."""
    query = urllib.parse.parse_qs(topic.partition("?")[2])
    return float(query.get("retry-after", ["2"])[0])
