"""Where a raw client is among the events: what it sends as `?since=` and receives as `cursor`."""


class Cursor:
    """The cursor of one connection.

    Until the client has got what it has missed, the rooms that its connection enters are only
    noted, and the frames that it is sent have the cursor with which it came.
    """

    __slots__ = ("rooms", "since", "told")

    def __init__(self, since: str) -> None:
        """`since` is the cursor that the client has named, or empty."""
        self.since = since
        self.rooms: dict[str, None] | None = {}
        """Those that are noted; None when the client has caught up."""

        self.told = ""
        """What the heartbeat has seen last."""
