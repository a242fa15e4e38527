"""Worker processes as an executor: kept from phase to phase, and ended one by one."""
