"""How much memory a computation needs at most, beyond what it was given."""

import subprocess
import sys

_MEASURE = """
import resource, sys, torch
torch.set_num_threads(1)
{setup}
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
{code}
print((peak() - before) * (1 if sys.platform == "darwin" else 1024))
"""


def peak_memory(setup: str, code: str) -> int:
    """Return the bytes by which `code` raises the peak, in a process of its own after `setup`.

    What is inside a convolution counts too, which a watch over tensors does not see. A set of zeros
    takes up nothing until it is written, so a test may hold one of any size.
    """
    script = _MEASURE.format(setup=setup, code=code)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)
