"""What the shop keeps. Which changes are allowed, and what belongs together, is said in `logic`; write through it.

Money is kept in cents, as whole numbers: SQLite has no exact decimals, and no sum ever needs rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser


class Product(models.Model):
    """Something to buy. The column for stock has a CHECK that it is never below zero."""

    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=500, blank=True)
    price_cents = models.PositiveIntegerField("price in cents")
    stock = models.PositiveIntegerField(default=0, help_text="How many there are to buy now.")
    is_active = models.BooleanField("active", default=True, help_text="Whether it is in the catalogue.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class OrderStatus(models.TextChoices):
    """How far an order has come. Which steps there are stands in `logic.STEPS`."""

    PLACED = "placed"
    PAID = "paid"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class OrderQuerySet(models.QuerySet["Order"]):
    """Orders as callers may see them."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> OrderQuerySet:
        """Staff see all orders, everybody else their own."""
        return self if getattr(user, "is_staff", False) else self.filter(customer_id=user.pk)

    def with_details(self) -> OrderQuerySet:
        """With customer and items, in two queries for any number of orders."""
        return self.select_related("customer").prefetch_related("items")


class Order(models.Model):
    """One purchase. Its items and its total never change; its status does, and then its version counts on."""

    customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders", db_index=False)
    status = models.CharField(max_length=12, choices=OrderStatus, default=OrderStatus.PLACED)
    total_cents = models.PositiveBigIntegerField("total in cents")
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)
    updated_at = models.DateTimeField("updated", default=timezone.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    idempotency_key = models.CharField(max_length=64, editable=False)
    request_fingerprint = models.CharField(
        max_length=64, editable=False, help_text="Hash of the items that were asked for with the key."
    )

    objects: ClassVar[OrderQuerySet] = OrderQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["customer", "idempotency_key"], name="orders_order_once_per_key"),
            models.CheckConstraint(condition=models.Q(status__in=OrderStatus), name="orders_order_status_known"),
        ]
        indexes = [
            models.Index(fields=["customer", "id"], name="orders_order_of_customer"),
            models.Index(fields=["status", "id"], name="orders_order_by_status"),
        ]

    def __str__(self) -> str:
        return f"Order {self.pk}"


class OrderItem(models.Model):
    """One line of an order, with the product's name and price as they were then."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="items", db_index=False)
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    product_name = models.CharField(max_length=100)
    unit_price_cents = models.PositiveIntegerField("price in cents")
    quantity = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "product"], name="orders_item_each_product_once"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="orders_item_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_name}"


class OrderEvent(models.Model):
    """One change of an order, written in the transaction of the change: an outbox for whoever follows orders.

    Together with the order, whose other parts never change, it gives the order as it was right after the change. Ids
    become visible in their order, see `logic.record_event`: whoever has seen one has seen all before it.
    """

    order = models.ForeignKey(Order, models.CASCADE, related_name="events", db_index=False)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The order's, for an index by which a customer's events are found.",
    )
    previous_status = models.CharField(max_length=12, choices=OrderStatus, blank=True)
    status = models.CharField(max_length=12, choices=OrderStatus)
    version = models.PositiveIntegerField()
    created_at = models.DateTimeField("created", default=timezone.now, db_index=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["order", "version"], name="orders_event_once_per_version")]
        indexes = [models.Index(fields=["customer", "id"], name="orders_event_of_customer")]

    def __str__(self) -> str:
        return f"Order {self.order_id}: {self.previous_status or 'new'} -> {self.status}"
