"""Who may read a field: rules that a field names, checked before it is answered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from db.connection import Viewer
from db.errors import Forbidden, Unauthenticated


@dataclass(frozen=True, eq=False)
class Access:
    """A rule over viewer and parent; `says` goes into the field's description."""

    says: str
    allows: Callable[[Viewer | None, Any], bool]
    refuse: Callable[[Viewer | None], None]

    def grants(self, viewer: Viewer | None, parent: Any) -> bool:
        """Whether the viewer may read; False makes the field null. Raises Unauthenticated or Forbidden."""
        if self.allows(viewer, parent):
            return True
        self.refuse(viewer)
        return False


def login(viewer: Viewer | None) -> Viewer:
    """The viewer, who must be somebody: Unauthenticated."""
    if viewer is None:
        raise Unauthenticated("Log in first.")
    return viewer


def owns(viewer: Viewer | None, row: Any) -> bool:
    """Whether the row is of the viewer's workspace, or the viewer is ADMIN."""
    if viewer is None:
        return False
    return viewer.role == "ADMIN" or str(row["workspace_id"]) == str(viewer.workspace_id)


def _need_login(viewer: Viewer | None) -> None:
    login(viewer)


def _need_admin(viewer: Viewer | None) -> None:
    login(viewer)
    raise Forbidden("This is for administrators.")


def _hide(viewer: Viewer | None) -> None:
    """The field is null."""


ANYONE = Access("", lambda viewer, parent: True, _hide)
"""Whoever sees the object sees the field: row-level security has decided already."""

AUTHENTICATED = Access("Needs a login.", lambda viewer, parent: viewer is not None, _need_login)
OWNER = Access("Null for everybody but the owner's workspace.", owns, _hide)
ADMIN = Access(
    "For administrators.", lambda viewer, parent: viewer is not None and viewer.role == "ADMIN", _need_admin
)
