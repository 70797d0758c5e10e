# The list of webhooks.
webhooks-create = Create Webhook
webhooks-empty = A webhook sends your CRM’s events to your own systems the moment they happen. Create one, send it a test event, and switch it on.
webhooks-name = Name and URL
webhooks-events = Events
webhooks-status = Status
status-active = Active
status-paused = Paused
status-disabled = Disabled
