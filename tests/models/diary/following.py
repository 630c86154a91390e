"""A client that keeps what it was told, as the contract of versions says."""

import random


class Follower:
    """Of each object the state with the highest version, whatever order news come in."""

    def __init__(self, kind: str, items: list[dict]) -> None:
        self._kind = kind
        self._states = {item["id"]: (item["version"], item) for item in items}

    def hear(self, told: list[dict]) -> None:
        """Take in the data of events in any order."""
        told = [*told]
        random.Random(len(told)).shuffle(told)
        for data in told:
            item = data.get(self._kind)
            key, version = (item["id"], item["version"]) if item else (data["id"], data["version"])
            if version >= self._states.get(key, (0,))[0]:
                self._states[key] = (version, item)

    def items(self) -> dict[str, dict]:
        return {key: item for key, (_, item) in self._states.items() if item is not None}
