"""The least that any operator does: list the Plans, and one status PATCH each, ten at a time. Then it waits.

python floor.py SERVER NAMESPACE, with the token in $TOKEN
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import aiohttp

READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Converged",
    "message": "no tasks remain",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
PATCH = json.dumps({"status": {"observedGeneration": 1, "conditions": [READY]}})
AT_ONCE = 10


async def main(server: str, namespace: str) -> None:
    plans = f"{server}/apis/execloop.dev/v1alpha1/namespaces/{namespace}/plans"
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/merge-patch+json"}
    connector = aiohttp.TCPConnector(ssl=False)  # trust costs something once a connection, and nothing here
    gate = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def write(name: str) -> None:
            async with gate, session.patch(f"{plans}/{name}/status", data=PATCH) as response:
                response.raise_for_status()
                await response.read()

        async with session.get(plans) as response:
            names = [item["metadata"]["name"] for item in (await response.json())["items"]]
        await asyncio.gather(*map(write, names))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
