"""What Schemathesis cannot know of this API, for the black-box test `outside`.

Its check `positive_data_acceptance` takes every request that fits the document's schemas for a right one. Some rules are no matter of a schema: they
ask what happened before, what the time is, or what a name means. An answer that gives nothing but such rules as its reason is right; all others
are left to the check itself, so that it stays as strict as it was about everything else.
"""

import re

import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

# Problems that tell of what happened before, with the page /docs/problems that explains them.
OF_THE_PAST = {
    "/docs/problems#limit-reached",
    "/docs/problems#event-id-reused",
    "/docs/problems#idempotency-key-reused",
}

# A mistake's pointer and detail, and why no schema says that.
BEYOND_SCHEMAS = [
    (r"/(cursor|after)", r"", "what an earlier answer gave, checked against tampering"),
    (r"/(since|until|expires_at)", r"must be (after|before|in the)", "one time compared with another, or with now"),
    (r"/id", r"id in the path", "what the path says"),
    (r"/filter", r"", "a language of its own"),
    (r"(/webhook)?/ur[li]", r"", "the guard judges where it leads"),
    (r"(/webhook)?/events/\d+", r"event type", "the contract's catalogue"),
    (r"(/events/\d+)?/type", r"event type|is not", "the contract's catalogue"),
    (r"/secret", r"", "the contract's rules for secrets"),
    (r"/headers/.*", r"", "names that HTTP or the contract owns (RFC 9110)"),
    (r"/(since|until)", r"days before", "how long a span is in all"),
    (r"/secret_kind", r"kinds of secret", "the contract's kinds of secret"),
    (r"/frame_ancestors/\d+", r"must be an origin", "https, or http on this machine itself, without a path (RFC 6454)"),
    (r"/(contract|plan)", r"is not|has no plans", "what the operator has loaded"),
    (r"/endpoint", r"no endpoint of this", "what exists"),
    (r"/search", r"beside `endpoint`", "one of two"),
    (r"/(overlap|expires_in)", r"", "how long a duration is in all"),
    (r"(/events/\d+)?/resource/(id|ids)", r"beside id|is missing", "one of two, and `null` counts as left out"),
    (r".*/(id|ids|type)(/\d+)?", r"\d+ bytes", "a schema counts characters, not bytes"),
    (r"(/events/\d+)?/(changes|previous)(/.*)?", r"", "one of two, whose members have names of the caller's own"),
    (r"(/events/\d+)?/data", r"deep", "how deep it is nested"),
    (r"/webhook", r"one place", "wrapped or flat"),
    (r"(/webhook)?/(name|url|events)", r"is missing", "wrapped or flat, and what must be there at creation alone"),
]


def is_beyond_schemas(mistake):
    def fits(rule):
        pointer, detail, _ = rule
        return re.fullmatch(pointer, mistake["pointer"], re.DOTALL) and re.search(detail, mistake["detail"])

    return any(fits(rule) for rule in BEYOND_SCHEMAS)


@schemathesis.check
def valid_data_is_accepted(ctx, response, case):
    if response.status_code in (400, 422):
        problem = response.json()
        mistakes = problem.get("errors", [])
        if problem["type"] in OF_THE_PAST or (mistakes and all(map(is_beyond_schemas, mistakes))):
            return None
    return positive_data_acceptance(ctx, response, case)
