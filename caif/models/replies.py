"""What a server's reply means: an answer, a refusal, a reason to wait, a fault of the row, or the end of the run."""

import math
import time
from typing import Any

from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer, Model
from caif.text import whole

NO_CREDIT = "the account has no credit left; nothing that was answered is lost: run again to go on"
REMEDIES = {
    401: "the key is missing or wrong: set {key}",
    403: "the key in {key} may not use this model",
    404: "check the model's name and base_url; the model may have been retired (shutdown_date in the server's list of models)",
}
NAMELESS = "the variable that api_key_env names"


def read_message(message: Any) -> Answer:
    """Return what a chat model's message says, with refusals and filters told from answers: all have content ''."""
    usage = message.usage_metadata or {}
    cost = {"tokens_in": usage.get("input_tokens", 0), "tokens_out": usage.get("output_tokens", 0)}
    reason = str(message.response_metadata.get("finish_reason") or message.response_metadata.get("stop_reason") or "")
    text = message.content if isinstance(message.content, str) else str(message.text)
    if message.additional_kwargs.get("refusal") or reason == "refusal":
        return Answer("", "refused", detail=whole(str(message.additional_kwargs.get("refusal", "")))[:500], **cost)
    if reason in ("content_filter", "safety", "SAFETY"):
        return Answer("", "filtered", detail=reason, **cost)
    return Answer(whole(text).strip(), "length" if reason in ("length", "max_tokens") else "stop", **cost)


def status_of(error: BaseException) -> int:
    """Return the HTTP status an exception carries, 0 if none."""
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else 0


def is_pushback(error: BaseException) -> bool:
    """Whether the server says that it is too much. A 500 is its own trouble and no reason to slow down."""
    return status_of(error) in (429, 503, 529)


def is_refusal_of_row(error: BaseException) -> bool:
    """Whether the server says that this very request is wrong, for example too long: asking again changes nothing."""
    return status_of(error) in (400, 405, 406, 411, 413, 414, 415, 422)


def name_of(error: BaseException) -> str:
    """Return the class of an error and the HTTP status it carries, which is all that is shown of it."""
    return " ".join(filter(None, [type(error).__name__, str(status_of(error) or "")]))


def refuse_if_hopeless(error: BaseException, model: Model) -> None:
    """Stop the run where no retry can help. The server's own text is not shown: it may echo the key."""
    what = f"the server of {model.id} answers {status_of(error)}"
    if (status := status_of(error)) in REMEDIES:
        key = f"the environment variable {model.key_env}" if model.key_env else NAMELESS
        raise CaifError(what, REMEDIES[status].format(key=key)) from None
    if status == 402 or getattr(error, "code", None) == "insufficient_quota":  # a 429 that no waiting mends
        raise CaifError(what, NO_CREDIT, code=STOPPED) from None


def retry_after(error: BaseException) -> float:
    """Return how many seconds the server asks to wait, from its Retry-After header; 0 if it does not say."""
    from email.utils import parsedate_to_datetime

    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = headers.get("retry-after")
    if value is None:
        return 0.0
    try:
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else 0.0
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (ValueError, OverflowError):
            return 0.0
