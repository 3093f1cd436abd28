"""A web service that provisions devices which cannot do it themselves, with FastAPI.

    pip install fastapi uvicorn aiodps
    AIODPS_ID_SCOPE=0ne00012ABC GROUP_KEY_FILE=line-4.key uvicorn onboarding_service:app

    curl -X POST http://127.0.0.1:8000/devices/lamp-7 --json '{"model": "T-1"}'

Whoever can reach it can register any device of the group: put it behind your own authentication.
"""

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import aiodps

app = FastAPI(title="Onboarding")
client = aiodps.ProvisioningClient(timeout=30)  # holds no connection, and is never closed
group_key = Path(os.environ["GROUP_KEY_FILE"]).read_text(encoding="utf-8")


@app.post("/devices/{registration_id}")
async def onboard(
    registration_id: str, payload: dict[str, Any] | None = None
) -> aiodps.Assignment:
    """Register a device of the group, and return its hub."""
    key = aiodps.SymmetricKey.derive(group_key=group_key, registration_id=registration_id)
    return await client.provision(attestation=key, payload=payload)


@app.exception_handler(aiodps.ProvisioningError)
async def explain(_: Request, error: aiodps.ProvisioningError) -> JSONResponse:
    """Answer with the error, which contains no secret, and with a status that fits."""
    match error:
        case aiodps.ConfigurationError():
            status = 422
        case aiodps.UsageError():  # the same device, twice at a time
            status = 409
        case aiodps.ThrottledError() | aiodps.ProvisioningTimeoutError():
            status = 503
        case _:
            status = 502

    return JSONResponse(error.facts(), status_code=status)
