"""The demo's plans for the operator: one that fails twice before it succeeds, and one that never does."""

from pydantic import BaseModel, Field

from execloop import Context, Task, plan, task

attempts: dict[str, int] = {}


class Rotation(BaseModel):
    failures: int = Field(default=2, ge=0)
    """How often the key server refuses."""


@plan("rotate-key", parameters=Rotation)
def rotate_key(parameters: Rotation, context: Context) -> list[Task]:
    """Rotate a key. Its server fails a few times first."""
    done = attempts.get(context.uid, 0)

    def rotate() -> None:
        attempts[context.uid] = done + 1
        if done < parameters.failures:
            raise ConnectionError("the key server does not answer")
        context.logger.info("rotated at attempt %d", done + 1)

    return [] if done > parameters.failures else [task("rotate the key", rotate)]


@plan("copy-backup")
def copy_backup(_parameters: object, _context: Context) -> list[Task]:
    """Copy a backup to a disk that is full."""

    def copy() -> None:
        raise OSError("no space left on the backup disk")

    return [task("copy the backup", copy)]
