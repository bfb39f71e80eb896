"""A call with one request and one response, to two services on one connection."""

from __future__ import annotations

from examples.client import SECONDS, Client, arguments, connected
from generated.echo.v1 import echo_pb2
from generated.orders.v1 import orders_pb2


def show(client: Client) -> None:
    """Makes the calls and prints what comes."""
    response = client.echo.Echo(echo_pb2.EchoRequest(message="Hello"), timeout=SECONDS)
    print(response.message)

    page = client.orders.ListProducts(orders_pb2.ListProductsRequest(page_size=3), timeout=SECONDS)
    for product in page.products:
        price = product.price
        print(f"{product.name}: {price.units}.{price.nanos // 10_000_000:02} {price.currency_code}")


if __name__ == "__main__":
    given = arguments(__doc__)
    with connected(given.address) as client:
        show(client)
