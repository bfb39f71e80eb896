"""Products and orders in the admin. What is changed here goes through `logic`, as everywhere."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from services.orders import logic
from services.orders.models import Order, OrderEvent, OrderItem, OrderStatus, Product

LOW_STOCK = 10


def amount(cents: int) -> str:
    """Gives money as it is written."""
    return f"{cents // 100}.{cents % 100:02} {settings.SHOP_CURRENCY}"


class StockFilter(admin.SimpleListFilter):
    """Products by how many there are."""

    title = "stock"
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What can be chosen."""
        return [("none", "None left"), ("low", f"Less than {LOW_STOCK}")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        """The products of what was chosen."""
        bounds = {"none": 1, "low": LOW_STOCK}
        bound = bounds.get(self.value() or "")
        return queryset if bound is None else queryset.filter(stock__lt=bound)


class ProductForm(forms.ModelForm):
    """A product with its price as people write it. Stock is added to and never set: somebody may be buying."""

    price = forms.DecimalField(min_value=0, max_digits=9, decimal_places=2)
    add_to_stock = forms.IntegerField(min_value=0, max_value=1_000_000, required=False, initial=0)

    class Meta:
        model = Product
        fields = ("name", "description", "price", "add_to_stock", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["price"].label = f"Price in {settings.SHOP_CURRENCY}"
        if self.instance.pk:
            self.fields["price"].initial = Decimal(self.instance.price_cents) / 100

    def clean(self) -> None:
        """Gives the product its price."""
        super().clean()
        if "price" in self.cleaned_data:
            self.instance.price_cents = int(self.cleaned_data["price"] * 100)


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    """The catalogue and the stock."""

    form = ProductForm
    list_display = ("name", "price", "stock", "is_active")
    list_filter = ("is_active", StockFilter)
    search_fields = ("name", "description")
    list_per_page = 50
    readonly_fields = ("stock",)
    fields = ("name", "description", "price", "stock", "add_to_stock", "is_active")
    actions = ("offer", "withdraw")

    @admin.display(ordering="price_cents")
    def price(self, product: Product) -> str:
        """The price with its currency."""
        return amount(product.price_cents)

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        """Writes all but the stock, which may have changed since the form was opened, and adds to that."""
        obj.save(update_fields=["name", "description", "price_cents", "is_active"] if change else None)
        if added := form.cleaned_data["add_to_stock"]:
            logic.restock(obj.pk, added)

    @admin.action(description="Offer selected products", permissions=["change"])
    def offer(self, request: HttpRequest, products: QuerySet[Product]) -> None:
        """Puts products into the catalogue."""
        self.message_user(request, f"{products.update(is_active=True)} offered.", messages.SUCCESS)

    @admin.action(description="Withdraw selected products", permissions=["change"])
    def withdraw(self, request: HttpRequest, products: QuerySet[Product]) -> None:
        """Takes products out of the catalogue. What has been ordered stays so."""
        self.message_user(request, f"{products.update(is_active=False)} withdrawn.", messages.SUCCESS)


class ReadOnlyInline(admin.TabularInline):
    """Rows to be looked at."""

    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may look at the order may look at these."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes."""
        return False


class OrderItemInline(ReadOnlyInline):
    """What was bought."""

    model = OrderItem
    fields = ("product_name", "quantity", "unit_price")
    readonly_fields = ("unit_price",)

    @admin.display(description="price of one")
    def unit_price(self, item: OrderItem) -> str:
        """The price with its currency."""
        return amount(item.unit_price_cents)


class OrderEventInline(ReadOnlyInline):
    """What has happened."""

    model = OrderEvent
    fields = ("created_at", "previous_status", "status", "version")


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Orders, to be looked at and moved on. They are placed by customers, and never deleted."""

    list_display = ("id", "customer", "status", "total", "created_at", "updated_at")
    list_filter = ("status", "created_at", "updated_at")
    search_fields = ("=id", "customer__email", "customer__name", "items__product_name")
    list_select_related = ("customer",)
    date_hierarchy = "created_at"
    ordering = ("-id",)
    list_per_page = 50
    fields = readonly_fields = ("customer", "status", "total", "created_at", "updated_at", "version", "idempotency_key")
    inlines = (OrderItemInline, OrderEventInline)
    actions = ("move_on", "cancel")

    @admin.display(ordering="total_cents")
    def total(self, order: Order) -> str:
        """The total with its currency."""
        return amount(order.total_cents)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Customers place orders."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        """An order that nobody wants is cancelled."""
        return False

    @admin.action(description="Move selected orders to their next status", permissions=["change"])
    def move_on(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        """Moves each order one step on. One that is through stays."""
        self._move(request, orders, lambda order: logic.next_status(OrderStatus(order.status)))

    @admin.action(description="Cancel selected orders", permissions=["change"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        """Ends orders and returns their items to stock. One that has been shipped stays."""
        self._move(request, orders, lambda _: OrderStatus.CANCELLED)

    def _move(
        self, request: HttpRequest, orders: QuerySet[Order], status_for: Callable[[Order], OrderStatus | None]
    ) -> None:
        moved = 0
        for order in orders.order_by("pk"):
            status = status_for(order)
            try:
                if status is None:
                    raise logic.IllegalStepError(f"An order that is {order.status} is through.")
                logic.move_order(order.pk, status)
            except logic.IllegalStepError as error:
                self.message_user(request, f"Order {order.pk}: {error}", messages.WARNING)
            else:
                moved += 1
        if moved:
            self.message_user(request, f"{moved} order{'' if moved == 1 else 's'} changed.", messages.SUCCESS)
