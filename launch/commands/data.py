"""``linkvla data``: check, view, pack and unpack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import Seed

data = typer.Typer(name="data", help="Look at teaching data.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Own recordings or a SimLingo data set, packed or not.")]


@data.command()
def check(
    folder: Folder,
    frames: Annotated[int, typer.Option(metavar="N", min=1, help="Open at most so many frames.")] = 2000,
    checksums: Annotated[
        bool, typer.Option(help="Read every byte of own recordings and compare it with what was recorded.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Count, look for missing parts and damaged files, and show value ranges. Exit code 1 when something is broken.

    Damage inside a picture shows in its file's SHA-256 only, which the recording's manifest keeps.

    **Examples**

    `linkvla data check data/random`

    `linkvla data check database/simlingo --json`
    """
    from linkvla.model.data.check import check_data

    report = check_data(folder, frames, checksums)
    if json:
        import json as writer

        typer.echo(writer.dumps(report.as_dict(), indent=1))
    else:
        from rich.console import Console

        from linkvla.launch.report.data_table import data_table

        Console().print(data_table(report))
    if not report.sound:
        raise typer.Exit(1)


@data.command()
def view(
    folder: Folder,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Picture to write, .png or .jpg.")] = Path("sheet.png"),
    frames: Annotated[int, typer.Option(metavar="N", min=1, max=60, help="Frames to show.")] = 12,
    seed: Seed = 0,
) -> None:
    """Write a contact sheet: random frames with path, waypoints and language.

    **Examples**

    `linkvla data view data/random --out sheet.png`
    """
    import cv2

    from linkvla.launch.report.data_view import choose, contact_sheet
    from linkvla.model.data.check import sources_of
    from linkvla.model.interface.errors import ConfigurationError

    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ConfigurationError(f"--out must end in .png or .jpg, got {out}")
    shown = choose(sources_of(folder), frames, seed)
    if not cv2.imwrite(str(out), cv2.cvtColor(contact_sheet(shown), cv2.COLOR_RGB2BGR)):
        raise ConfigurationError(f"{out} cannot be written; choose a folder that exists and is writable")
    typer.echo(f"{len(shown)} frames in {out}")


@data.command()
def pack(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Own recordings.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the archives, one per shard.")],
) -> None:
    """Pack each shard into one tar archive, to be copied about, and read by `linkvla train` as it is.

    Damaged shards are refused. What is packed already is kept: the same command goes on where it stopped.

    **Examples**

    `linkvla data pack data/random --out packed/random`, then `linkvla train --data packed/random ...`
    """
    from linkvla.model.data.packing import pack_all

    done = pack_all(folder, out)
    typer.echo(f"{len(done)} recordings packed in {out}")


@data.command()
def unpack(
    archives: Annotated[Path, typer.Argument(metavar="DIR|FILE.tar", help="What `linkvla data pack` has written.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the recordings.")],
) -> None:
    """Make folders of packed shards again; the checksums are compared.

    **Examples**

    `linkvla data unpack packed/random --out data/random`
    """
    from linkvla.model.data.packing import unpack_all

    done = unpack_all(archives, out)
    typer.echo(f"{len(done)} recordings unpacked in {out}")
