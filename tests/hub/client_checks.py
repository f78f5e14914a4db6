"""What a user of `huggingface_hub` does, run by an interpreter that has some version of it.

Standard library and that client alone. `HF_ENDPOINT` is the service; the argument is JSON that says what is
there. It ends with status 0 when everything is as it should be, else with a traceback.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


def refused(error: type[Exception], call: Any, *args: Any, **kwargs: Any) -> None:
    try:
        call(*args, **kwargs)
    except error as found:
        # There a GatedRepoError is a RepositoryNotFoundError too.
        if isinstance(found, GatedRepoError) == (error is GatedRepoError):
            return
        raise
    raise AssertionError(f"{call} was not refused")


def check(there: dict[str, Any]) -> dict[str, Any]:
    repo, sha256 = there["repo"], there["sha256"]
    api = HfApi(token=False)
    name = "vector.safetensors"

    paths = [
        hf_hub_download(repo, name, revision=revision, token=False)
        for revision in (None, there["version"], there["alias"], sha256[:40])
    ]
    assert len(set(paths)) == 1, paths
    assert hashlib.sha256(Path(paths[0]).read_bytes()).hexdigest() == sha256
    assert Path(paths[0]).parent.name == sha256[:40]

    folder = Path(snapshot_download(repo, revision=there["version"], token=False))
    assert sorted(path.name for path in folder.iterdir()) == there["files"]
    assert (folder / "README.md").read_text().startswith("---\n")
    assert json.loads((folder / "report.json").read_text())["verdict"] == "pass"

    info = api.model_info(repo, files_metadata=True)
    assert (info.id, info.sha, info.private) == (repo, sha256[:40], False)
    assert "steering-vector" in info.tags
    assert info.card_data.base_model == "bearing/demo"
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings}
    assert sizes[name] == Path(paths[0]).stat().st_size
    assert sorted(api.list_repo_files(repo, revision=there["version"])) == there["files"]
    assert [tag.name for tag in api.list_repo_refs(repo).tags] == [there["version"]]
    assert repo in [model.id for model in api.list_models(search=repo.partition("/")[2], limit=5)]
    assert (api.repo_exists(repo), api.repo_exists("acme/nothing")) == (True, False)
    assert (api.file_exists(repo, name), api.file_exists(repo, "model.safetensors")) == (True, False)

    header = api.parse_safetensors_file_metadata(repo, name)
    assert list(header.tensors) == ["resid_post.2"], header.tensors

    refused(RepositoryNotFoundError, hf_hub_download, "acme/nothing", name, token=False)
    refused(RepositoryNotFoundError, hf_hub_download, there["private"], name, token=False)
    refused(RevisionNotFoundError, hf_hub_download, repo, name, revision="9.9.9", token=False)
    refused(RevisionNotFoundError, api.model_info, repo, revision="refs/pr/1")
    refused(EntryNotFoundError, hf_hub_download, repo, "model.bin", token=False)
    refused(GatedRepoError, hf_hub_download, there["gated"], name, token=False)
    refused(HfHubHTTPError, api.model_info, repo, token="brg_wrong")

    private = hf_hub_download(there["private"], name, token=there["token"])
    assert Path(private).stat().st_size > 0
    assert api.whoami(token=there["token"])["name"] == there["user"]

    # Offline: what was fetched is there, by every name; nothing is asked.
    for revision in (there["version"], there["alias"], sha256[:40]):
        assert hf_hub_download(repo, name, revision=revision, local_files_only=True) == paths[0]
    refused(LocalEntryNotFoundError, hf_hub_download, repo, "other.bin", local_files_only=True)
    return {"client": huggingface_hub.__version__, "files": there["files"]}


if __name__ == "__main__":
    print(json.dumps(check(json.loads(sys.argv[1]))))
