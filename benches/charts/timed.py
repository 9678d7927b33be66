"""Runs two commands in turn: timed.py RUNS OURS… -- THEIRS…; prints milliseconds and MiB of each run, a line a round.

It imports little on purpose: the kernel counts the memory of whoever starts a process as that process's own peak.
"""

import os
import sys
import time


def measured(command):
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    began = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, _, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - began
    os.close(null)
    return seconds * 1000, usage.ru_maxrss / 1024


between = sys.argv.index("--")
ours, theirs = sys.argv[2:between], sys.argv[between + 1 :]
for _ in range(int(sys.argv[1])):
    print(*measured(ours), *measured(theirs))
