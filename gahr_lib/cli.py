"""The command ``gahr``.

A mistake in its arguments ends it with one line that says what to do, and the code 2, before any
work is done; what goes wrong later ends it with one line and the code 1.
"""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import torch
from tqdm import tqdm

try:
    import typer
except ImportError as error:
    sys.stderr.write(
        f"gahr: Typer cannot be imported ({error}); expected it for this command. Install what "
        "training needs with: pip install lightning-fabric tensorboard typer\n"
    )
    raise SystemExit(2) from None

from gahr_lib.errors import GahrError, TrainingError
from gahr_lib.jobs import Job, Monitor, RunFolder, load_images, make_run
from gahr_lib.lab import laboratory_server
from gahr_lib.training import connect
from gahr_lib.training.processes import batch_share, first_to_all
from gahr_lib.zoo.commands import app as zoo

__all__ = ["app", "main"]

app = typer.Typer(
    help="Train denoisers, one of your own or those of the book; serve the laboratory.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(zoo, name="zoo")


@app.command()
def train(
    *,
    data: Annotated[
        str,
        typer.Option(
            help="fashion, c_alpha, discs, ray, sinusoids, photographs, or a folder of images."
        ),
    ] = "fashion",
    half: Annotated[Literal["A", "B"], typer.Option(help="Of two disjoint sets.")] = "A",
    n_train: Annotated[
        int | None,
        typer.Option(help="Training images; if not given, all, or fresh ones at every step."),
    ] = None,
    scale: Annotated[
        Literal["book", "paper"],
        typer.Option(help="Where the settings start that cost most: minutes, or hours on GPUs."),
    ] = "book",
    size: Annotated[int | None, typer.Option(help="Side of an image in pixels.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Of c_alpha: decay of contours.")] = None,
    beta: Annotated[float | None, typer.Option(help="Of c_alpha: decay of backgrounds.")] = None,
    crop: Annotated[
        tuple[int, int] | None,
        typer.Option(help="Of a folder: pixels cut off above and below, left and right."),
    ] = None,
    shuffled: Annotated[
        int | None, typer.Option(help="Seed of a permutation of the pixels of all images.")
    ] = None,
    channels: Annotated[int | None, typer.Option(help="1, grey, or 3, colour.")] = None,
    architecture: Annotated[Literal["unet", "bf_cnn"], typer.Option()] = "unet",
    width: Annotated[int | None, typer.Option(help="Channels of the first layer.")] = None,
    depth: Annotated[int | None, typer.Option(help="Blocks of a UNet, layers of a BF-CNN.")] = None,
    bias: Annotated[bool, typer.Option("--bias", help="Convolutions with biases.")] = False,
    steps: Annotated[int | None, typer.Option(help="Gradient steps, whatever n is.")] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch", help="Images in a step, of all processes together.")
    ] = None,
    optimizer: Annotated[
        Literal["muon", "adam"] | None, typer.Option(help="How a gradient becomes a step.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The highest.")] = None,
    schedule: Annotated[
        Literal["cosine", "halving"] | None, typer.Option(help="How the learning rate falls.")
    ] = None,
    warmup: Annotated[int | None, typer.Option(help="Steps in which it rises.")] = None,
    average: Annotated[
        float | None, typer.Option(help="Decay of the moving average of the weights.")
    ] = None,
    sigma_power: Annotated[
        float | None, typer.Option(help="Noise levels are u ** power + sigma-min.")
    ] = None,
    sigma_min: Annotated[float | None, typer.Option(help="The smallest noise level.")] = None,
    weight_power: Annotated[
        float | None, typer.Option(help="The loss is divided by sigma ** power.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of initial weights, batches and noise.")] = 0,
    snapshots: Annotated[
        list[int] | None,
        typer.Option(help="A step after which to keep the network too; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; runs/NAME if not given.")
    ] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option()] = "auto",
    precision: Annotated[
        Literal["auto", "32", "tf32", "bf16"],
        typer.Option(help="auto: TF32 where a GPU has it, else 32 bits."),
    ] = "auto",
    tensorboard: Annotated[bool, typer.Option(help="Write curves and samples.")] = True,
    every: Annotated[int, typer.Option(help="Steps between points of the PSNR curves.")] = 500,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> int:
    """Train a network; after an interruption, the same command goes on where it was.

    Its folder gets weights.safetensors and their card, weights.json, and curves for
    tensorboard --logdir. Start it with torchrun or srun to use several GPUs.
    """
    run = make_run(
        scale,
        data=data,
        half=half,
        n_train=n_train,
        size=size,
        alpha=alpha,
        beta=beta,
        crop=crop,
        shuffled=shuffled,
        channels=channels,
        architecture=architecture,
        width=width,
        depth=depth,
        bias=bias,
        steps=steps,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        schedule=schedule,
        warmup=warmup,
        average=average,
        sigma_power=sigma_power,
        sigma_min=sigma_min,
        weight_power=weight_power,
        seed=seed,
        snapshots=snapshots,
    )
    folder = RunFolder(out or Path("runs") / run.name)
    monitor = Monitor(folder.path, every=every) if tensorboard else None
    fabric = connect(device, precision)
    batch_share(fabric, run.training.batch_size)
    sets = load_images(run.images, channels=run.network.channels)
    if first_to_all(fabric, lambda: folder.claim(run)):
        if fabric.is_global_zero:
            typer.echo(f"{run.name} is finished; its weights are {folder.weights}")
        return 0
    job = Job(run, folder, sets, fabric, monitor)
    return _carry_out(job, quiet=quiet or not fabric.is_global_zero)


@app.command()
def lab(
    port: Annotated[int, typer.Option(help="Where to listen; 0 for any free port.")] = 8028,
) -> int:
    """Serve the laboratory, where networks run in a browser, on this machine alone."""
    with laboratory_server(port) as server:
        typer.echo(f"The laboratory is at http://127.0.0.1:{server.server_port}/ (Ctrl+C ends)")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def _carry_out(job: Job, *, quiet: bool) -> int:
    """Train with a progress bar; return the exit code."""
    batch_size, steps = job.run.training.batch_size, job.run.training.steps
    step = 0
    with (
        _stop_signals() as received,
        tqdm(
            desc=job.run.name,
            total=steps * batch_size,
            unit=" images",
            unit_scale=True,
            disable=quiet,
            # A log is no terminal, where a line can be written again.
            mininterval=0.2 if sys.stderr.isatty() else 30,
        ) as bar,
    ):
        try:
            for state in job.states(lambda: bool(received)):
                if not step:  # a resumed run does not start at 0
                    bar.initial = bar.n = bar.last_print_n = (state.step - 1) * batch_size
                step = state.step
                bar.update(step * batch_size - bar.n)
                bar.set_postfix(loss=f"{state.loss:.4f}", refresh=False)
        except GahrError as error:
            if not step:  # no work was done
                raise
            bar.close()
            return _fail(error, 1)
        except torch.OutOfMemoryError as error:
            bar.close()
            reason = str(error).splitlines()[0]
            return _fail(TrainingError(f"{reason} Take a smaller --batch or --width."), 1)
    if step < steps:
        # Of several processes, only some may have got the signal.
        number = received[0] if received else signal.SIGTERM
        if not quiet:
            typer.echo(f"Stopped after step {step}. The same command goes on from there.", err=True)
        return 128 + number
    if not quiet:
        typer.echo(f"The weights are {job.folder.weights}")
    return 0


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect requests to stop; a second one is answered as if this were not here."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        received.append(number)
        restore()

    for number in numbers:
        signal.signal(number, note)
    try:
        yield received
    finally:
        restore()


def _fail(error: Exception, code: int) -> int:
    """Say what is wrong, in one line and once on each machine, and return the exit code."""
    if os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")) == "0":
        message = getattr(error, "format_message", error.__str__)()
        typer.echo("gahr: " + " ".join(message.split()), err=True)
    return code


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command, and leave with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        code = app(args=given, prog_name="gahr", standalone_mode=False)
    except GahrError as error:
        code = _fail(error, 2)
    except Exception as error:
        if not hasattr(error, "format_message"):  # of an argument that Typer cannot read
            raise
        code = _fail(error, 2)
    sys.exit(code)


if __name__ == "__main__":
    main()
