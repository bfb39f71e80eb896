"""The contract suite: what every servicer may rely on, as cases that run on every transport. Also a Django app.

methods.py          the methods there are: kind and message types
servicers/          their handlers, each once as `def` and once as `async def`
rpc.py              registers both, as generated code does
settings.py         Django settings of the servers under test: this app is installed
case.py             a case: what is called, with what, and what must come back
cases/              the cases
transports.py       how a case is called; the next transport needs a class with one `call()`
test_*.py           runs the cases, and holds what is too much about bytes and time to be a case
"""
