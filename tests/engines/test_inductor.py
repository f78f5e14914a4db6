"""torch.compile with its own code generator, which takes a C++ compiler and a minute."""

from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from tests.steering_core.injection.test_compiled import check_compiled_in_place


# torch's own, on importing inductor.
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
def test_steer_module_compiled_by_inductor_is_steered_and_afterwards_not(subject: Any) -> None:
    chosen = subject("random")
    model = AutoModelForCausalLM.from_pretrained(chosen.folder)

    check_compiled_in_place(model, chosen.vector, "inductor")
