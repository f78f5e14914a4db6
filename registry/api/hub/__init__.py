"""The interface of the Hugging Face Hub, as far as its stock client needs it to find and fetch vectors.

With `HF_ENDPOINT` set to this service, a vector is a model repository: its versions are revisions, its file,
card, manifest, report and certificate are its files. `urls` has the paths, `content` the files, `serving` who
sends them. docs/client.md shows the use, ADR 0020 why it is like this.
"""
