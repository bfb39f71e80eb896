"""`manage.py seed`."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError

pytestmark = pytest.mark.django_db


def test_demo_users_can_sign_in_and_only_the_admin_is_staff():
    call_command("seed", verbosity=0)
    demo = authenticate(username="demo@example.com", password="demo-password")
    admin = authenticate(username="admin@example.com", password="admin-password")
    assert demo is not None
    assert admin is not None
    assert (demo.is_staff, demo.is_superuser) == (False, False)
    assert (admin.is_staff, admin.is_superuser) == (True, True)


def test_a_second_run_changes_nothing(capsys):
    call_command("seed")
    assert capsys.readouterr().out == "created: demo@example.com, admin@example.com\n"
    demo = get_user_model().objects.get(email="demo@example.com")
    demo.name = "Changed"
    demo.set_password("another-password")
    demo.save()
    call_command("seed")
    assert capsys.readouterr().out == "nothing to create\n"
    assert get_user_model().objects.count() == 2
    demo.refresh_from_db()
    assert demo.name == "Changed"
    assert demo.check_password("another-password")


def test_refuses_where_demo_data_is_off(settings):
    settings.DEMO_DATA = False
    with pytest.raises(CommandError, match="well-known passwords"):
        call_command("seed")
    assert not get_user_model().objects.exists()
