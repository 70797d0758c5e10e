# Making and changing a webhook.
