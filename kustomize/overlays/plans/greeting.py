from pydantic import BaseModel

from execloop import Context, Task, plan, task


class Parameters(BaseModel):
    text: str = "Hello"


@plan("greeting", parameters=Parameters)
async def greeting(parameters: Parameters, context: Context) -> list[Task]:
    """A ConfigMap has this text."""
    wanted = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": context.name},
        "data": {"text": parameters.text},
    }
    found = await context.kube.get("v1", "ConfigMap", context.name)
    if found and found["data"] == wanted["data"]:
        return []

    async def write() -> None:
        await context.kube.apply(wanted)

    return [task("write the greeting", write)]
