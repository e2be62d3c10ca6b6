"""A tiny LoRA run on made-up lessons, the same in every process: shared by the tests of engines. Not a test itself."""

import numpy as np
import torch

from linkvla.model import prompts
from linkvla.model.configuration_linkvla import nano_config
from linkvla.model.data.sample import Sample
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.tokenizer.vocabulary import train_text_tokenizer
from linkvla.model.training.batches import collate
from linkvla.model.training.engine import make_engine
from linkvla.model.training.lora import apply_lora, lora_settings
from linkvla.model.training.objectives.objective import Objective
from linkvla.model.training.recipe import Recipe
from linkvla.model.training.tasks import Lesson, Order, Task

SAMPLES = 6
WHOLE = range(SAMPLES)
HALVES = (range(3), range(3, SAMPLES))
"""Rows of the batch that two processes share. Rows 1 and 2 are understanding, so the second half has none of them."""

RATE = 1e-2


class Run:
    """Network, objective and engine; ``settings`` go to the recipe."""

    def __init__(self, engine, lora_dropout=0.0, **settings):
        torch.manual_seed(0)
        values = {"dtype": "float32", "threads": 1, "batch_size": 3, "brightness": 0.0, "contrast": 0.0}
        values |= {"lora_rank": 2, "lora_alpha": 4, "lora_dropout": lora_dropout}
        self.recipe = Recipe(total_samples=60, engine=engine, **{**values, **settings})
        tokenizer = train_text_tokenizer()
        self.config = nano_config(
            len(tokenizer.get_vocab()),
            tile_size=64,
            vision_width=32,
            vision_layers=2,
            text_width=64,
            text_layers=2,
            text_hidden=96,
        )
        self.config.tie_word_embeddings = self.config.text_config.tie_word_embeddings = False
        model = LinkVLAForDriving(self.config)
        model.reset_for_scratch()
        apply_lora(model, lora_settings(self.recipe))
        self.processor = LinkVLAProcessor(self.config, tokenizer)
        self.engine = make_engine(self.recipe, Objective(self.recipe, model.train()))

    def batch(self, rows):
        """Those rows of one fixed batch."""
        rng = np.random.default_rng(5)
        samples, lessons, noise = [], [], rng.standard_normal((SAMPLES, 2, 2))
        for n in range(SAMPLES):
            ahead = np.arange(20.0) * (1 + 0.1 * n)
            path = np.stack([ahead, 0.01 * n * ahead**2], axis=-1).astype(np.float32)
            view = rng.integers(0, 255, (*self.config.view_shape, 3), dtype=np.uint8)
            points, target_points = np.concatenate([path, path[:10]]), path[[9, 19]]
            samples.append(Sample(view, path, path[:10], 3.0, target_points, 4, 4, 0.0))
            if n in (1, 2):
                cells = self.config.action_tokenizer.encode(torch.from_numpy(points)).numpy()
                turn = prompts.description_turn(3.0, "Command: follow the road.", cells, "Go on" + " on" * n)
                lessons.append(Lesson(Task.COMMENTARY, Order.UNDERSTAND, turn, points, target_points))
            else:
                turn = prompts.commentary_turn(3.0, "Command: follow the road.", "Go" + " on" * n)
                lessons.append(Lesson(Task.COMMENTARY, Order.GENERATE, turn, points, target_points))
        rows = list(rows)
        batch = collate([samples[n] for n in rows], [lessons[n] for n in rows], self.processor, self.recipe, rng)
        for part, order in ((batch.generation, Order.GENERATE), (batch.understanding, Order.UNDERSTAND)):
            if part is not None:
                mine = [n for n in rows if lessons[n].order is order]
                part.end_point_noise = torch.from_numpy(noise[mine].astype(np.float32))
        return batch

    def step(self, rows):
        """One step; its figures and the gradient's norm."""
        outcome = self.engine.step(self.batch(rows), RATE)
        return {**outcome.figures, "norm": outcome.gradient_norm}

    def weights(self):
        """The network's parameters, copied."""
        with self.engine.whole() as model:
            return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
