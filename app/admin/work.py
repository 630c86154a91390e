"""What operators do; every step is noted in the log of operators' actions before it is made."""

from collections.abc import Sequence
from datetime import timedelta

from app.identity.revocation import ConnectionHolder
from app.realtime.events.delivery import Delivery, EventLog
from models.accounts import Account, Accounts
from models.accounts.admission import SignUpMode
from models.accounts.links import LinkKind
from models.accounts.recovery import Recovery
from models.accounts.revocations import Revocation
from models.chat import Chat
from models.endings import SERVER_NOTICE
from models.errors import Conflict, NotFound
from models.identity import Identity
from models.oversight.actions import OperatorActions
from models.oversight.reports import ReportForOperatorsView, Reports, for_operators
from models.oversight.schema import DISMISSED, MESSAGE, OPEN, REMOVED
from models.stories.operations import Stories
from models.times import now, to_text

INVITE_LIFETIME = timedelta(days=14)


class OperatorWork:
    """The steps of operators."""

    def __init__(
        self,
        *,
        actions: OperatorActions,
        reports: Reports,
        accounts: Accounts,
        recovery: Recovery,
        chat: Chat,
        stories: Stories,
        holders: Sequence[ConnectionHolder],
        log: EventLog,
        namespaces: Sequence[str],
        public_url: str | None,
    ) -> None:
        self.actions = actions
        self.reports = reports
        self._accounts = accounts
        self._recovery = recovery
        self._chat = chat
        self._stories = stories
        self._holders = holders
        self._log = log
        self._namespaces = namespaces
        self._public_url = public_url

    async def kick(self, operator: Identity, account: Account) -> None:
        """End the sessions of an account everywhere, and its connections here at once.

        Other processes follow within `REVOCATION_CHECK_S`. It may log in again.
        """
        await self.actions.note(operator.account_id, "kick", account.id)
        changed = await self._accounts.end_credentials(account.id)
        self._close(changed)

    async def disable(self, operator: Identity, account: Account) -> None:
        """Refuse an account everywhere from now on.

        Raises:
            Conflict: code `own_account`.
        """
        if account.id == operator.account_id:
            raise Conflict("An operator does not disable itself.", code="own_account")
        await self.actions.note(operator.account_id, "disable", account.id)
        self._close(await self._accounts.disable(account.id))

    async def enable(self, operator: Identity, account: Account) -> None:
        """Let an account in again."""
        await self.actions.note(operator.account_id, "enable", account.id)
        await self._accounts.enable(account.id)

    def _close(self, account: Account) -> None:
        # Others read it from the log of revocations, and so will this process once more.
        revocation = Revocation(
            number=0,
            account_id=account.id,
            version=account.credential_version,
            session_ids=frozenset(),
            disabled=account.disabled,
        )
        for holder in self._holders:
            holder.close_revoked([revocation])

    async def reset_link(self, operator: Identity, account: Account) -> str:
        """Return a one-time link that sets a new password.

        Raises:
            Conflict: code `public_url_missing`.
        """
        if not self._public_url:
            raise Conflict("PUBLIC_URL is not set; links begin with it.", code="public_url_missing")
        await self.actions.note(operator.account_id, "reset_link", account.id)
        return await self._recovery.link(LinkKind.RESET_PASSWORD, account)

    async def invite(self, operator: Identity, uses: int) -> str:
        """Return the code of a new invitation."""
        await self.actions.note(operator.account_id, "invite", details=f"{uses} uses")
        return await self._accounts.admission.invite(uses=uses, lifetime=INVITE_LIFETIME)

    async def switch_sign_ups(self, operator: Identity, mode: SignUpMode) -> None:
        """Decide who may make an account."""
        await self.actions.note(operator.account_id, "sign_ups", details=mode.value)
        await self._accounts.admission.switch(mode)

    async def send_notice(self, operator: Identity, text: str) -> None:
        """Send a notice to all Socket.IO clients, in every namespace."""
        await self.actions.note(operator.account_id, "notice", details=text)
        data = {"text": text, "sent_at": to_text(now())}
        for namespace in self._namespaces:
            await self._log.publish(Delivery(namespace, SERVER_NOTICE, data, None))

    async def decide(
        self, operator: Identity, report_id: str, *, remove: bool
    ) -> ReportForOperatorsView:
        """Close the open reports about what `report_id` is about; remove it, or leave it.

        Raises:
            NotFound: code `report_not_found`.
        """
        report = await self.reports.get(report_id)
        if report["status"] == OPEN:
            status = REMOVED if remove else DISMISSED
            kind, subject_id = report["kind"], report["subject_id"]
            action = "remove" if remove else "dismiss"
            await self.actions.note(
                operator.account_id, action, report["author_id"], f"{kind} {subject_id}"
            )
            if remove:
                await self._remove(kind, subject_id, report["author_id"])
            await self.reports.decide(kind, subject_id, status, operator.account_id)
            report = await self.reports.get(report_id)
        return for_operators(report)

    async def _remove(self, kind: str, subject_id: str, author_id: str) -> None:
        """Remove a thing as its author would; one that is gone already is no error."""
        author = await self._accounts.find(author_id)
        if author is None:
            return
        as_author = Identity(author.id, author.email, author.public_id, author.name)
        try:
            if kind == MESSAGE:
                await self._chat.messages.delete(as_author, subject_id)
            else:
                await self._stories.delete(as_author, subject_id)
        except NotFound:
            return
