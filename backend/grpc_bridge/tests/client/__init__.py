"""Tests of `grpc_bridge.client`, against servers that do what each test says, down to the byte."""
