"""The documentation: `site` renders docs/*.md, `reference` docs/openapi.json, `search` looks in both."""
