# O que impede um webhook de receber.
diagnose-title = Descobrir o que está errado
diagnose-text = Verifica tudo entre este serviço e seu servidor, passo a passo: situação, URL, DNS, conexão, certificado. Quando pode chegar, um evento de teste assinado é enviado.
diagnose-run = Fazer o diagnóstico
diagnose-run-again = Fazer de novo
diagnose-takes = Leva até um minuto.
diagnose-healthy = Nada impede este webhook de receber
diagnose-healthy-text = Todos os passos foram verificados. Se houver avisos, vale a pena olhá-los.
diagnose-unhealthy = Algo impede este webhook de receber
diagnose-unhealthy-text = Comece pelo primeiro passo que falhou; os seguintes muitas vezes são consequência dele.
diagnose-do = O que fazer:
diagnose-to-edit = Editar o webhook
diagnose-to-code = Código de verificação
diagnose-to-delivery = O evento de teste, como foi enviado e respondido

outcome-passed = Em ordem
outcome-warning = Aviso
outcome-failed = Falhou
outcome-skipped = Não verificado
check-endpoint-status = Situação do webhook
check-url = Endereço (URL)
check-dns = Nome no DNS
check-tcp = Conexão
check-tls = Criptografia (TLS)
check-certificate = Certificado
check-probe = Evento de teste
check-response-time = Tempo de resposta
check-redirect = Redirecionamentos
check-signature = Assinatura

egress-title = Endereços de onde vêm as entregas
egress-text = Se um firewall protege seu servidor, libere estes:
egress-none = Quem opera este serviço não informou nenhum. Se um firewall protege seu servidor, pergunte quais endereços liberar.
