"""Plain numbers of what passes a transport: cheap enough to be counted always."""


class Traffic:
    """Messages of one kind of connection, both ways, since the process began."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0
