# Un webhook.
webhook-tabs = Webhook
webhook-deliveries = Entregas
webhook-edit = Editar
webhook-secret = Secreto
webhook-recover = Recuperar
webhook-diagnose = Diagnosticar
webhook-code = Código de verificación
