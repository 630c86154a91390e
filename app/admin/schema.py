"""What operators send."""

from marshmallow import validate

from models.accounts.admission import SignUpMode
from models.fields import Input, Text, WholeNumber
from models.oversight.schema import DISMISSED, REMOVED

NAME_MAX = 254
"""Characters of an e-mail address (RFC 5321)."""

NOTICE_MAX = 500
USES_MAX = 10_000


class UserQuery(Input):
    """An account by its id, public id or e-mail: `user`."""

    user = Text(NAME_MAX, required=True)


class Notice(Input):
    """The notice: `text`."""

    text = Text(NOTICE_MAX, required=True, validate=validate.Length(min=1))


class SignUps(Input):
    """Who may make an account: `mode`."""

    mode = Text(20, required=True, validate=validate.OneOf([mode.value for mode in SignUpMode]))


class NewInvite(Input):
    """For how many accounts an invitation is good: `uses`."""

    uses = WholeNumber(load_default=1, validate=validate.Range(1, USES_MAX))


class Decision(Input):
    """What becomes of what was reported: `status`."""

    status = Text(20, required=True, validate=validate.OneOf((REMOVED, DISMISSED)))
