# What people do with one webhook: its secret, what it missed, its end.
webhook-delete = Delete
actions-wrong = Something is not right yet

secret-new = Your new secret
secret-once = Copy it now and put it into your server. It is shown this once and never again.
secret-public-key = Public key
secret-public-key-help = Your server verifies with this key. It is no secret.
secret-old-public-key = The old public key
secret-overlap = Two secrets work at the moment
secret-old-ends-in = The old secret stops working in
secret-comes-first = Signature that comes first
secret-first-old = The old secret’s. Servers that read a single signature go on verifying.
secret-first-new = The new secret’s
secret-confirmed = You confirmed that your servers have the new secret. The old one is deleted by itself when its time is over.
secret-step-update = Put the new secret into every server that receives this webhook. While both secrets work, each of them verifies every delivery.
secret-step-test = Check that it verifies.
secret-to-test = Send a test event
secret-step-confirm = Once all of your servers have the new secret, confirm it here.
secret-confirm = My servers have the new secret
secret-end = End the old secret now
secret-end-help = Servers that still hold the old secret will refuse deliveries from then on.
secret-unsigned = Deliveries of this webhook are not signed, so there is no secret.
secret-rotate = Replace the secret
secret-rotate-text = The secret signs every delivery, so that your server knows that it is genuine. Replace it regularly, when someone who knew it leaves, and at once when it may have leaked.
secret-rotate-go = Replace the secret
secret-set = Set a secret
secret-set-text = This webhook has no secret, so its deliveries are not signed and your server cannot tell who sent them.
secret-set-go = Set the secret
secret-leak = Has a secret leaked?
secret-leak-text = A further secret replaces both at once. Deliveries fail until your servers have it; failed ones are sent again.
secret-leak-go = Replace both secrets now
secret-kind = The new secret
secret-kind-generated = Generate one for me
secret-kind-own = Use my own
secret-own = Your secret
secret-own-help = Choose something long and random. It is stored encrypted.
secret-own-missing = Enter your secret, or have one generated.
secret-when = The old secret
secret-when-later = goes on working for a while, so that no delivery is lost while you update your servers
secret-when-lasts = How long both work
secret-when-now = stops working at once, because it leaked: deliveries fail until your servers have the new one
secret-open-already = A replacement is open already. Confirm or end it before you begin another.

recover-title = Send again what was missed
recover-text = Sends again whatever did not arrive in a span of time: deliveries that failed for good, and events that came while this webhook was paused, disabled or not there yet. What arrived, or is still being tried, is left alone.
recover-span = Which span?
recover-since-paused = Since it was paused
recover-since-disabled = Since it was disabled
recover-since-failing = Since it began to fail
recover-last-hour = The last hour
recover-last-day = The last 24 hours
recover-last-week = The last 7 days
recover-last-month = The last 30 days
recover-own = A span of your own
recover-since = From
recover-until = To
recover-zone-utc = Times are in UTC. Without an end, until now.
recover-zone-own = Times are in your own time zone. Without an end, until now.
recover-no-moment = That is no date and time.
recover-since-missing = Say from when on.
recover-count = Count first
recover-would-send = { $count ->
    [one] 1 delivery would be sent again
   *[other] { $count } deliveries would be sent again
}
recover-would-send-more = { $count ->
    [one] 1 delivery or more would be sent again
   *[other] { $count } deliveries or more would be sent again
}
recover-failed = Failed deliveries
recover-missed = Events that were never sent
recover-nothing = Nothing was missed in this span
recover-how = Oldest first and beside new events, no faster than your server takes them.
recover-start = Send them again
recover-not-active = Nothing is sent to this webhook at the moment. Activate it first, then send again what it missed.
recover-activate = Activate
recover-past = Past recoveries
recover-past-none = None so far.
recover-begun-at = Begun
recover-status = Status
recover-sent = Sent again

recovery-title-running = Sending again…
recovery-title-succeeded = Everything was sent again
recovery-title-failed = The recovery was given up
recovery-status-running = Running
recovery-status-succeeded = Done
recovery-status-failed = Given up
recovery-counting = Counting…
recovery-done = { $done ->
    [one] 1 delivery
   *[other] { $done } deliveries
}
recovery-done-of = { $total ->
    [one] { $done } of 1 delivery
   *[other] { $done } of { $total } deliveries
}
recovery-goes-on = It goes on by itself; you can leave this page.
recovery-look-again = Look again
recovery-another = Recover another span
recovery-given-up-paused = The webhook was paused. Recover again once it is active.
recovery-given-up-disabled = The webhook was disabled. Recover again once it is active.
recovery-given-up-deleted = The webhook was deleted.

delete-title = Delete this webhook
delete-text = This cannot be undone.
delete-goes-secret = Its secret and its settings are removed at once.
delete-goes-pending = Deliveries that are still being tried fail.
delete-goes-texts = What was sent and answered is removed: addresses, headers and bodies.
delete-stays = That deliveries were made, when, and how they ended stays listed for a while.
delete-rather-pause = To stop deliveries for a while, pause it instead.
delete-type-name = To confirm, type the webhook’s name:
delete-name-differs = That is not the webhook’s name.
delete-go = Delete webhook
