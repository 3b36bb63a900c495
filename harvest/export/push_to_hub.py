"""Upload an export to the Hugging Face Hub, after showing what becomes public."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from harvest.counts_as_text import count, count_images
from harvest.errors import Unreachable, UsageError
from harvest.licences import NO_ASSERTION, Licence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harvest.export.export_dataset import ExportResult

_LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN to a token that may write."
_REFUSED = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class HubTarget:
    """A dataset repository on the Hub: its name, and whether only its owner can read it."""

    repository: str  # NAME or OWNER/NAME
    private: bool = False


def check_target(target: HubTarget, *, nd: bool) -> None:
    """Raise `UsageError` for what would fail after the export: no package, no token, a wrong name, ND images."""
    if nd and not target.private:
        raise UsageError(
            "--nd exports images whose licence forbids derivatives, and --push would publish them.",
            "Leave out --nd, or add --private.",
        )
    if find_spec("huggingface_hub") is None:
        raise UsageError("--push needs huggingface_hub, which is not installed.", "pip install huggingface_hub")
    import huggingface_hub  # noqa: PLC0415 - an extra
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # noqa: PLC0415

    try:
        validate_repo_id(target.repository)
    except HFValidationError as error:
        raise UsageError(f"{target.repository!r} cannot be a repository: {error}", "Use OWNER/NAME.") from None
    if huggingface_hub.get_token() is None:
        raise UsageError("--push needs a token of the Hugging Face Hub.", _LOG_IN)


def describe_push(result: ExportResult, target: HubTarget) -> list[str]:
    """Return what a person must know before the upload."""
    import huggingface_hub  # noqa: PLC0415 - an extra

    images = result.dataset.images
    with _hub_errors_named(result.out, target):
        exists = huggingface_hub.HfApi().repo_exists(target.repository, repo_type="dataset")
    size = sum(path.stat().st_size for path in result.out.rglob("*") if path.is_file())
    who = "only you and your organization" if target.private and not exists else "everyone on the Internet"
    lines = [
        f"{count_images(len(images))} ({size / 1e6:,.0f} MB), with their titles, authors and addresses, for {who}.",
        "Licences: " + ", ".join(f"{name} ({number:,})" for name, number in result.dataset.count_licences().items()),
    ]
    if exists:
        lines.append(f"{target.repository} exists: its files are replaced, and its visibility stays as it is.")
    if unknown := result.dataset.count_licences()[NO_ASSERTION]:
        have = count(unknown, "of the images has", "of the images have")
        lines.append(f"{have} no known licence: you may not have the right to publish them.")
    if forbidden := sum(Licence(image.licence or None).forbids_derivatives for image in images):
        have = count(forbidden, "of the images has", "of the images have")
        lines.append(f"{have} a licence that forbids derivatives.")
    return lines


def push_to_hub(result: ExportResult, target: HubTarget) -> str:
    """Create the repository unless it exists, upload the export, and return its address."""
    import huggingface_hub  # noqa: PLC0415 - an extra

    api = huggingface_hub.HfApi(library_name="harvest")
    with _hub_errors_named(result.out, target):
        url = api.create_repo(target.repository, repo_type="dataset", private=target.private, exist_ok=True)
        api.upload_folder(
            repo_id=url.repo_id,
            repo_type="dataset",
            folder_path=result.out,
            commit_message=f"Export {count_images(len(result.dataset.images))} with harvest",
            delete_patterns="*",  # else files of an earlier export would be read too
        )
    return str(url)


@contextmanager
def _hub_errors_named(out: Path, target: HubTarget) -> Iterator[None]:
    """Turn the errors of the Hub and of the network into ours; the export stays."""
    from huggingface_hub import errors as hub  # noqa: PLC0415 - an extra

    again = f"The export is in {out}. To upload it later: hf upload {target.repository} {out} --repo-type dataset"
    try:
        yield
    except hub.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 0)
        if status in _REFUSED:
            problem = f"the Hub does not allow writing to {target.repository} ({status})."
            raise UsageError(problem, f"{_LOG_IN} {again}") from error
        raise Unreachable(f"the Hub refused the upload to {target.repository}: {error}", again) from error
    except (hub.HTTPError, OSError) as error:  # type: ignore[attr-defined]  # that of its HTTP client
        raise Unreachable(f"the Hub cannot be reached: {error}", again) from error
