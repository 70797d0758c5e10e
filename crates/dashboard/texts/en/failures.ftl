# What failed, over all webhooks.
failures-none-title = Nothing failed
failures-none = Failed deliveries of all your webhooks are listed here, with the reason and what to do about it.
failures-stopped = Webhooks with problems
failures-in-a-row = { $count ->
    [one] { $count } attempt failed
   *[other] { $count } attempts in a row failed
}
failures-since = since
failures-diagnose = Diagnose
failures-recover = Recover what was missed
failures-deleted = Deleted webhook
failures-delivery = Delivery
failures-record = Record
failures-state = Status
failures-when = When
failures-attempts = Attempts
failures-code = Last status code
failures-open-one = Open a delivery to see why it failed.
failures-all-waiting = Show everything that waits for a retry
failures-more-webhooks = There are more webhooks: show which of them have problems
failures-retried = One more attempt is being made:
