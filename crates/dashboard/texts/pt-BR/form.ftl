# Criar e alterar um webhook.
