"""The demo accounts: who they are, and how they come to be. Only where `settings.DEMO_DATA` is on."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.users.models import Role, User


@dataclass(frozen=True)
class DemoUser:
    """An account that everybody knows: these passwords stand in the README. Without one nobody signs in by it."""

    email: str
    name: str
    password: str | None = None
    roles: tuple[Role, ...] = (Role.CUSTOMER,)
    is_admin: bool = False
    age: int | None = None
    metadata: dict[str, str] = field(default_factory=dict)


CUSTOMER = DemoUser("demo@example.com", "Demo Customer", "demo-password", age=30)
STAFF = DemoUser("staff@example.com", "Demo Staff", "staff-password", (Role.STAFF,))
ADMIN = DemoUser("admin@example.com", "Demo Admin", "admin-password", (Role.STAFF,), is_admin=True)

USERS = (
    CUSTOMER,
    STAFF,
    ADMIN,
    DemoUser("ada@example.com", "Ada Lovelace", age=36, metadata={"segment": "engines"}),
    DemoUser("alan@example.com", "Alan Turing", age=41, metadata={"segment": "machines", "newsletter": "weekly"}),
    DemoUser("edsger@example.com", "Edsger Dijkstra", age=72),
    DemoUser("grace@example.com", "Grace Hopper", age=85, roles=(Role.CUSTOMER, Role.STAFF)),
    DemoUser("katherine@example.com", "Katherine Johnson", age=101, metadata={"segment": "space"}),
    DemoUser("margaret@example.com", "Margaret Hamilton", metadata={"segment": "space", "crm_id": "1969"}),
)


def ensure_user(demo: DemoUser) -> tuple[User, bool]:
    """Gives the account, and whether it had to be made. One that is there is left as it is."""
    existing = User.objects.filter(email=demo.email).first()
    if existing is not None:
        return existing, False
    user = User(email=demo.email, name=demo.name, age=demo.age, metadata=demo.metadata, is_superuser=demo.is_admin)
    user.roles = list(demo.roles)
    user.set_password(demo.password)
    user.full_clean(exclude={"password"})
    user.save()
    return user, True
