"""A small shop: products, orders, and what happens to orders as it happens."""
