"""What a report may say."""

from marshmallow import validate

from models.fields import Input, Text, id_field
from models.pages import PageQuery

REASONS = ("spam", "harassment", "violence", "sexual", "illegal", "other")
MAX_NOTE = 500
"""Characters: what is wrong with it, in a few sentences."""

MESSAGE = "message"
STORY = "story"

OPEN = "open"
REMOVED = "removed"
DISMISSED = "dismissed"
STATUSES = (OPEN, REMOVED, DISMISSED)


class _Report(Input):
    reason = Text(20, required=True, validate=validate.OneOf(REASONS))
    note = Text(MAX_NOTE, load_default=None, allow_none=True)


class ReportMessage(_Report):
    """A message and what is wrong with it: `message_id`, `reason`, `note`."""

    message_id = id_field(required=True)


class ReportStory(_Report):
    """A story and what is wrong with it: `story_id`, `reason`, `note`."""

    story_id = id_field(required=True)


class ReportsQuery(PageQuery):
    """A page of reports: `status`, `after`, `limit`."""

    status = Text(20, load_default=OPEN, validate=validate.OneOf(STATUSES))
