"""LinkVLAConfig: everything about a LinkVLA that its weights depend on, plus how it is asked and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from transformers import InternVLConfig

from linkvla.model.data.view import CameraRig
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import POINTS
from linkvla.model.prompts import IMAGE_CONTEXT, NAVIGATION_STYLES, PADDING, SPECIAL_TOKENS, TARGET_POINT
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer
from linkvla.model.tokenizer.vocabulary import UnifiedVocabulary

TILES = 2
"""Image tiles, left and right halves of the view; no thumbnail (SimLingo)."""

DECODE_MODES = ("soft", "hard")

INTERPOLATIONS = ("area", "bicubic")

TARGET_POINT_ENCODERS = ("metres", "warped")

FORMAT_VERSION = 2
"""Of checkpoint folders. Version 1 had no number and left nano settings to defaults, see ``checkpoint_folder``."""

REFINEMENTS = ("bidirectional", "causal")

ACTION_HEADS = ("coarse_to_fine", "autoregressive", "regression")


class LinkVLAConfig(InternVLConfig):
    """InternVL's configuration and LinkVLA's additions. The defaults are the paper's, or SimLingo's, which it follows.

    - ``text_tokens``: rows of the table that are text; ``*_token_id``: those with a part to play, taken from the
      tokenizer by name (``vocabulary.special_token_ids``).
    - ``action_head``: how actions are read, "coarse_to_fine" (section 3.3), "autoregressive" (its variant in table 2)
      or "regression" (SimLingo's queries, the baseline).
    - ``refinement``: what the coarse tokens of pass 2 see of one another, "bidirectional" or "causal" (section 3.3 says
      neither).
    - ``grid``: keyword arguments of ActionTokenizer, written out in full.
    - ``decode``: "hard" (cell centres, the paper) or "soft" (local expectation, below the size of a cell; with
      coarse_to_fine the likelier of standing and going before the best cell, see ``decoding/stand_or_go.py``).
    - ``navigation``: what the driving prompt says, "target_point" (the paper's main rows), "command" (table 7), "both"
      or "none".
    - ``target_point_encoder``: "metres" (SimLingo's MLP on raw metres) or "warped" (scaled, log-warped, with the slot).
    - ``camera``: keyword arguments of CameraRig. ``interpolation``: how a view is resized, "bicubic" (InternVL) or
      "area". ``jpeg_quality``: of the JPEG round trip of driven frames, which gives them the artefacts of recorded
      ones; None for none. ``image_mean`` and ``image_std``: RGB, of values in 0..1.
    - ``regression_path_hidden`` and ``regression_waypoint_hidden``: widths inside the regression heads, SimLingo's by
      default.
    - ``format_version``: of the checkpoint folder.
    """

    model_type = "linkvla"
    format_version: int = FORMAT_VERSION
    text_tokens: int = 0
    padding_token_id: int = 0
    target_point_token_id: int = 6
    action_head: str = "coarse_to_fine"
    refinement: str = "bidirectional"
    grid: dict[str, Any] | None = None
    camera: dict[str, Any] | None = None
    regression_path_hidden: list | tuple = (512, 256)
    regression_waypoint_hidden: list | tuple = (256,)
    decode: str = "hard"
    navigation: str = "target_point"
    target_point_encoder: str = "metres"
    interpolation: str = "bicubic"
    jpeg_quality: int | None = 95
    image_mean: list | tuple = (0.485, 0.456, 0.406)
    image_std: list | tuple = (0.229, 0.224, 0.225)

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        self.grid = asdict(ActionTokenizer(**(self.grid or {})))
        self.camera = CameraRig(**(self.camera or {})).as_dict()
        self.check()

    def check(self) -> None:
        """Raise ConfigurationError for settings that cannot work together."""
        choices = {
            "decode": DECODE_MODES,
            "navigation": NAVIGATION_STYLES,
            "action_head": ACTION_HEADS,
            "refinement": REFINEMENTS,
            "target_point_encoder": TARGET_POINT_ENCODERS,
            "interpolation": INTERPOLATIONS,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigurationError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.jpeg_quality is not None and not 1 <= self.jpeg_quality <= 100:
            raise ConfigurationError(f"jpeg_quality must be 1..100, or None for no JPEG, got {self.jpeg_quality}")
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
        return POINTS


def driving_config(
    vision_config: Mapping[str, Any], text_config: Mapping[str, Any], text_tokens: int, **settings: Any
) -> LinkVLAConfig:
    """A LinkVLA on any backbone that InternVL's classes can build: what the two shapes below are made with.

    ``vision_config`` and ``text_config`` are those of transformers (``hidden_size`` and so on); vocabulary rows and
    image tokens follow from ``text_tokens``, the grid and the tile size. ``settings`` go to LinkVLAConfig. Raises
    ConfigurationError for a tile that is no whole number of image tokens.
    """
    vision = {"model_type": "internvl_vision", **vision_config}
    tile, patch = _side(vision.get("image_size", 448)), _side(vision.get("patch_size", 14))
    side = tile / patch * settings.setdefault("downsample_ratio", 0.5)
    if side != int(side) or side < 1:
        raise ConfigurationError(
            f"a tile of {tile} pixels in patches of {patch} gives {side:g} image tokens a side; choose sizes that fit"
        )
    grid = ActionTokenizer(**(settings.get("grid") or {}))
    rows = UnifiedVocabulary(text_tokens, grid.size).rows
    text = {"model_type": "qwen2", **text_config, "vocab_size": rows}
    # What decides about tying is the top level alone; the copy below only keeps the file honest.
    text["tie_word_embeddings"] = settings.setdefault("tie_word_embeddings", False)
    return LinkVLAConfig(
        vision_config={**vision, "image_size": [tile, tile], "patch_size": [patch, patch]},
        text_config=text,
        image_seq_length=int(side) ** 2,
        text_tokens=text_tokens,
        **settings,
    )


def _side(size: int | Sequence[int]) -> int:
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise ConfigurationError(f"tiles and patches must be square, got {size}")
    return int(sides.pop())


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

    ``settings`` go to LinkVLAConfig, over those that a nano has of its own: labels and decoding below the size of a
    cell, both kinds of navigation, warped target points, area averaging, one table for input and output. Token ids are
    those of ``vocabulary.train_text_tokenizer``.
    """
    grid = {"centre": "continuous", **(settings.pop("grid", None) or {})}
    own = {
        "grid": grid,
        "decode": "soft",
        "navigation": "both",
        "target_point_encoder": "warped",
        "interpolation": "area",
        "jpeg_quality": None,
        "tie_word_embeddings": True,
        "padding_token_id": SPECIAL_TOKENS.index(PADDING),
        "image_token_id": SPECIAL_TOKENS.index(IMAGE_CONTEXT),
        "target_point_token_id": SPECIAL_TOKENS.index(TARGET_POINT),
    }
    vision = {
        "hidden_size": vision_width,
        "num_hidden_layers": vision_layers,
        "num_attention_heads": vision_width // 32,
        "intermediate_size": 4 * vision_width,
        "image_size": tile_size,
        "patch_size": patch_size,
        "attention_bias": True,
        # The library's 0.1 suits pre-trained weights; from scratch the blocks must count from the first step.
        "layer_scale_init_value": 1.0,
    }
    text = {
        "hidden_size": text_width,
        "intermediate_size": text_hidden,
        "num_hidden_layers": text_layers,
        "num_attention_heads": text_width // 32,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "rope_theta": 1e4,
    }
    return driving_config(vision, text, text_tokens, **{**own, **settings})


INTERNVL2_1B_TEXT_TOKENS = 151_656
"""InternVL2-1B's 151,655 text tokens and ``<TARGET_POINT>``."""


def internvl2_1b_config(
    text_tokens: int = INTERNVL2_1B_TEXT_TOKENS,
    *,
    vision_config: Mapping[str, Any] | None = None,
    text_config: Mapping[str, Any] | None = None,
    **settings: Any,
) -> LinkVLAConfig:
    """The paper's network: InternVL2-1B (InternViT-300M and Qwen2-0.5B), 948.4 M parameters, untied, two 448-pixel
    tiles without a thumbnail, 512 image tokens.

    ``vision_config`` and ``text_config`` change single values of the shape, such as ``num_hidden_layers``;
    ``settings`` go to LinkVLAConfig. Token ids are those of InternVL2's tokenizer.
    """
    ids = {"padding_token_id": 151_643, "image_token_id": 151_648, "target_point_token_id": text_tokens - 1}
    vision = {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "image_size": 448,
        "patch_size": 14,
        "attention_bias": True,
        "use_qk_norm": False,
        "norm_type": "layer_norm",
        "layer_norm_eps": 1e-6,
        "use_mean_pooling": True,  # which is to say: no norm after the last layer
        "layer_scale_init_value": 0.1,
    }
    text = {
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32_768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,  # the class's own default is 1e4
    }
    return driving_config(
        {**vision, **(vision_config or {})}, {**text, **(text_config or {})}, text_tokens, **{**ids, **settings}
    )
