"""LinkVLAConfig: everything about a LinkVLA that its weights depend on, plus how it is asked and read."""

from __future__ import annotations

from typing import Any

from transformers import InternVLConfig

from linkvla.model.data.view import CameraRig
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINTS
from linkvla.model.prompts import NAVIGATION_STYLES
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer
from linkvla.model.tokenizer.vocabulary import UnifiedVocabulary

TILES = 2
"""Image tiles, left and right halves of the view; no thumbnail (SimLingo)."""

DECODE_MODES = ("soft", "hard")

ACTION_HEADS = ("coarse_to_fine", "autoregressive", "regression")


class LinkVLAConfig(InternVLConfig):
    """InternVL's configuration and LinkVLA's additions.

    ``text_tokens``: rows of the table that are text. ``action_head``: how actions are read, "coarse_to_fine" (the
    paper), "autoregressive" (its AR variant) or "regression" (SimLingo's queries, the baseline);
    ``regression_path_hidden`` and ``regression_waypoint_hidden``: widths within the latter's two heads. ``grid``:
    keyword arguments of ActionTokenizer. ``camera``: keyword arguments of CameraRig. ``decode``: "soft" (local
    expectation) or "hard" (the paper: cell centres). ``navigation``: what the driving prompt says, "target_point",
    "command", "both" or "none". ``image_mean`` and ``image_std``: RGB, of values in 0..1.
    """

    model_type = "linkvla"
    text_tokens: int = 0
    padding_token_id: int = 0
    target_point_token_id: int = 6
    action_head: str = "coarse_to_fine"
    grid: dict[str, Any] | None = None
    camera: dict[str, Any] | None = None
    regression_path_hidden: list | tuple = (512, 256)
    regression_waypoint_hidden: list | tuple = (256,)
    decode: str = "soft"
    navigation: str = "both"
    image_mean: list | tuple = (0.485, 0.456, 0.406)
    image_std: list | tuple = (0.229, 0.224, 0.225)

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        self.grid = dict(self.grid or {})
        self.camera = CameraRig(**(self.camera or {})).as_dict()
        self.check()

    def check(self) -> None:
        """Raise ConfigurationError for settings that cannot work together."""
        choices = {"decode": DECODE_MODES, "navigation": NAVIGATION_STYLES, "action_head": ACTION_HEADS}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigurationError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.text_tokens and self.text_config.vocab_size < self.vocabulary.waypoint_goal + 1:
            raise ConfigurationError(
                f"the vocabulary needs {self.vocabulary.waypoint_goal + 1} rows for {self.text_tokens} text tokens and "
                f"{self.action_tokenizer.size} actions, the configuration has {self.text_config.vocab_size}"
            )

    @property
    def action_tokenizer(self) -> ActionTokenizer:
        """The log grid that this model speaks."""
        return ActionTokenizer(**self.grid)

    @property
    def vocabulary(self) -> UnifiedVocabulary:
        """The layout of the shared embedding table."""
        return UnifiedVocabulary(self.text_tokens, self.action_tokenizer.size)

    @property
    def camera_rig(self) -> CameraRig:
        """The camera that the model was trained with."""
        return CameraRig(**self.camera)

    @property
    def tile_size(self) -> int:
        """Pixels per side of a square tile."""
        size = self.vision_config.image_size
        return int(size[0] if isinstance(size, (list, tuple)) else size)

    @property
    def view_shape(self) -> tuple[int, int]:
        """(height, width) in pixels of what the network sees."""
        return self.tile_size, TILES * self.tile_size

    @property
    def image_tokens(self) -> int:
        """Image tokens of the whole view, both tiles."""
        return TILES * self.image_seq_length

    @property
    def slots(self) -> int:
        """Refined tokens: 20 path points, then 10 speed waypoints."""
        return PATH_POINTS + SPEED_WAYPOINTS


def nano_config(
    text_tokens: int,
    *,
    tile_size: int = 128,
    patch_size: int = 16,
    vision_width: int = 128,
    vision_layers: int = 3,
    text_width: int = 192,
    text_layers: int = 3,
    text_hidden: int = 512,
    **settings: Any,
) -> LinkVLAConfig:
    """A small InternVL-shaped LinkVLA to be trained from scratch on a CPU; about 3 M parameters by default.

    ``settings`` go to LinkVLAConfig (grid, camera, decode, navigation).
    """
    grid = ActionTokenizer(**(settings.get("grid") or {}))
    rows = UnifiedVocabulary(text_tokens, grid.size).rows
    return LinkVLAConfig(
        vision_config={
            "model_type": "internvl_vision",
            "hidden_size": vision_width,
            "num_hidden_layers": vision_layers,
            "num_attention_heads": vision_width // 32,
            "intermediate_size": 4 * vision_width,
            "image_size": [tile_size, tile_size],
            "patch_size": [patch_size, patch_size],
            "attention_bias": True,
            # The library's 0.1 suits pre-trained weights; from scratch the blocks must count from the first step.
            "layer_scale_init_value": 1.0,
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": rows,
            "hidden_size": text_width,
            "intermediate_size": text_hidden,
            "num_hidden_layers": text_layers,
            "num_attention_heads": text_width // 32,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "rope_theta": 1e4,
            "tie_word_embeddings": True,
        },
        image_token_id=5,
        image_seq_length=(tile_size // patch_size // 2) ** 2,
        downsample_ratio=0.5,
        tie_word_embeddings=True,
        text_tokens=text_tokens,
        **settings,
    )
