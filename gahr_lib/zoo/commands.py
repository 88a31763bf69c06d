"""The commands ``gahr zoo build``, ``list`` and ``verify``."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from tqdm import tqdm

from gahr_lib.zoo.tables import network_rows, result_rows, set_table
from gahr_lib.zoo.verification import faults, figure_faults
from gahr_lib.zoo.workflow import Plan, Zoo, carry_out, make_plan

__all__ = ["app"]

app = typer.Typer(help="Make, list and check the networks and cached results of the book.")

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="Networks and results; all if none.", show_default=False),
]
ScaleOption = Annotated[
    Literal["book", "paper"],
    typer.Option("--scale", help="The book's networks, or those of the paper's sizes, for GPUs."),
]
Faces = Annotated[
    Path | None,
    typer.Option(help="Of the scale paper: the folder of the aligned images of CelebA."),
]
Bedrooms = Annotated[
    Path | None,
    typer.Option(help="Of the scale paper: a folder of the bedrooms of LSUN, as image files."),
]
Runs = Annotated[
    Path | None,
    typer.Option(help="Where runs and logs are; runs, or runs/paper, if not given."),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Where weights and cards are; the package, or RUNS/networks, if not given."),
]
Module = Annotated[str | None, typer.Option(hidden=True)]


@app.command()
def build(
    names: Names = None,
    *,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Of this machine that may be busy; all if not given.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="A profile of Snakemake, for a cluster: its folder or name.")
    ] = None,
    scale: ScaleOption = "book",
    faces: Faces = None,
    bedrooms: Bedrooms = None,
    runs: Runs = None,
    out: Out = None,
    module: Module = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made.")] = False,
) -> int:
    """Make the networks and results that are missing, damaged, or of another recipe.

    What is there is left alone. After an interruption the same command goes on where it was.
    """
    zoo = Zoo(scale, faces, runs, out, module, bedrooms)
    plan = make_plan(zoo, names or ())
    if not plan.names:
        typer.echo("Nothing is missing.")
        return 0
    if dry_run:
        typer.echo(set_table(_steps(plan)))
        return 0
    code = carry_out(zoo, plan, cores=cores, profile=profile)
    left = make_plan(zoo, names or ()).names
    if not left:
        typer.echo(f"Made: {', '.join(plan.names)}")
        return 0
    typer.echo(
        f"gahr: Not made: {', '.join(left)}. Their last words are in {zoo.run_folders / 'logs'}; "
        "the same command goes on from there.",
        err=True,
    )
    return code or 1


def _steps(plan: Plan) -> list[list[str]]:
    steps = [["train", name, state] for name, state in plan.networks.items()]
    for name, networks in plan.results.items():
        steps.append(["compute", name, f"after {', '.join(networks)}" if networks else ""])
    return steps


@app.command("list")
def list_(
    *,
    scale: ScaleOption = "book",
    faces: Faces = None,
    bedrooms: Bedrooms = None,
    runs: Runs = None,
    out: Out = None,
    module: Module = None,
) -> int:
    """Show the networks and results, and what there is of them.

    PSNR is that of test images at sigma 0.1, in dB.
    """
    zoo = Zoo(scale, faces, runs, out, module, bedrooms)
    typer.echo(set_table(network_rows(zoo)))
    if zoo.results:
        typer.echo("\n" + set_table(result_rows(zoo)))
    return 0


@app.command()
def verify(
    names: Names = None,
    *,
    figures: Annotated[
        bool, typer.Option("--figures", help="Measure the networks again, too; takes long.")
    ] = False,
    scale: ScaleOption = "book",
    faces: Faces = None,
    bedrooms: Bedrooms = None,
    runs: Runs = None,
    out: Out = None,
    module: Module = None,
) -> int:
    """Check the SHA-256 of every file, and with --figures the figures of the cards.

    Prints one line for each thing that is wrong; the exit code is then 1.
    """
    zoo = Zoo(scale, faces, runs, out, module, bedrooms)
    wrong = 0
    for fault in faults(zoo, names or ()):
        wrong += 1
        typer.echo(fault)
    if figures and not wrong:
        for name in tqdm([n for n in zoo.recipes if not names or n in names], unit=" networks"):
            for fault in figure_faults(zoo, name):
                wrong += 1
                tqdm.write(fault)
    if not wrong:
        typer.echo("Everything is as it should be.")
    return int(wrong > 0)
