"""``linkvla scenario``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import FirstPort, Seed, Towns, out_option

Timeline = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What the car is told in words, and when: a timeline in YAML.")
]
Turns = Annotated[
    str, typer.Option(metavar="TURN,...", help="`left,straight`: at the next junctions, where no route is given.")
]

_EXIT_CODES = {"passed": 0, "ended without criteria": 0, "interrupted": 130}


def scenario(
    what: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO", help="An .xosc file, an .xml file of scenarios or routes, or a scenario's name."
        ),
    ],
    scenario_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Which one of an .xml file; its first if left out.")
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(metavar="linkvla|expert", help="Who drives; as an .xosc file says if left out, else linkvla."),
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="NAME|FOLDER", help="A shipped checkpoint's name, or a folder with one.")
    ] = None,
    options: Annotated[
        str, typer.Option(metavar="KEY=VALUE;...", help="Options of the agent, such as `language=on;threads=1`.")
    ] = "",
    instructions: Timeline = None,
    turns: Turns = "",
    server: Annotated[str, typer.Option(metavar="sim|carla|HOST:PORT", help="What it is driven on.")] = "sim",
    scenario_runner: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Checkout of scenario_runner; SCENARIO_RUNNER_ROOT if left out.")
    ] = None,
    python: Annotated[
        str | None, typer.Option(metavar="PROGRAM", help="Its interpreter; EVALUATOR_PYTHON, or this one, if left out.")
    ] = None,
    towns: Towns = None,
    out: Annotated[Path | None, out_option("output/scenario-DATE-TIME")] = None,
    seed: Seed = 0,
    port: FirstPort = 20_000,
    time_limit: Annotated[
        float, typer.Option(metavar="S", min=1.0, help="Seconds of wall clock for the scenario.")
    ] = 900.0,
    video: Annotated[bool, typer.Option(help="Write drive.mp4.")] = True,
) -> None:
    """Run a scenario of CARLA's scenario_runner with our agent at the wheel.

    Starts server, scenario and film, and ends them; leaves scenario_runner's verdict and ours (`result.json`,
    `table.txt`), the film, the logs and what the agent wrote down. Ctrl-C and SIGTERM end the scenario, with its
    verdict up to then.

    Exit code 0: passed, or ended where there are no criteria; 1: not passed; 2: it could not be started, or the server
    ended under way; 130: interrupted.

    **Examples**

    `linkvla scenario maple_walker`: a walker steps into the road, an example of ours

    `linkvla scenario my.xosc --instructions words.yaml`: your scenario, told in words what to do

    `linkvla scenario FollowLeadingVehicle_1 --agent expert --towns ~/towns`: one of scenario_runner's own
    """
    from linkvla.launch.scenario.run import run_scenario
    from linkvla.launch.scenario.settings import ScenarioSettings

    outcome = run_scenario(
        ScenarioSettings(
            what=what,
            scenario_id=scenario_id,
            agent=agent,
            checkpoint=checkpoint,
            options=options,
            instructions=instructions,
            turns=turns,
            server=server,
            scenario_runner=scenario_runner,
            python=python,
            towns=tuple(towns or ()),
            out=out,
            seed=seed,
            first_port=port,
            time_limit=time_limit,
            video=video,
        )
    )
    raise typer.Exit(_EXIT_CODES.get(outcome.status, 1))
