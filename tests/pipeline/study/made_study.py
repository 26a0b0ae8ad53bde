"""A small study of made clips: two random sets of unseen actions, two presets, two seeds."""

from pathlib import Path

DESCRIPTIONS = Path(__file__).parents[3] / "descriptions" / "demo.csv"
STUDY = """
presets = ["default", "released"]
seeds = [5, 6]

[settings]
seed = 11
device = "cpu"
preprocess = { fps = 10, workers = 1 }
backbone = { frames = 8, epochs = 1, keep = "last", batch_size = 8, learning_rate = 0.005, schedule = "one-cycle" }
text = { encoder = "minilm" }
model = { features = "half-whitened" }  # so that a backbone of one epoch will do
train = { cycles = 1, steps_per_cycle = 5, workers = 1 }
evaluate.classifier = { samples = 20, steps = 20 }

[datasets.tiny]
raw = ["raw/setup1", "raw/setup2.zip"]
train_subjects = [1, 3, 4]
descriptions = "descriptions.csv"
fps = 10
splits = { random = 2, unseen = 2, seed = 1 }
"""


def lay_out_study(root: Path, raw: Path) -> Path:
    """Put study.toml, the descriptions and a link to the clips `raw` into the folder `root`, and return it."""
    root.mkdir(parents=True)
    (root / "raw").symlink_to(raw, target_is_directory=True)
    (root / "descriptions.csv").write_bytes(DESCRIPTIONS.read_bytes())
    (root / "study.toml").write_text(STUDY, "utf-8")
    return root
