"""Code generated from `protos/` by `make protos`. Nothing here is edited by hand; only `rpc.py` modules import it."""
