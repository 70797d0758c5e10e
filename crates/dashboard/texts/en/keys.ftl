# API keys.
keys-new = Create API key
keys-new-title = Create API key
keys-about = Programs publish events and manage webhooks with these. Give each program a key of its own, with no more than it needs.
keys-empty = There is no API key yet. Your programs use one to publish events or to manage webhooks; make one for each program.
keys-name = Name
keys-name-help = What uses it, such as “Nightly import”.
keys-scopes = May
keys-scopes-help = Choose at least one.
keys-made-at = Created
keys-expires = Expires
keys-expires-help = The key is refused once that day is over (UTC). Without a date it works until you delete it.
keys-never = Never
keys-actions = Actions
keys-delete = Delete
keys-made-title = API key created
keys-once = Copy the key now. It is shown here and never again.
keys-done = I have copied it
keys-delete-title = Delete this API key?
keys-delete-text = Whatever uses it is refused from then on. This cannot be undone.
keys-delete-go = Delete API key
keys-deleted = The API key was deleted.
scope-events-write = Publish events
scope-endpoints-read = Read webhooks and event types
scope-endpoints-write = Create, change, test and delete webhooks
scope-deliveries-read = Read events and deliveries
scope-deliveries-write = Retry, recover and erase deliveries

# Forms in general.
form-wrong = That cannot be saved yet
form-optional = (optional)
form-save = Save changes
form-cancel = Cancel
