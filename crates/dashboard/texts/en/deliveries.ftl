# What a webhook was sent.
status-pending = Pending
status-succeeded = Succeeded
status-failed = Failed

deliveries-kind = What is shown
deliveries-events = Events
deliveries-tests = Tests
deliveries-search = Search
deliveries-search-hint = Id, URL or error text
deliveries-status = Status
deliveries-type = Event type
deliveries-record = Record
deliveries-span = Time
deliveries-any = Any
deliveries-exact = Exact times
deliveries-since = From
deliveries-until = Until
deliveries-filter = Filter
deliveries-clear = Clear filters
span-last-hour = Last hour
span-last-day = Last 24 hours
span-last-week = Last 7 days
span-last-month = Last 30 days

deliveries-wrong = That cannot be looked for:
deliveries-wrong-search = Search for at most 200 characters, without control characters.
deliveries-wrong-record = Name a record by its type and id with a colon between, such as deal:42.
deliveries-wrong-moment = Enter a date and a time.
deliveries-wrong-order = The end must be later than the beginning.

deliveries-none = Nothing has been sent yet. As soon as an event happens that this webhook subscribes to, its delivery appears here by itself.
deliveries-no-tests = No test event has been sent yet.
deliveries-none-such = No delivery fits these filters.
deliveries-none-here = Nothing found among the newest deliveries. Older ones have not been looked at yet.

deliveries-event = Event
deliveries-created = Time
deliveries-attempts = Attempts
deliveries-answer = Last answer
deliveries-next = Next attempt
deliveries-no-answer = No answer
fail-reason-exhausted = No attempts left
fail-reason-gone = The receiver is gone (410)
fail-reason-expired = Its event is no longer kept
fail-reason-endpoint_deleted = Its webhook was deleted
fail-reason-erased = Its event was erased

live-hold = Pause updates
live-go-on = Resume updates
