"""What was tried before the recipes were settled, for the cards; each figure was measured."""

from gahr_lib.jobs import Run

__all__ = ["tried"]

_FASHION = [
    "Optimizers, on 30,000 images, PSNR of test images at sigma 0.1: Adam (rate 0.002, batches of "
    "64) 25.45 dB after 1,250 steps and 27.17 dB after 10,000; Muon (rate 0.008) 26.96 dB after "
    "1,250 steps of 64.",
    "Batches, with Muon and 80,000 images in all: 64 in a batch 26.96 dB, 32 in a batch 27.26 dB, "
    "16 in a batch 27.25 dB.",
    "Rates, with Muon and 5,000 steps of 16: 0.008 gives 27.25 dB, 0.016 gives 27.18 dB.",
]
_SMOOTH = [
    "For alpha = 4, the slope from 10 to 34 dB of input PSNR on 100 images: with the loss divided "
    "by sigma and 4,000 steps 0.71; by sigma squared and 4,000 steps 0.81, but 3 dB less at an "
    "input PSNR of 2 dB; by sigma to the 1.5 and 8,000 steps 0.76, with 0.3 dB less there and 1.5 "
    "dB more at 40 dB. The last is kept.",
    "Adam with 4,000 steps of 64 and the loss divided by sigma: slope 0.67 (alpha = 4), 0.58 "
    "(alpha = 2).",
]
_DISCS = [
    "Twice the width (456,832 parameters, after 6,373 of its 8,000 steps): 1.2 to 1.5 dB more "
    "between 20 and 40 dB of input. At sigma 0.04 the sixth eigenvalue is 0.98 of the fifth, in "
    "the median of four discs, where it is 0.94 at this width: capacity alone does not bring the "
    "gap.",
]


def tried(run: Run) -> list[str]:
    """Return what was tried for networks of the kind of a run, a sentence for each trial."""
    if run.images.data == "fashion":
        return _FASHION
    return {"c_alpha": _SMOOTH, "discs": _DISCS}.get(run.images.data, [])
