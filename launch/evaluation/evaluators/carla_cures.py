"""What CARLA's log says when it does not start, and what users have found to help."""

from __future__ import annotations

from pathlib import Path

from linkvla.launch.evaluation.evaluators.log_signs import beginning, tail

_VULKAN = (
    "install the GPU's Vulkan driver (apt install libvulkan1 vulkan-tools; vulkaninfo must list the GPU) and, "
    "in a container or on a data-centre GPU, set VK_ICD_FILENAMES to the driver's nvidia_icd.json"
)

_CURES = (  # the most telling first
    ("Refusing to run with the root", "CARLA refuses to run as root; run this as another user"),
    ("error while loading shared libraries", "A system library is missing; install the package that has it"),
    ("Permission denied", "Make the release's files executable: chmod -R u+x CARLA_ROOT"),
    ("Address already in use", "Another program holds the port; stop it, or let linkvla choose the ports"),
    ("bind error", "Another program holds the port; stop it, or let linkvla choose the ports"),
    ("Out of video memory", "The GPU is full; drive fewer routes side by side on it (--workers, --adapter)"),
    ("No space left on device", "The disk is full; make room"),
    ("VK_ERROR_INCOMPATIBLE_DRIVER", f"No Vulkan driver fits; {_VULKAN}"),
    ("ailed to find an ICD", f"No Vulkan driver was found; {_VULKAN}"),
    ("libvulkan", f"Vulkan is missing; {_VULKAN}"),
    ("Vulkan", f"Vulkan does not work here; {_VULKAN}"),
    ("xdg-user-dir", "Install xdg-user-dirs, which CARLA's launcher calls"),
    ("Signal 11", f"It crashed while it started, which most often is the graphics driver; {_VULKAN}"),
)


def cure(log: Path) -> str:
    """The known cure for what a server's log says; empty if there is none."""
    text = beginning(log) + tail(log)
    return next((help_for_it for sign, help_for_it in _CURES if sign in text), "")
