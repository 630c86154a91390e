"""What clients may ask about the diary, declared once for every transport.

What belongs to another account does not exist: `…_not_found`.
"""

from functools import partial

from models.diary.entries import schema as entries_schema
from models.diary.goals import schema as goals_schema
from models.diary.motivation.schema import KeyedMotivation
from models.diary.operations import Diary
from models.diary.summary.schema import SummaryQuery
from models.diary.tasks import schema as tasks_schema
from models.diary.views import GoalView
from models.fields import NoFields
from models.identity import Identity
from models.operation import Once, Operation, Operations, delete, get, patch, post, put
from models.pages import PageQuery

ROOT = "/api/v1/diary"
ENTRIES = f"{ROOT}/entries"
ENTRY = f"{ENTRIES}/{{entry_id}}"
TASKS = f"{ROOT}/tasks"
TASK = f"{TASKS}/{{task_id}}"
GOALS = f"{ROOT}/goals"
GOAL = f"{GOALS}/{{goal_id}}"
MOTIVATIONS = f"{ROOT}/motivations"

ANSWER_BYTES = 900_000
"""Less than what may wait for one client by default: a longer answer would end its connection."""


async def _remove_member(diary: Diary, caller: Identity, goal_id: str, member: str) -> GoalView:
    return await diary.goals.unshare(caller, goal_id, members=[member])


DIARY: Operations[Diary] = (
    Operation(
        name="create_entry",
        summary="Write an entry; returns it.",
        call=lambda diary: diary.entries.create,
        request=entries_schema.CreateEntry(),
        errors=(
            "entry_deleted",
            "too_many_entries",
            "account_not_found",
        ),
        once=Once.KEYED,
        routes=(post(ENTRIES, 201),),
    ),
    Operation(
        name="list_entries",
        summary="Return a page of one's entries.",
        call=lambda diary: diary.entries.list,
        request=entries_schema.ListEntries(),
        errors=("answer_too_long",),
        routes=(get(ENTRIES),),
    ),
    Operation(
        name="search_entries",
        summary="Find one's entries by their text.",
        call=lambda diary: diary.entries.search,
        request=entries_schema.SearchEntries(),
        errors=("answer_too_long",),
        routes=(get(f"{ENTRIES}/search"),),
    ),
    Operation(
        name="list_tags",
        summary="Return the tags of one's newest 2,000 entries, each with the number that have it.",
        call=lambda diary: diary.entries.tags,
        request=NoFields(),
        routes=(get(f"{ROOT}/tags"),),
    ),
    Operation(
        name="get_entry",
        summary="Return an own entry.",
        call=lambda diary: diary.entries.get,
        request=entries_schema.EntryId(),
        errors=("entry_not_found",),
        routes=(get(ENTRY),),
    ),
    Operation(
        name="update_entry",
        summary="Change an own entry; returns it.",
        call=lambda diary: diary.entries.update,
        request=entries_schema.UpdateEntry(),
        errors=("entry_not_found",),
        routes=(patch(ENTRY),),
    ),
    Operation(
        name="delete_entry",
        summary="Delete an own entry.",
        call=lambda diary: diary.entries.delete,
        request=entries_schema.DeleteEntry(),
        errors=("entry_not_found",),
        routes=(delete(ENTRY),),
    ),
    Operation(
        name="create_task",
        summary="Plan a task; returns it.",
        call=lambda diary: diary.tasks.create,
        request=tasks_schema.CreateTask(),
        errors=(
            "task_deleted",
            "too_many_tasks",
            "account_not_found",
        ),
        once=Once.KEYED,
        routes=(post(TASKS, 201),),
    ),
    Operation(
        name="list_tasks",
        summary="Return a page of one's tasks.",
        call=lambda diary: diary.tasks.list,
        request=tasks_schema.ListTasks(),
        errors=(
            "answer_too_long",
            "account_not_found",
        ),
        routes=(get(TASKS),),
    ),
    Operation(
        name="get_task",
        summary="Return an own task.",
        call=lambda diary: diary.tasks.get,
        request=tasks_schema.TaskId(),
        errors=("task_not_found",),
        routes=(get(TASK),),
    ),
    Operation(
        name="update_task",
        summary="Change an own task; returns it.",
        call=lambda diary: diary.tasks.update,
        request=tasks_schema.UpdateTask(),
        errors=(
            "task_not_found",
            "account_not_found",
        ),
        routes=(patch(TASK),),
    ),
    Operation(
        name="delete_task",
        summary="Delete an own task.",
        call=lambda diary: diary.tasks.delete,
        request=tasks_schema.DeleteTask(),
        errors=("task_not_found",),
        routes=(delete(TASK),),
    ),
    Operation(
        name="complete_task",
        summary="Complete an occurrence of an own task; returns the task.",
        call=lambda diary: diary.tasks.complete,
        request=tasks_schema.CompleteTask(),
        errors=(
            "task_not_found",
            "not_due_then",
            "account_not_found",
        ),
        routes=(post(f"{TASK}/complete"),),
    ),
    Operation(
        name="reopen_task",
        summary="Take the latest completion of an own task back; returns the task.",
        call=lambda diary: diary.tasks.reopen,
        request=tasks_schema.TaskId(),
        errors=("task_not_found",),
        routes=(post(f"{TASK}/reopen"),),
    ),
    Operation(
        name="create_goal",
        summary="Set a goal, alone or with others; returns it.",
        call=lambda diary: diary.goals.create,
        request=goals_schema.CreateGoal(),
        errors=(
            "goal_deleted",
            "too_many_goals",
            "member_not_found",
            "account_not_found",
            "user_blocked",
            "too_many_lookups",
        ),
        once=Once.KEYED,
        routes=(post(GOALS, 201),),
    ),
    Operation(
        name="list_goals",
        summary="Return a page of the goals that the caller owns or shares.",
        call=lambda diary: diary.goals.list,
        request=PageQuery(),
        errors=("answer_too_long",),
        routes=(get(GOALS),),
    ),
    Operation(
        name="list_goal_invitations",
        summary="Return a page of the invitations to goals that the caller has not answered.",
        call=lambda diary: diary.goals.invitations,
        request=PageQuery(),
        routes=(get(f"{GOALS}/invitations"),),
    ),
    Operation(
        name="get_goal",
        summary="Return a goal that the caller owns or shares.",
        call=lambda diary: diary.goals.get,
        request=goals_schema.GoalId(),
        errors=("goal_not_found",),
        routes=(get(GOAL),),
    ),
    Operation(
        name="update_goal",
        summary="Change an own goal; returns it.",
        call=lambda diary: diary.goals.update,
        request=goals_schema.UpdateGoal(),
        errors=(
            "goal_not_found",
            "not_the_owner",
            "not_of_steps",
            "not_of_number",
            "step_not_found",
        ),
        routes=(patch(GOAL),),
    ),
    Operation(
        name="delete_goal",
        summary="Delete an own goal, for all who share it.",
        call=lambda diary: diary.goals.delete,
        request=goals_schema.DeleteGoal(),
        errors=(
            "goal_not_found",
            "not_the_owner",
        ),
        routes=(delete(GOAL),),
    ),
    Operation(
        name="set_step",
        summary="Mark a step as done or not; returns the goal.",
        call=lambda diary: diary.goals.set_step,
        request=goals_schema.SetStep(),
        errors=(
            "goal_not_found",
            "not_of_steps",
            "step_not_found",
        ),
        routes=(put(f"{GOAL}/steps/{{step_id}}"),),
    ),
    Operation(
        name="add_progress",
        summary="Add to the number of a goal; returns the goal.",
        call=lambda diary: diary.goals.add_progress,
        request=goals_schema.AddProgress(),
        errors=(
            "goal_not_found",
            "not_of_number",
        ),
        once=Once.KEYED,
        routes=(post(f"{GOAL}/progress"),),
    ),
    Operation(
        name="set_progress",
        summary="Set the number of a goal; returns the goal.",
        call=lambda diary: diary.goals.set_progress,
        request=goals_schema.SetProgress(),
        errors=(
            "goal_not_found",
            "not_of_number",
        ),
        routes=(put(f"{GOAL}/progress"),),
    ),
    Operation(
        name="share_goal",
        summary="Invite others to share an own goal; returns it.",
        call=lambda diary: diary.goals.share,
        request=goals_schema.ShareGoal(),
        errors=(
            "goal_not_found",
            "not_the_owner",
            "member_not_found",
            "account_not_found",
            "user_blocked",
            "too_many_lookups",
        ),
        routes=(post(f"{GOAL}/members"),),
    ),
    Operation(
        name="unshare_goal",
        summary="Stop sharing an own goal with some of its members; returns it.",
        call=lambda diary: diary.goals.unshare,
        request=goals_schema.ShareGoal(),
        errors=(
            "goal_not_found",
            "not_the_owner",
        ),
    ),
    Operation(
        name="remove_goal_member",
        summary="Stop sharing an own goal with one member; returns it.",
        call=lambda diary: partial(_remove_member, diary),
        request=goals_schema.GoalMember(),
        errors=(
            "goal_not_found",
            "not_the_owner",
        ),
        command=False,
        routes=(delete(f"{GOAL}/members/{{member}}"),),
    ),
    Operation(
        name="accept_goal",
        summary="Accept an invitation to a goal; returns the goal.",
        call=lambda diary: diary.goals.accept,
        request=goals_schema.GoalId(),
        errors=("goal_not_found",),
        routes=(post(f"{GOAL}/accept"),),
    ),
    Operation(
        name="decline_goal",
        summary="Decline an invitation to a goal.",
        call=lambda diary: diary.goals.decline,
        request=goals_schema.GoalId(),
        errors=(
            "goal_not_found",
            "goal_accepted",
        ),
        routes=(post(f"{GOAL}/decline"),),
    ),
    Operation(
        name="leave_goal",
        summary="Leave a goal of another person.",
        call=lambda diary: diary.goals.leave,
        request=goals_schema.GoalId(),
        errors=(
            "goal_not_found",
            "own_goal",
        ),
        routes=(post(f"{GOAL}/leave"),),
    ),
    Operation(
        name="request_motivation",
        summary="Write a motivation; returns it, and sends it to all devices of the caller.",
        call=lambda diary: diary.motivation.request,
        request=KeyedMotivation(),
        errors=("motivation_not_found",),
        once=Once.KEYED,
        slow=True,
        routes=(post(MOTIVATIONS, 201),),
    ),
    Operation(
        name="list_motivations",
        summary="Return a page of the caller's recent motivations.",
        call=lambda diary: diary.motivation.list,
        request=PageQuery(),
        routes=(get(MOTIVATIONS),),
    ),
    Operation(
        name="summary",
        summary="Return streaks, and mood and completion day by day.",
        call=lambda diary: diary.summary.of,
        request=SummaryQuery(),
        errors=("account_not_found",),
        routes=(get(f"{ROOT}/summary"),),
    ),
    Operation(
        name="export_diary",
        summary="Return everything that is in the diary.",
        call=lambda diary: partial(diary.export, max_bytes=ANSWER_BYTES),
        request=NoFields(),
        errors=(
            "account_not_found",
            "export_under_way",
            "answer_too_long",
        ),
        slow=True,
        routes=(get(f"{ROOT}/export", special=True),),
    ),
    Operation(
        name="delete_diary",
        summary="Delete everything that is in the diary.",
        call=lambda diary: diary.delete_everything,
        request=NoFields(),
        routes=(delete(ROOT),),
    ),
)
