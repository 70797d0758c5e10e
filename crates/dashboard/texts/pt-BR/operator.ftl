# As telas do operador.
organizations-new = Criar organização
organizations-new-title = Criar organização
organizations-empty = Ainda não há organizações. Seu CRM cria uma para cada cliente, ou você cria uma aqui.
organizations-none-found = Nenhuma organização corresponde à busca.
organizations-search = Nome ou ID
organizations-find = Buscar
organizations-none-here = Não encontrada entre as organizações examinadas até agora. Há mais.
organizations-name = Nome
organizations-name-help = Como se chama o cliente do CRM.
organizations-exists = Já existe uma organização com este ID.
organizations-id = ID
organizations-id-help = Como seu CRM a chama: letras, números, “-”, “_”, “.” e “:”. Não pode ser alterado depois; se ficar em branco, um será criado.
organizations-contract = Contrato
organizations-contract-help = O que se promete a quem recebe: tipos de evento, formato, assinatura, novas tentativas.
organizations-plan = Plano
organizations-plan-help = Limita quantos webhooks ela pode ter. Cada contrato tem os próprios planos.
organizations-no-plan = Sem plano
organizations-made-at = Criada em
organizations-open = Abrir painel
organizations-deleted = A organização { $organization } foi excluída.
organization-made = A organização foi criada.
organization-saved = Alterações salvas.
organization-settings = Configurações
organization-validation = Verificação dos eventos
organization-validation-help = Se os dados de cada evento são comparados com o esquema do tipo.
organization-frames = Páginas que podem mostrar o painel em um frame
organization-frames-help = Uma origem por linha, por exemplo https://crm.example.com. Sem nenhuma, nenhuma página pode.
organization-delete = Excluir organização
organization-delete-text = Os webhooks, as chaves e o histórico vão junto, e ninguém poderá lê-los de novo. Não é possível desfazer.
organization-delete-confirm = Digite { $organization } para confirmar
organization-delete-help = O ID da organização, exatamente como está escrito acima.
organization-delete-differs = Esse não é o ID desta organização. Nada foi excluído.
link-title = Link do portal
link-about = Dá a uma pessoa acesso ao painel desta organização, sem senha. Entregue-o só à pessoa a quem se destina.
link-role = Essa pessoa pode
link-admin = Alterar tudo
link-viewer = Só ver
link-lasts = Vale por
link-language-browser = A do navegador
link-make = Criar link
link-made-title = Link do portal criado
link-once = Copie o link agora. Ele é mostrado aqui e nunca mais, e quem o tiver pode entrar.
link-until = Vale até
contracts-about = O que se promete a quem recebe. Cada um é um arquivo que o servidor lê ao iniciar.
contracts-name = Contrato
contracts-description = Descrição
contracts-default = Padrão
contract-yes = Sim
contract-no = Não
contract-none = Nenhum
contract-never = Nunca
contract-no-limit = Sem limite
contract-days = { $number } d
contract-hours = { $number } h
contract-minutes = { $number } min
contract-seconds = { $number } s
contract-deliveries = Entregas
contract-timeout = Uma tentativa pode levar
contract-retries = Novas tentativas
contract-no-retries = Uma entrega que falhou não é repetida.
contract-jitter = Variação aleatória
contract-jitter-words = Cada espera é até { $share } mais longa
contract-disable = Desativado
contract-https = Só https
contract-steps-at = Novas tentativas, contadas da primeira falha
contract-steps-after = Novas tentativas, cada uma após uma espera de
contract-secrets = Segredos
contract-signed = As requisições são assinadas
contract-required = O segredo é obrigatório
contract-generated = Criado quando não é informado
contract-chosen = Pode-se usar um próprio
contract-overlap = Antigo e novo valem juntos por
contract-limits = Limites
contract-webhooks-max = Webhooks sem plano
contract-per-event-max = Webhooks de um sistema por tipo de evento
contract-headers = Cabeçalhos personalizados
contract-plans = Planos
contract-events = Tipos de evento
contract-open = Tipos além destes são repassados como estão.
contract-sample = Exemplo de { $event }
contract-derived = Tipos de evento derivados
contract-derived-from = Quando isto é publicado
contract-derived-when = E isto se cumpre
contract-derived-type = Também é
contract-code = Código de verificação
contract-code-about = Um receptor completo em cada linguagem, para exatamente este contrato.
contract-revision = Revisão
system-pending = Entregas pendentes
system-due = A enviar agora
system-under-way = Tentativas em andamento neste nó
system-oldest = A mais antiga espera desde
system-none-due = Nada em espera
system-estimate = Há tanto em espera que nem tudo é examinado: estes números são estimativas.
system-nodes = Nós
system-node = Nó
system-lanes = Webhooks que ele atende
system-renewed = Último sinal de vida
system-alone = O único nó
system-this = Este
system-source = Fonte
source-state-reading = Conectada
source-state-waiting = À espera
source-state-failed = Com falha
system-source-waiting = Alterações à espera
system-source-oldest = A mais antiga espera há
system-source-missed = Alterações perdidas
system-source-refused = Descartadas por este nó
system-source-log = Bytes de log retidos
system-source-backfills = Cargas retroativas em andamento
system-source-table = Tabela
system-source-done = Linhas enviadas
system-source-total = De
system-source-uncounted = Não contadas
system-source-database = Banco de dados
system-source-node = Lida por
system-source-nobody = Nenhum nó no momento
system-source-capture = Capturada por
source-capture-triggers = Gatilhos
source-capture-replication = Replicação lógica
system-source-waiting-max = Alterações que podem esperar
system-source-log-max = Bytes de log que podem ser retidos
system-store = Armazenamento
system-version = Versão
store-sqlite = SQLite, embutido
store-postgres = Postgres
organizations-plan-webhooks = { $number ->
    [one] { $number } webhook
   *[other] { $number } webhooks
}
link-minutes = { $number ->
    [one] { $number } minuto
   *[other] { $number } minutos
}
link-hours = { $number ->
    [one] { $number } hora
   *[other] { $number } horas
}
contract-retries-words = { $number ->
    [one] { $number } nova tentativa, em até { $span }
   *[other] { $number } novas tentativas, em até { $span }
}
contract-disable-words = { $number ->
    [one] Após { $number } falha, em { $span } no mínimo
   *[other] Após { $number } falhas seguidas, em { $span } no mínimo
}
contract-headers-words = Até { $number }, de { $bytes } bytes ao todo
