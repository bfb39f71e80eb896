"""Context variables. What needs a database is in `test_site.py`."""

from __future__ import annotations

from tests.contract.case import Answer, Call, Case
from tests.contract.cases.messages import texts

CASES = (
    Case("context variables are the call's own", Call("ContextVariable", texts("mine")), Answer(texts("unset"))),
    Case(
        "context variables last as long as a stream",
        Call("ContextVariableInStream", texts("mine")),
        Answer(texts("unset", "mine")),
    ),
)
