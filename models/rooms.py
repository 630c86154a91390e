"""The names of rooms. Every room string in the project is made here."""


def user_room(account_id: str) -> str:
    """All connections of one account."""
    return f"user:{account_id}"


def public_stories_room() -> str:
    """Everyone who may see public stories: every connected account."""
    return "stories:public"
