"""The names of rooms. Every room string in the project is made here."""


def user_room(account_id: str) -> str:
    """All connections of one account."""
    return f"user:{account_id}"


def public_stories_room() -> str:
    """Everyone who may see public stories: every connected account."""
    return "stories:public"


def conversation_room(conversation_id: str) -> str:
    """Every connection that joined a channel, or a conversation, by name."""
    return f"conversation:{conversation_id}"


def direct_room(conversation_id: str, account_id: str) -> str:
    """Every connection of one party that joined a conversation or channel by name.

    Each party has a room of its own, so that either can receive what the other does not.
    """
    return f"{conversation_room(conversation_id)}@{account_id}"


def book_room(product_id: str, size: str) -> str:
    """Everyone who follows the bids and asks for a product in one size."""
    return f"book:{product_id}:{size}"
