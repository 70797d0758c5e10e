# O que um diagnóstico encontrou, pelo código.
found-at = { $address }: { $text }
found-endpoint-status-active = O webhook está ativo.
found-endpoint-status-paused = O webhook está pausado: novos eventos não são enviados a ele.
found-endpoint-status-gone = O webhook foi desativado: seu servidor respondeu que deixou de existir definitivamente (status 410).
found-endpoint-status-consecutive-failures = O webhook foi desativado. { $why }
found-endpoint-status-disabled = O webhook foi desativado.
found-url-allowed = É possível enviar eventos para { $origin }.
found-dns-found = { $count ->
    [one] { $host } tem { $count } endereço.
   *[other] { $host } tem { $count } endereços.
}
found-dns-literal = A URL já traz um endereço; não há nome a resolver.
found-address-allowed = { $address }: pode ser chamado
found-tcp-connected = { $count ->
    [one] O endereço aceitou a conexão.
   *[other] Todos os { $count } endereços aceitaram a conexão.
}
found-tcp-partly = { $count ->
    [one] { $failed } de { $count } endereço não aceitou a conexão.
   *[other] { $failed } de { $count } endereços não aceitaram a conexão.
}
found-connection-made = { $address }: conectado em { $took_ms }
found-tls-trusted = A conexão é criptografada e confiável ({ $version }).
found-tls-partly = { $count ->
    [one] { $failed } de { $count } endereço não tem conexão confiável.
   *[other] { $failed } de { $count } endereços não têm conexão confiável.
}
found-tls-none = A URL começa com http://; nada é criptografado.
found-session-made = { $address }: { $version }
found-certificate-current = { $days ->
    [one] Para { $names }. Válido de { $from } a { $until }; expira em { $days } dia.
   *[other] Para { $names }. Válido de { $from } a { $until }; expira em { $days } dias.
}
found-certificate-over = Para { $names }. Era válido de { $from } a { $until } e expirou.
found-certificate-issued = { $subject }, emitido por { $issuer }
found-probe-answered = Seu servidor respondeu { $status_code } a um evento de teste.
found-probe-delivered = Um evento de teste foi entregue.
found-response-time-taken = A resposta levou { $took_ms }; o limite é de { $allowed_ms }.
found-redirect-none = Seu servidor responde ele mesmo e não redireciona.
found-redirect-target = Seu servidor redireciona para { $target }
found-redirect-nowhere = Seu servidor redireciona, mas não diz para onde.
found-signature-refused = Seu servidor respondeu { $status_code }: recusou a assinatura ou exige uma credencial.
found-signature-taken = Seu servidor aceitou o evento de teste assinado.
found-signature-taken-swapped = Seu servidor aceitou o evento de teste com o outro dos dois segredos que funcionam no momento.
found-signature-missing = O evento de teste não foi assinado, pois o webhook não tem segredo: seu servidor não consegue saber quem o enviou.
found-skipped-url-refused = A URL é recusada.
found-skipped-no-address = Não há endereço ao qual conectar.
found-skipped-no-connection = Não há conexão.
found-skipped-no-https = Sem https não há certificado.
found-skipped-no-certificate = Seu servidor não mostrou nenhum certificado que possa ser lido.
found-skipped-not-sent = Nada foi enviado, porque não poderia chegar.
found-skipped-no-answer = Não houve resposta.
found-skipped-not-told = A resposta { $status_code } não permite saber.
found-skipped-unsigned = Aqui as requisições não são assinadas.
