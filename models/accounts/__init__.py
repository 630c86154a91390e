"""Accounts: who may come in, by which proof, and their login sessions."""

from models.accounts.operations import Accounts
from models.accounts.passwords import Passwords
from models.accounts.schema import Account, LogIn, Profile, Refresh, SignUp
from models.accounts.sessions import Session, Sessions

__all__ = [
    "Account",
    "Accounts",
    "LogIn",
    "Passwords",
    "Profile",
    "Refresh",
    "Session",
    "Sessions",
    "SignUp",
]
