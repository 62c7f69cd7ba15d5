"""Commands to devices in the ledger. See `cloud.diagnostics.values.CommandStore`."""

import sqlalchemy as sa

from cloud.diagnostics.values import OPEN, Answered, Asked, CommandRow, Key
from cloud.ledger.base import Part, pack, unpack
from cloud.ledger.commands_tables import command
from cloud.ledger.records import MachineRow
from cloud.ledger.tables import machine as machines


class Commands(Part):
    """What was asked of devices, by whom, and what came of it."""

    def command_add(self, asked: Asked) -> CommandRow:
        """See `CommandStore.command_add`."""
        with self._db.writing() as connection:
            self._get(connection, machines, MachineRow, asked.machine)
            row = CommandRow(
                **pack(asked),
                id=self._new_id(),
                recorded_ns=self._clock(),
                version=1,
                state="queued",
                status=None,
                text=None,
                result={},
                answered_ns=None,
                heard_ns=None,
            )
            connection.execute(sa.insert(command).values(pack(row)))
            subject = ("machine", row.machine, row.machine)
            detail = {"command": row.id, "op": row.op, "args": row.args}
            self._log(
                connection,
                subject,
                "asked",
                at_ns=row.recorded_ns,
                actor=row.actor,
                detail=detail,
            )
        return row

    def command(self, command_id: str) -> CommandRow:
        """See `CommandStore.command`."""
        with self._db.reading() as connection:
            return self._get(connection, command, CommandRow, command_id)

    def commands(
        self, *, machine: str, after: Key | None = None, limit: int = 100
    ) -> tuple[list[CommandRow], Key | None]:
        """See `CommandStore.commands`."""
        query = sa.select(command).where(command.c.machine == machine)
        return self._page(query, CommandRow, command.c.id, after, limit)

    def commands_open(self) -> list[CommandRow]:
        """See `CommandStore.commands_open`."""
        query = sa.select(command).where(command.c.state.in_(OPEN)).order_by(command.c.id)
        with self._db.reading() as connection:
            return [unpack(CommandRow, row) for row in connection.execute(query)]

    def commands_answered(self, answers: list[Answered]) -> int:
        """See `CommandStore.commands_answered`."""
        changed = 0
        with self._db.writing() as connection:
            for answer in answers:
                late = (command.c.state == "expired") & command.c.status.is_(None)
                newer = command.c.state.in_(OPEN if answer.state != "accepted" else ("queued",))
                done = connection.execute(
                    sa.update(command)
                    .where(command.c.id == answer.id, command.c.device == answer.device)
                    .where(newer | late if answer.state != "accepted" else newer)
                    .values(
                        version=command.c.version + 1,
                        state=answer.state,
                        status=answer.status,
                        text=answer.text,
                        result=answer.result,
                        answered_ns=answer.at_ns,
                        heard_ns=answer.heard_ns,
                    )
                )
                changed += done.rowcount
        return changed

    def command_expire(self, command_id: str, text: str) -> None:
        """See `CommandStore.command_expire`."""
        with self._db.writing() as connection:
            connection.execute(
                sa.update(command)
                .where(command.c.id == command_id, command.c.state.in_(OPEN))
                .values(version=command.c.version + 1, state="expired", status=None, text=text)
            )
