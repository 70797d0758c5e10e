# One webhook.
webhook-tabs = Webhook
webhook-deliveries = Deliveries
webhook-edit = Edit
webhook-secret = Secret
webhook-recover = Recover
webhook-diagnose = Diagnose
webhook-code = Verification code
webhook-pause = Pause
webhook-activate = Activate
webhook-send-test = Send test event

banner-disabled = This webhook was disabled
banner-disabled-text = Nothing is sent to it any more. Repair your server, send a test event, and activate the webhook again; then recover what it missed.
banner-activate-again = Activate again
banner-recover = Recover missed events
banner-failing = { $count ->
    [one] { $count } attempt has failed
   *[other] { $count } attempts in a row have failed
}
banner-failing-since = It has been failing since
banner-failing-text = Open a delivery to see what the receiver answered and what to do. If it goes on like this, the webhook will be disabled.
banner-failing-rows = Show what waits for a retry
banner-paused = This webhook is paused
banner-paused-text = New events are not sent to it. What it misses meanwhile can be recovered later.

disabled-gone = The receiver answered that it is gone for good (status 410).
disabled-status = { $count ->
    [one] { $count } attempt failed; it was answered with status { $code }.
   *[other] { $count } attempts in a row failed; the last was answered with status { $code }.
}
disabled-cause = { $count ->
    [one] { $count } attempt failed because { $cause }.
   *[other] { $count } attempts in a row failed; the last because { $cause }.
}
failed-by-url-refused = its URL is not allowed
failed-by-address-refused = its host has a private or reserved address
failed-by-dns = its host’s name was not found
failed-by-connect = nobody accepted the connection
failed-by-tls = no secure connection could be made
failed-by-timeout = the answer took too long
failed-by-bad-response = the answer was not valid HTTP
failed-by-connection-closed = the connection was closed without an answer
failed-by-proxy = this server’s proxy failed
failed-by-request-invalid = the request could not be written

charts = Activity
charts-period = Period
charts-day = 24 hours
charts-week = 7 days
charts-table = As numbers
charts-hour = Hour
chart-volume = Attempts
chart-failures = Failures
chart-response-time = Response time
chart-p50 = Median
chart-p95 = 95th percentile
chart-attempts = { $count ->
    [one] { $count } attempt
   *[other] { $count } attempts
 }
chart-failed = { $count ->
    [one] { $count } failed, { $rate } succeeded
   *[other] { $count } failed, { $rate } succeeded
 }
chart-nothing = Nothing was sent
chart-times = Half within { $half }, 95% within { $most }
chart-no-answers = No answers
chart-bar = { $count ->
    [one] { $count } attempt, { $failed } failed
   *[other] { $count } attempts, { $failed } failed
 }
