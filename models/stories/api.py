"""What clients may ask about stories, declared once for every transport."""

from dataclasses import replace

from models.operation import Once, Operation, Operations, Route, delete, get, post
from models.oversight.schema import ReportStory
from models.pages import PageQuery
from models.stories.operations import Stories
from models.stories.schema import CreateStory, ReactToStory, StoryId, StoryPageQuery

STORIES_PATH = "/api/v1/stories"
STORY = f"{STORIES_PATH}/{{story_id}}"


def _both(route: Route) -> tuple[Route, ...]:
    """Return a route, and the one that it has in the older documents, without a version."""
    return route, replace(route, path=route.path.removeprefix("/api/v1"))


STORIES: Operations[Stories] = (
    Operation(
        name="create_story",
        summary="Publish a story; returns it.",
        call=lambda stories: stories.create,
        request=CreateStory(),
        errors=("story_not_found",),
        once=Once.KEYED,
        routes=_both(post(STORIES_PATH, 201)),
    ),
    Operation(
        name="list_stories",
        summary="Return a page of the stories that the caller may see, newest first.",
        call=lambda stories: stories.feed,
        request=PageQuery(),
        routes=_both(get(STORIES_PATH)),
    ),
    Operation(
        name="get_story",
        summary="Return a story.",
        call=lambda stories: stories.get,
        request=StoryId(),
        errors=("story_not_found",),
        routes=_both(get(STORY)),
    ),
    Operation(
        name="delete_story",
        summary="Delete an own story.",
        call=lambda stories: stories.delete,
        request=StoryId(),
        errors=("story_not_found", "not_the_author"),
        routes=_both(delete(STORY)),
    ),
    Operation(
        name="report_story",
        summary="Report a story to the operators; returns the report.",
        call=lambda stories: stories.report,
        request=ReportStory(),
        errors=("story_not_found",),
        routes=_both(post(f"{STORY}/report")),
    ),
    Operation(
        name="view_story",
        summary="Count the caller's first view; returns it.",
        call=lambda stories: stories.view,
        request=StoryId(),
        errors=("story_not_found",),
        routes=_both(post(f"{STORY}/view")),
    ),
    Operation(
        name="list_story_viewers",
        summary="Return a page of the views of an own story, latest first.",
        call=lambda stories: stories.viewers,
        request=StoryPageQuery(),
        errors=("story_not_found", "not_the_author"),
        command=False,
        routes=_both(get(f"{STORY}/viewers")),
    ),
    Operation(
        name="react",
        summary="Set the caller's reaction; returns it.",
        call=lambda stories: stories.react,
        request=ReactToStory(),
        errors=("story_not_found",),
        routes=_both(post(f"{STORY}/reactions")),
    ),
    Operation(
        name="unreact",
        summary="Take the caller's reaction back.",
        call=lambda stories: stories.unreact,
        request=StoryId(),
        errors=("story_not_found",),
        routes=_both(delete(f"{STORY}/reactions")),
    ),
    Operation(
        name="list_story_reactions",
        summary="Return a page of the reactions to an own story, latest first.",
        call=lambda stories: stories.reactions,
        request=StoryPageQuery(),
        errors=("story_not_found", "not_the_author"),
        command=False,
        routes=_both(get(f"{STORY}/reactions")),
    ),
)
