# O que os donos dos webhooks recebem por e-mail. Todos os idiomas têm as mesmas mensagens.

subject-failing = O webhook “{ $name }” continua falhando
subject-disabled = O webhook “{ $name }” foi desativado
subject-gone = O webhook “{ $name }” foi desativado: o endereço não existe mais

what-failing = Seu webhook “{ $name }” de { $organization } falhou { $failures ->
    [one] { $failures } vez
   *[other] { $failures } vezes
} seguidas desde { $since }.
what-disabled = Seu webhook “{ $name }” de { $organization } falhou { $failures ->
    [one] { $failures } vez
   *[other] { $failures } vezes
} seguidas desde { $since } e por isso foi desativado.
what-gone = O receptor do seu webhook “{ $name }” de { $organization } respondeu em { $since } que deixou de existir (410 Gone); por isso o webhook foi desativado.

address = O endereço dele: { $url }

latest-status = A última tentativa recebeu como resposta o status HTTP { $status }.
latest-failure = A última tentativa falhou: { $reason }.

then-failing = Depois de { $max } falhas seguidas ele será desativado. Nada se perdeu até agora: o que falhou será tentado de novo.
then-disabled = Novos eventos não são enviados a ele. O que estava pendente foi guardado.

do-failing = Verifique o receptor: o histórico de entregas do webhook mostra cada requisição com a resposta.
do-disabled = Corrija o receptor e depois ative o webhook de novo na página dele ou pela API; o que estava pendente sai então, devagar no começo. O histórico de entregas mostra cada requisição com a resposta.

why = Você recebe esta mensagem porque seu endereço é o do responsável por { $organization }.

reason-url_refused = a URL não segue as regras
reason-address_refused = o nome leva a um endereço que não pode ser usado
reason-dns = o nome não pôde ser resolvido
reason-connect = não foi possível conectar
reason-tls = não foi possível abrir uma conexão segura; verifique o certificado
reason-timeout = o receptor não respondeu a tempo
reason-bad_response = a resposta não é HTTP válido
reason-connection_closed = o receptor fechou a conexão sem responder
reason-proxy = o proxy do servidor de envio falhou
reason-status = a resposta não conta como sucesso
reason-request_invalid = a requisição não pôde ser feita; verifique os cabeçalhos personalizados e o segredo
