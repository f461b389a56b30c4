"""Every address accepts connections.

Asynchronous code: `create()` asks all of them at once, and a task waits until the one it is for answers.
"""

import asyncio

from pydantic import BaseModel, Field

from execloop import Task, plan


class Parameters(BaseModel):
    addresses: list[str] = Field(description="Such as db.example.com:5432")
    patience: float = Field(default=10.0, gt=0, description="Seconds after which no answer is an error")


async def accepts(address: str, seconds: float) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, int(port))
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True


class Await(Task):
    def __init__(self, address: str, patience: float) -> None:
        self.name, self.patience = address, patience

    async def perform(self) -> None:
        async with asyncio.timeout(self.patience):
            while True:
                if await accepts(self.name, self.patience):
                    return
                await asyncio.sleep(0.1)


@plan("endpoints", parameters=Parameters)
class Endpoints:
    """Every address accepts connections."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    async def create(self) -> list[Task]:
        addresses, patience = self.parameters.addresses, self.parameters.patience
        answers = await asyncio.gather(*(accepts(address, patience) for address in addresses))
        return [Await(address, patience) for address, answer in zip(addresses, answers, strict=True) if not answer]
