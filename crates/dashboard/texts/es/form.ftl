# Crear y cambiar un webhook.
