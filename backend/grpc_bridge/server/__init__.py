"""The native gRPC server, `manage.py rungrpc`: grpcio in front of the bridge, in processes of its own.

Needs grpcio-health-checking and grpcio-reflection. Nothing else of the bridge imports this package.
"""
