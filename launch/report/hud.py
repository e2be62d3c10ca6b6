"""The strip below the camera picture: what the car was told, how fast it goes, what it does about it."""

from __future__ import annotations

import cv2
import numpy as np

from linkvla.launch.report.birdeye import LIGHT_COLOURS
from linkvla.launch.report.view import DriveView

HEIGHT = 104  # px
BACKGROUND = (18, 21, 25)
TRACK = (48, 53, 60)
TEXT = (238, 240, 242)
FAINT = (140, 147, 156)
THROTTLE = (64, 220, 120)
BRAKE = (240, 84, 74)
STEER = (70, 150, 255)
ROUTE = (205, 175, 70)
TOLD = (247, 201, 72)


def draw_hud(view: DriveView, width: int) -> np.ndarray:
    """The strip, (HEIGHT, width, 3) uint8 RGB. Laid out for 640 px of width and more."""
    strip = np.full((HEIGHT, width, 3), BACKGROUND, dtype=np.uint8)
    draw_text(strip, f"{view.speed * 3.6:.0f}", (24, 56), 46, TEXT, bold=True)
    draw_text(strip, "km/h", (26, 80), 17, FAINT)
    draw_text(strip, view.command, (124, 42), 24, TEXT, bold=True)
    _draw_light(strip, view.light)
    left = int(width * 0.44)
    bar_width = int(width * 0.21)
    for row, (name, value, colour) in enumerate(
        (("throttle", view.throttle, THROTTLE), ("brake", view.brake, BRAKE), ("steer", view.steer, STEER))
    ):
        top = 16 + 22 * row
        draw_text(strip, name, (left, top + 12), 16, FAINT)
        _draw_bar(strip, (left + 76, top), bar_width, value, colour, centred=name == "steer")
    right = left + 76 + bar_width + 36
    if view.route_percent is not None:
        draw_text(strip, f"{view.route_percent:.0f} %", (right, 42), 24, TEXT, bold=True)
        draw_text(strip, "of the route", (right, 64), 16, FAINT)
    clock = right + (width - right) // 2
    minutes, seconds = divmod(view.simulated_seconds, 60.0)
    draw_text(strip, f"{int(minutes)}:{seconds:04.1f}", (clock, 42), 24, TEXT, bold=True)
    draw_text(strip, f"simulated, {view.real_time_ratio:.1f}x", (clock, 64), 16, FAINT)
    _draw_words(strip, view)
    done = round(width * min(max(view.route_percent or 0.0, 0.0), 100.0) / 100.0)
    cv2.rectangle(strip, (0, HEIGHT - 8), (width, HEIGHT), TRACK, cv2.FILLED)
    cv2.rectangle(strip, (0, HEIGHT - 8), (done, HEIGHT), ROUTE, cv2.FILLED)
    return strip


def draw_text(
    image: np.ndarray, text: str, origin: tuple[int, int], size: int, colour: tuple[int, int, int], bold: bool = False
) -> None:
    """Write ``text`` with its baseline's left end at ``origin``; ``size`` is the letters' height in pixels, about."""
    if hasattr(cv2, "FontFace"):  # OpenCV 5 draws true fonts; version 4 has the pen-plotter ones only
        cv2.putText(image, text, origin, colour, cv2.FontFace("sans"), size, 650 if bold else 400)
    else:
        scale = size / 32.0
        cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 2 if bold else 1, cv2.LINE_AA)


def _draw_words(strip: np.ndarray, view: DriveView) -> None:
    """One line below all: what it is told, and what it says."""
    if view.instruction:
        draw_text(strip, f"told: {view.instruction}", (124, 91), 15, TOLD)
    if view.said:
        draw_text(strip, f"says: {view.said}", (int(strip.shape[1] * 0.44), 91), 15, FAINT)


def _draw_light(strip: np.ndarray, light: str | None) -> None:
    colour = LIGHT_COLOURS.get(light or "")
    if colour is None:
        draw_text(strip, "no light ahead", (124, 72), 17, FAINT)
        return
    cv2.circle(strip, (132, 66), 8, colour, cv2.FILLED, cv2.LINE_AA)
    draw_text(strip, f"{light} light", (150, 72), 17, FAINT)


def _draw_bar(
    strip: np.ndarray,
    corner: tuple[int, int],
    width: int,
    value: float,
    colour: tuple[int, int, int],
    centred: bool,
) -> None:
    x, y = corner
    cv2.rectangle(strip, (x, y), (x + width, y + 12), TRACK, cv2.FILLED)
    if centred:
        middle = x + width // 2
        end = middle + round(width / 2 * min(max(value, -1.0), 1.0))
        cv2.rectangle(strip, (min(middle, end), y), (max(middle, end), y + 12), colour, cv2.FILLED)
        cv2.line(strip, (middle, y - 2), (middle, y + 14), FAINT, 1)
    elif value > 0.0:
        cv2.rectangle(strip, (x, y), (x + round(width * min(value, 1.0)), y + 12), colour, cv2.FILLED)
