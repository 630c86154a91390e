"""Accounts: who may come in, by which proof, and their login sessions."""

from models.accounts.naming import Kind
from models.accounts.operations import Accounts
from models.accounts.passwords import Passwords
from models.accounts.people import People, missing_person, person_of
from models.accounts.schema import Account, LogIn, Profile, Refresh, SignUp
from models.accounts.sessions import Device, Session, Sessions

__all__ = [
    "Account",
    "Accounts",
    "Device",
    "Kind",
    "LogIn",
    "Passwords",
    "People",
    "Profile",
    "Refresh",
    "Session",
    "Sessions",
    "SignUp",
    "missing_person",
    "person_of",
]
