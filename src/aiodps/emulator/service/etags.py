"""Etags and `If-Match`: whether a record is still the one that its writer saw."""

from __future__ import annotations

from aiodps.emulator.service.refusals import ErrorCode, refusal

ANY = "*"
"""What `If-Match` says if any record will do."""


def check_etag(etag: str, if_match: str | None) -> None:
    """Refuse a change of a record that is not the one the writer saw.

    Args:
        etag: Of the record.
        if_match: As the header, or the member `etag` of a bulk item, gives it: with quotes or
            without (Microsoft's clients do either), several after commas, `*` for any; None if
            the writer did not say, which is any as well.

    Raises:
        ConflictError: If the record has another etag.
    """
    if if_match is None or _bare(etag) in (
        wanted := {_bare(each) for each in if_match.split(",")}
    ):
        return

    if ANY not in wanted:
        raise refusal(ErrorCode.PRECONDITION_FAILED, "Precondition failed.")


def _bare(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')
