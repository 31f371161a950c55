"""The errors Dateline raises on purpose.

    DatelineError               something an operator can act on; its text is one sentence
    ├── UsageError              wrong command line, configuration or input file (exit code 2)
    ├── Unavailable             a broker, database or channel is away: wait and try again
    ├── PartitionsLost          the group gave our partitions to another member: drop the batch
    ├── LogChanged              the log is not the one we were reading: stop, never skip
    ├── PoisonStorm             record after record fails: stop, leave them where they are
    └── BadRecord               this record can never be handled: make it a dead letter

Anything else that escapes a stage is treated as the record's fault (see `stream.stage`).
"""

from __future__ import annotations


class DatelineError(Exception):
    """Base of all deliberate errors. Its text says what was expected, what came, what to do."""


class UsageError(DatelineError):
    """The command line, the configuration or a file given by the user is wrong."""


class Unavailable(DatelineError):
    """A dependency does not answer now; the same call may succeed later."""


class PartitionsLost(DatelineError):
    """A commit came too late: the partitions belong to another member of the group."""


class LogChanged(DatelineError):
    """The log was recreated or shortened since our position was saved."""


class PoisonStorm(DatelineError):
    """Every record fails: it is the stage or its surroundings, so the records stay unread."""


class BadRecord(DatelineError):
    """The record cannot be decoded or breaks a rule of its schema."""
