# What owners of endpoints are told by e-mail. Every language has the same messages; an endpoint is called a webhook, as its owners do.

subject-failing = Webhook “{ $name }” keeps failing
subject-disabled = Webhook “{ $name }” was disabled
subject-gone = Webhook “{ $name }” was disabled: its address is gone

what-failing = Your webhook “{ $name }” of { $organization } has failed { $failures ->
    [one] once
   *[other] { $failures } times
} in a row since { $since }.
what-disabled = Your webhook “{ $name }” of { $organization } has failed { $failures ->
    [one] once
   *[other] { $failures } times
} in a row since { $since }, so it was disabled.
what-gone = The receiver of your webhook “{ $name }” of { $organization } answered that it is gone for good (410 Gone) at { $since }, so the webhook was disabled.

address = Its address: { $url }

latest-status = The latest attempt was answered with the HTTP status { $status }.
latest-failure = The latest attempt failed: { $reason }.

then-failing = After { $max } failures in a row it will be disabled. Nothing is lost so far: what failed is tried again.
then-disabled = New events are not sent to it. What was pending is kept.

do-failing = Please look at the receiver: the delivery log of the webhook shows every request with its answer.
do-disabled = Mend the receiver, then activate the webhook again on its page or through the API; what was pending then leaves, slowly at first. The delivery log shows every request with its answer.

why = You receive this because your address is the one of the owner of { $organization }.

reason-url_refused = its URL breaks the rules
reason-address_refused = its name leads to an address that may not be used
reason-dns = its name could not be looked up
reason-connect = no connection could be made
reason-tls = no secure connection could be made; look at its certificate
reason-timeout = it did not answer in time
reason-bad_response = what it answered is not valid HTTP
reason-connection_closed = it closed the connection without an answer
reason-proxy = the proxy of the sending server failed
reason-status = its answer does not count as success
reason-request_invalid = the request could not be made; look at its custom headers and its secret
