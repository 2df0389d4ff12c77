"""Ways to see where in a picture words were found, with a CLIP transformer: python -m tests.benchmarks.shapes

A small CLIP is taught coloured shapes (`--seconds`), then pictures of four shapes, or of two of any size, are made and
each shape is looked for. A hit is a map whose highest place lies in the shape's box: the pointing game, see
`tests.benchmarks.pointing`. No trained transformer comes with this project; what a small one says of the ways is not
what a large one would, but the same for all of them.
"""

import argparse
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from transformers import CLIPConfig, CLIPModel

from clipsearch.encoders.base import Encoder, ProbabilityHead
from clipsearch.images.preprocess import Preprocess, to_pixel_values
from tests.benchmarks.patch_maps import PATCH_MAPS, PatchMap
from tests.benchmarks.pointing import WAYS, Text, Way, middle_of_highest, wilson

SIDE, PATCH = 96, 12
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 80, 220),
    "yellow": (235, 215, 50),
    "purple": (150, 60, 180),
    "orange": (245, 140, 30),
    "white": (245, 245, 245),
    "black": (15, 15, 15),
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
THINGS = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
WORDS = {word: number for number, word in enumerate([*COLOURS, *SHAPES, "<start>", "<pad>", "<end>"])}

# A thing has two words; four things at most, a start and an end.
CONTEXT = 10

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Scene:
    image: Image.Image
    things: list[str]
    boxes: list[Box]  # left, top, right, bottom in pixels


def draw(canvas: ImageDraw.ImageDraw, thing: str, box: Box) -> None:
    name, shape = thing.split()
    colour = COLOURS[name]
    left, top, right, bottom = box
    side = right - left
    if shape == "circle":
        canvas.ellipse(box, fill=colour)
    elif shape == "square":
        canvas.rectangle(box, fill=colour)
    elif shape == "ring":
        canvas.ellipse(box, outline=colour, width=max(2, round(side / 6)))
    elif shape == "triangle":
        canvas.polygon([(left + side / 2, top), (right, bottom), (left, bottom)], fill=colour)
    elif shape == "cross":
        third = side / 3
        canvas.rectangle((left + third, top, right - third, bottom), fill=colour)
        canvas.rectangle((left, top + third, right, bottom - third), fill=colour)
    else:
        angles = np.pi * np.arange(10) / 5 - np.pi / 2
        reach = np.where(np.arange(10) % 2 == 0, side / 2, side / 5)
        points = np.stack([left + side / 2 + reach * np.cos(angles), top + side / 2 + reach * np.sin(angles)], axis=1)
        canvas.polygon([(float(x), float(y)) for x, y in points], fill=colour)


def make_scene(rng: np.random.Generator, count: int, sizes: tuple[float, float]) -> Scene:
    """`count` different things that don't overlap, each as large as a share of the picture within `sizes`."""
    ground = rng.integers(70, 190, 3) + rng.normal(0, 25, (6, 6, 3))
    image = Image.fromarray(ground.clip(0, 255).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    noisy = np.asarray(image) + rng.normal(0, 8, (SIDE, SIDE, 1))
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    canvas, boxes = ImageDraw.Draw(image), list[Box]()
    things = [THINGS[number] for number in rng.choice(len(THINGS), count, replace=False)]
    while len(boxes) < count:
        side = SIDE * float(np.exp(rng.uniform(*np.log(sizes))))
        left, top = rng.uniform(0, SIDE - side, 2).tolist()
        box = (left, top, left + side, top + side)
        if all(box[0] >= b[2] or box[2] <= b[0] or box[1] >= b[3] or box[3] <= b[1] for b in boxes):
            draw(canvas, things[len(boxes)], box)
            boxes.append(box)
        elif rng.random() < 0.02:  # there may be no place left
            return make_scene(rng, count, sizes)
    return Scene(image, things, boxes)


def to_ids(texts: Sequence[Sequence[str]]) -> torch.Tensor:
    """Things of each text → (n, CONTEXT) input ids."""
    rows = [[WORDS["<start>"], *(WORDS[word] for thing in text for word in thing.split())] for text in texts]
    return torch.tensor([[*row, *[WORDS["<end>"]] * (CONTEXT - len(row))] for row in rows])


class ShapesEncoder:
    """As `clipsearch.encoders.base.Encoder`, for texts that are one thing."""

    name, fingerprint, dim, context_length, batch_size = "shapes", "shapes", 64, CONTEXT, 64
    head = ProbabilityHead("softmax", 100.0)
    preprocess = Preprocess(SIDE, SIDE, SIDE, 3, 1 / 255, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))

    def __init__(self, folder: Path | None = None) -> None:
        tower = {"hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 8, "num_attention_heads": 6}
        vision = {**tower, "image_size": SIDE, "patch_size": PATCH}
        ids = {"bos_token_id": WORDS["<start>"], "pad_token_id": WORDS["<pad>"], "eos_token_id": WORDS["<end>"]}
        text = {**tower, **ids, "num_hidden_layers": 2, "vocab_size": len(WORDS), "max_position_embeddings": CONTEXT}
        torch.manual_seed(0)
        config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=self.dim)
        self.model: Any = CLIPModel.from_pretrained(folder) if folder else CLIPModel(config)
        self.model.eval()

    def encode_images(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.no_grad():
            features = self.model.get_image_features(pixel_values=self.pixel_values(crops)).pooler_output
        return np.asarray(torch.nn.functional.normalize(features, dim=-1).numpy(), dtype=np.float32)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        with torch.no_grad():
            features = self.model.get_text_features(input_ids=to_ids([[text] for text in texts])).pooler_output
        return np.asarray(torch.nn.functional.normalize(features, dim=-1).numpy(), dtype=np.float32)

    def count_tokens(self, text: str) -> int:
        return 2 + len(text.split())

    def close(self) -> None:
        pass

    def pixel_values(self, crops: NDArray[np.uint8]) -> torch.Tensor:
        return torch.from_numpy(to_pixel_values(crops, self.preprocess))

    def learn(self, seconds: float, *, batch: int) -> None:
        """Contrastive, as CLIP: pictures of one to four things, texts that name them in any order. On a GPU if there is
        one; the pictures are drawn by as many processes as there are cores."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = self.model.to(device).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
        workers = os.cpu_count() or 1
        start, step = time.perf_counter(), 0
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            # One thing alone for a third of the time: names first.
            lessons = deque(pool.submit(draw_lesson, seed, batch, 1) for seed in range(2 * workers))
            while (spent := (time.perf_counter() - start) / seconds) < 1:
                crops, input_ids = lessons.popleft().result()
                lessons.append(pool.submit(draw_lesson, step + 2 * workers, batch, 4 if spent > 1 / 3 else 1))
                for group in optimizer.param_groups:
                    group["lr"] = 1e-3 * min(1.0, (step + 1) / 200) * max(0.02, 1 - spent)
                pixel_values = self.pixel_values(crops).to(device)
                output = model(input_ids=input_ids.to(device), pixel_values=pixel_values, return_loss=True)
                optimizer.zero_grad()
                output.loss.backward()
                optimizer.step()
                model.logit_scale.data.clamp_(max=np.log(100))
                if step % 100 == 0:
                    print(f"step {step}, loss {output.loss.item():.3f}", flush=True)
                step += 1
            for lesson in lessons:
                lesson.cancel()
        print(f"taught for {step} steps of {batch} pictures on {device}", flush=True)
        self.model = model.to("cpu").eval()


def draw_lesson(seed: int, batch: int, most: int) -> tuple[NDArray[np.uint8], torch.Tensor]:
    """(batch, SIDE, SIDE, 3) pictures of at most so many things, and (batch, CONTEXT) input ids that name them."""
    rng = np.random.default_rng([1, seed])
    scenes = []
    for _ in range(batch):
        count = int(rng.integers(1, most + 1))
        scenes.append(make_scene(rng, count, (0.2, 0.9) if count == 1 else (0.18, 0.45)))
    texts = [[str(thing) for thing in rng.permutation(scene.things)] for scene in scenes]
    return np.stack([np.asarray(scene.image, dtype=np.uint8) for scene in scenes]), to_ids(texts)


def patches(way: PatchMap) -> Way:
    def point(encoder: Encoder, image: Image.Image, text: Text) -> tuple[float, float]:
        assert isinstance(encoder, ShapesEncoder)
        pixel_values = encoder.pixel_values(np.asarray(image, dtype=np.uint8)[None])
        return middle_of_highest(way(encoder.model, pixel_values, text))

    return point


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--batch", type=int, default=128, help="pictures a step")
    parser.add_argument("--folder", type=Path, help="where the taught model is kept; one that is there is taken")
    parser.add_argument("--pictures", type=int, default=100)
    arguments = parser.parse_args()
    kept = arguments.folder and arguments.folder.is_dir()
    encoder = ShapesEncoder(arguments.folder if kept else None)
    if not kept:
        encoder.learn(arguments.seconds, batch=arguments.batch)
        if arguments.folder:
            encoder.model.save_pretrained(arguments.folder)
    rng = np.random.default_rng(2)
    named = [make_scene(rng, 1, (0.2, 0.9)) for _ in range(400)]
    rows = encoder.encode_images(np.stack([np.asarray(scene.image, dtype=np.uint8) for scene in named]))
    best = (rows @ encoder.encode_texts(THINGS).T).argmax(1)
    right = np.mean([THINGS[number] == scene.things[0] for number, scene in zip(best, named, strict=True)])
    print(f"one thing alone is named right: {right:.3f} of {len(named)} (by chance {1 / len(THINGS):.3f})")
    for title, count, sizes in (("four things", 4, (0.2, 0.35)), ("two of any size", 2, (0.15, 0.6))):
        scenes = [make_scene(rng, count, sizes) for _ in range(arguments.pictures)]
        asked = [(scene.image, *pair) for scene in scenes for pair in zip(scene.things, scene.boxes, strict=True)]
        chance = np.mean([(box[2] - box[0]) * (box[3] - box[1]) / SIDE**2 for _, _, box in asked])
        print(f"\n{title}, n = {len(asked)}, by chance {chance:.3f}\n{'way':12} {'points right':>24} {'median ms':>10}")
        for name, point in {**WAYS, **{name: patches(way) for name, way in PATCH_MAPS.items()}}.items():
            hits, seconds = [], []
            for image, thing, (left, top, far, bottom) in asked:
                text = encoder.encode_texts([thing])[0]
                start = time.perf_counter()
                x, y = point(encoder, image, text)
                seconds.append(time.perf_counter() - start)
                hits.append(left <= x * SIDE <= far and top <= y * SIDE <= bottom)
            low, high = wilson(float(np.mean(hits)), len(hits))
            shown = f"{np.mean(hits):.3f} ({low:.3f} to {high:.3f})"
            print(f"{name:12} {shown:>24} {1000 * float(np.median(seconds)):10.0f}", flush=True)


if __name__ == "__main__":
    main()
