"""Settings of a server whose workers take their time to load the application: as long as a file exists.

Environment read here:
    SLOW_START    the file; a process that waits for its end writes its number beside it, into `<file>.waiting`
"""

import os
import time
from pathlib import Path

from tests.contract.settings import *  # noqa: F403

POLL_SECONDS = 0.01

hold = Path(os.environ["SLOW_START"])
while hold.exists():
    hold.with_suffix(".waiting").write_text(str(os.getpid()))
    time.sleep(POLL_SECONDS)
