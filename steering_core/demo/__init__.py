"""A small synthetic chat language, a base model trained on it, and exact scorers for its traits.

Words stand in `lexicon`, replies are drawn in `language`, read back in `grammar`, scored in `scoring`.
`python -m steering_core.demo` trains the model anew; the shipped one stands in `weights/`. No torch here.
"""

from steering_core.demo.datasets import demo_pairs, neutral_prompts
from steering_core.demo.paths import weights_path
from steering_core.demo.scoring import AXES, choose_scorer, demo_scorer

__all__ = ["AXES", "choose_scorer", "demo_pairs", "demo_scorer", "neutral_prompts", "weights_path"]
