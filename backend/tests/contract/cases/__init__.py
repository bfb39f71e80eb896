"""The cases, by subject, as the servicers."""

from tests.contract.case import Case
from tests.contract.cases.aborts import CASES as ABORTS
from tests.contract.cases.compression import CASES as COMPRESSION
from tests.contract.cases.lifetime import CASES as LIFETIME
from tests.contract.cases.messages import CASES as MESSAGES
from tests.contract.cases.metadata import CASES as METADATA
from tests.contract.cases.site import CASES as SITE
from tests.contract.cases.status import CASES as STATUS

CASES: tuple[Case, ...] = (*MESSAGES, *METADATA, *ABORTS, *STATUS, *COMPRESSION, *LIFETIME, *SITE)
