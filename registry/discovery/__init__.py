"""Finding vectors: by words and facets, by direction, and by the base model that one has."""
