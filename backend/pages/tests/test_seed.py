"""`manage.py seed`."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.core.management.base import CommandError

from services.orders import demo as shop
from services.users.models import Role, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def few_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the shop is tested with it."""
    monkeypatch.setattr(shop, "ORDERS", 3)


@pytest.mark.parametrize(
    ("name", "roles", "is_admin"),
    [("demo", [Role.CUSTOMER], False), ("staff", [Role.STAFF], False), ("admin", [Role.STAFF], True)],
)
def test_demo_users_can_sign_in(name: str, roles: list[Role], is_admin: bool):
    call_command("seed", verbosity=0)
    user = authenticate(username=f"{name}@example.com", password=f"{name}-password")
    assert isinstance(user, User)
    assert (user.roles, user.is_superuser) == (roles, is_admin)


def test_there_are_customers_to_look_at_whom_nobody_signs_in_as():
    call_command("seed", verbosity=0)
    customers = [user for user in User.objects.filter(is_customer=True) if user.email != "demo@example.com"]
    assert len(customers) >= 5
    assert not any(user.has_usable_password() for user in customers)


def test_a_second_run_changes_nothing(capsys):
    call_command("seed")
    said = capsys.readouterr().out
    assert said.startswith("created: demo@example.com, staff@example.com, admin@example.com, ")
    assert said.endswith(", 12 products, 3 orders\n")
    count = User.objects.count()
    demo = User.objects.get(email="demo@example.com")
    demo.name = "Changed"
    demo.set_password("another-password")
    demo.save()
    call_command("seed")
    assert capsys.readouterr().out == "nothing to create\n"
    assert User.objects.count() == count
    demo.refresh_from_db()
    assert demo.name == "Changed"
    assert demo.check_password("another-password")


def test_refuses_where_demo_data_is_off(settings):
    settings.DEMO_DATA = False
    with pytest.raises(CommandError, match="well-known passwords"):
        call_command("seed")
    assert not User.objects.exists()
