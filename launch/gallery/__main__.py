"""``python -m linkvla.launch.gallery``: pictures of what the embedded world looks like."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2

from linkvla.launch.carla_server.errors import CarlaServerError
from linkvla.launch.carla_server.process import SimServer
from linkvla.launch.gallery.scenes import SCENES

JPEG_QUALITY = 85
BAD_INPUT = 2


def main(arguments: list[str] | None = None) -> int:
    """Start a server, photograph the scenes, write one JPEG each; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m linkvla.launch.gallery",
        description="Photograph the embedded world through the CARLA client, on a server that is started for it: one "
        "picture per scene, DIR/NAME.jpg. Exit code 2 where that fails.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures")
    parser.add_argument(
        "--scene", action="append", choices=[scene.name for scene in SCENES], help="only this one; repeatable"
    )
    parser.add_argument("--port", type=int, help="port of the server that is started (default: a free one)")
    options = parser.parse_args(arguments)
    from linkvla.launch.gallery.photograph import Photographer  # late: --help needs no client

    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with SimServer(port=options.port) as server:
            photographer = Photographer(server.host, server.port)
            for scene in SCENES:
                if options.scene is None or scene.name in options.scene:
                    file = options.out / f"{scene.name}.jpg"
                    picture = photographer.take(scene)
                    file.write_bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
                    print(f"{file}: {scene.caption}", flush=True)
    except (CarlaServerError, RuntimeError, OSError) as error:
        print(f"linkvla gallery: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
