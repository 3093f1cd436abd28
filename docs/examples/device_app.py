"""The program of a device: find the hub, work, and find it again if the hub refuses.

    AIODPS_ID_SCOPE=0ne00012ABC AIODPS_CERTIFICATE=chain.pem AIODPS_PRIVATE_KEY=key.pem \
        python device_app.py /var/lib/press

Everything else of aiodps may come from the environment as well. SIGTERM ends it at once.
"""

import asyncio
import logging
import random
import signal
import sys

import aiodps
import aiomqtt

log = logging.getLogger("press")

FOR_A_PERSON = (aiodps.ConfigurationError, aiodps.CredentialError, aiodps.UsageError)
"""Errors that no second try cures."""


async def find_hub(cache: aiodps.AssignmentCache, *, force: bool) -> aiodps.Assignment:
    """Return the assignment, from the cache if it is there; try until it is known."""
    while True:
        try:
            return await aiodps.provision(cache=cache, force=force, timeout=300)
        except FOR_A_PERSON:
            raise
        except aiodps.ProvisioningError as error:
            log.warning("not assigned: %s", error)
            await asyncio.sleep(random.uniform(60, 600))  # noqa: S311 (spreads a fleet)


async def work(assignment: aiodps.Assignment) -> None:
    """Stands for what the device does at its hub; see `hub_message.py`."""
    log.info("working at %s as %s", assignment.assigned_hub, assignment.device_id)


async def main(folder: str) -> None:
    """Work, and register anew if the hub does not know the device any more."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    cache = aiodps.AssignmentCache(folder)
    force = False
    while True:
        assignment = await find_hub(cache, force=force)
        try:
            return await work(assignment)
        except aiomqtt.MqttError as error:  # or what your client of the hub raises
            force = aiodps.should_reprovision(error)
            log.warning("the hub refused: %s", error)
            await asyncio.sleep(10)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    asyncio.run(main(sys.argv[1]))
