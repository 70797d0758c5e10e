# Chaves de API.
keys-new = Criar chave de API
keys-new-title = Criar chave de API
keys-about = Com elas, seus programas publicam eventos e gerenciam webhooks. Dê a cada programa sua própria chave, só com as permissões de que ele precisa.
keys-empty = Ainda não há chaves de API. Seus programas usam uma para publicar eventos ou gerenciar webhooks; crie uma para cada programa.
keys-name = Nome
keys-name-help = Que programa a usa, por exemplo “Importação noturna”.
keys-scopes = Pode
keys-scopes-help = Escolha pelo menos uma opção.
keys-made-at = Criada em
keys-expires = Expira em
keys-expires-help = A chave é recusada quando esse dia termina (UTC). Sem data, ela vale até você excluí-la.
keys-never = Nunca
keys-actions = Ações
keys-delete = Excluir
keys-made-title = Chave de API criada
keys-once = Copie a chave agora. Ela é mostrada aqui e nunca mais.
keys-done = Já copiei
keys-delete-title = Excluir esta chave de API?
keys-delete-text = Tudo o que a usa será recusado a partir desse momento. Não é possível desfazer.
keys-delete-go = Excluir chave de API
keys-deleted = A chave de API foi excluída.
scope-events-write = Publicar eventos
scope-endpoints-read = Ver webhooks e tipos de evento
scope-endpoints-write = Criar, alterar, testar e excluir webhooks
scope-deliveries-read = Ver eventos e entregas
scope-deliveries-write = Reenviar, recuperar e apagar entregas

# Formulários em geral.
form-wrong = Ainda não é possível salvar
form-optional = (opcional)
form-save = Salvar alterações
form-cancel = Cancelar
