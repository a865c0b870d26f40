"""The responses of the fast feed: a page, 304, or 429."""

from collections.abc import Sequence

from api.fast_feed.pages import FinishedPage
from api.fast_feed.requests import PATH, FeedRequest
from api.http.cursors import Cursors
from api.http.limits import TooManyRequestsError, rate_limit_headers
from api.http.plain_problems import not_signed_in, plain_problem
from api.http.responses import JSON, SAFE_HEADERS, render_feed_page
from api.loop.flask_adapter import answer_of
from api.loop.messages import Answer
from feed.errors import GraphShareUsedError
from feed.pages import FeedPage
from storage.limits import LimitUse, Policy


class Answers:
    """Makes the same responses as the view, under a policy of reads."""

    def __init__(self, cursors: Cursors, policy: Policy) -> None:
        self._cursors = cursors
        self._policy = policy
        self._common_headers = _encode(
            {
                **SAFE_HEADERS,
                "RateLimit-Policy": f'"{policy.name}";q={policy.quota};w={policy.window_seconds}',
            }
        )

    def finish(
        self, page: FeedPage, request: FeedRequest, digests: Sequence[bytes] | None = None
    ) -> FinishedPage:
        """The page's JSON, headers and ETag. `digests`: of its bodies, if they are known."""
        rendered = render_feed_page(
            page,
            self._cursors,
            path=PATH,
            viewer_id=request.token.user_id,
            limit=request.limit,
            digests=digests,
        )
        return FinishedPage(
            json=rendered.body,
            etag=rendered.etag.encode(),
            headers=self._common_headers + _encode(rendered.headers),
            body_headers=_encode({"Content-Type": JSON, "Content-Length": str(len(rendered.body))}),
        )

    def page(self, page: FinishedPage, request: FeedRequest, use: LimitUse) -> Answer:
        """The page, or 304 if the client has it."""
        limit = f'"{self._policy.name}";r={use.remaining};t={use.reset_seconds}'
        headers = [
            *page.headers,
            (b"ratelimit", limit.encode()),
            (b"x-request-id", request.request_id.encode()),
        ]
        if request.if_none_match == page.etag:
            return Answer(304, headers, b"")
        headers += page.body_headers
        return Answer(200, headers, page.json)

    def refusal(self, request: FeedRequest, use: LimitUse) -> Answer:
        """429: the viewer's quota is used up."""
        return self.refusal_for(TooManyRequestsError(self._policy, use), request, use)

    def refusal_for(
        self, error: TooManyRequestsError | GraphShareUsedError, request: FeedRequest, use: LimitUse
    ) -> Answer:
        """429 for this reason."""
        limits = rate_limit_headers([(self._policy, use)])
        problem = plain_problem(
            429,
            "too-many-requests",
            str(error),
            request_id=request.request_id,
            headers={**limits, "Retry-After": str(error.retry_after)},
        )
        return answer_of(problem)


def too_many_failing(policy: Policy, use: LimitUse, request_id: str) -> Answer:
    """429: many tokens of the client's network are not valid."""
    error = TooManyRequestsError(policy, use)
    problem = plain_problem(
        429,
        "too-many-requests",
        str(error),
        request_id=request_id,
        headers={"Retry-After": str(error.retry_after)},
    )
    return answer_of(problem)


def forged(request_id: str) -> Answer:
    """401: no key of ours has signed the token."""
    return answer_of(not_signed_in(request_id))


def _encode(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
