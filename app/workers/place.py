"""Which worker of how many a process is, and what of the server's settings is its own."""

from dataclasses import dataclass, replace
from pathlib import Path

from app.settings import Settings
from app.workers.link import Link


@dataclass(frozen=True, slots=True)
class Place:
    """The place of one worker among the others of its supervisor."""

    number: int
    """From 1."""

    count: int

    folder: Path
    """Has the workers' sockets; nobody but the server's own user may look into it."""

    link: Link
    """Leads to the supervisor."""

    def own_settings(self, settings: Settings) -> Settings:
        """Return the settings of this worker, made of those of the whole server.

        Workers share the memory for what waits. Only the first one serves gRPC, whose port is one;
        each has a port of its own for metrics, since each counts for itself.
        """
        return replace(
            settings,
            process_name=f"{settings.process_name}#{self.number}",
            grpc_port=settings.grpc_port if self.number == 1 else 0,
            metrics_port=settings.metrics_port and settings.metrics_port + self.number - 1,
            memory_budget_bytes=settings.memory_budget_bytes // self.count,
        )
