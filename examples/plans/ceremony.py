"""Plans for the demo: one that fails twice before it succeeds, one that never does."""

from pydantic import BaseModel, Field

from execloop import Context, Task, plan, task

attempts: dict[str, int] = {}


class Rotation(BaseModel):
    failures: int = Field(default=2, ge=0)
    """How often the key server refuses."""


@plan("rotate-key", parameters=Rotation)
def rotate_key(parameters: Rotation, context: Context) -> list[Task]:
    """A key that has to be rotated; the server which does it is moody."""
    done = attempts.get(context.uid, 0)

    def rotate() -> None:
        attempts[context.uid] = done + 1
        if done < parameters.failures:
            raise ConnectionError("the key server does not answer")
        context.logger.info("rotated at attempt %d", done + 1)

    return [] if done > parameters.failures else [task("rotate the key", rotate)]


@plan("unlock-door")
def unlock_door(_parameters: object, _context: Context) -> list[Task]:
    """A door that stays locked whatever one does."""

    def unlock() -> None:
        raise PermissionError("the door is locked")

    return [task("unlock the door", unlock)]
