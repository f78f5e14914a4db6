"""Which vectors may be applied to which model."""

from steering_core.errors import ModelMismatchError
from steering_core.spec import ModelIdentity
from steering_core.vector import SteeringVector


def check_vector(
    vector: SteeringVector,
    n_layers: int,
    d_model: int,
    identity: ModelIdentity | None,
    made_for: str | None = None,
) -> None:
    """Refuse a vector that belongs to another model.

    Args:
        n_layers, d_model, identity: of the model; the identity is None where it is not known.
        made_for: a model hash that is taken as well. Whoever names it may put a vector on a model of another
            depth; the blocks must exist all the same.

    Raises:
        ModelMismatchError: the sizes differ, or the model hash is neither the model's nor `made_for`.
    """
    its = vector.model
    if its.d_model != d_model or (its.n_layers != n_layers and its.model_hash != made_for):
        raise ModelMismatchError(
            f"the vector is for {its.name} with {its.n_layers} blocks of width {its.d_model}; this model has "
            f"{n_layers} blocks of width {d_model}. Load the model that the vector names"
        )
    known = [identity.model_hash] if identity else []
    known += [made_for] if made_for else []
    if known and its.model_hash not in known:
        this = f"this model is {identity.name} {identity.model_hash}" if identity else ""
        named = f"made_for names {made_for}" if made_for else ""
        raise ModelMismatchError(
            f"the vector is for {its.name} {its.model_hash}; {' and '.join(filter(None, (this, named)))}. "
            "A vector works on its own base model revision: extract it again for this one, or take it as it "
            "is by naming its hash with made_for="
        )
