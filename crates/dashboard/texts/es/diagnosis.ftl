# Lo que impide que un webhook reciba.
diagnose-title = Averiguar qué falla
diagnose-text = Revisa todo lo que hay entre este servicio y su servidor, paso a paso: estado, URL, DNS, conexión, certificado. Si puede llegar, se envía un evento de prueba firmado.
diagnose-run = Hacer el diagnóstico
diagnose-run-again = Hacerlo de nuevo
diagnose-takes = Tarda hasta un minuto.
diagnose-healthy = Nada impide que este webhook reciba
diagnose-healthy-text = Se revisaron todos los pasos. Si hay avisos, conviene mirarlos.
diagnose-unhealthy = Algo impide que este webhook reciba
diagnose-unhealthy-text = Empiece por el primer paso que falló; los siguientes suelen ser consecuencia de él.
diagnose-do = Qué hacer:
diagnose-to-edit = Editar el webhook
diagnose-to-code = Código de verificación
diagnose-to-delivery = El evento de prueba, tal como se envió y se respondió

outcome-passed = Correcto
outcome-warning = Aviso
outcome-failed = Falló
outcome-skipped = Omitido
check-endpoint-status = Estado del webhook
check-url = Dirección (URL)
check-dns = Nombre en el DNS
check-tcp = Conexión
check-tls = Cifrado (TLS)
check-certificate = Certificado
check-probe = Evento de prueba
check-response-time = Tiempo de respuesta
check-redirect = Redirecciones
check-signature = Firma

egress-title = Direcciones desde las que llegan las entregas
egress-text = Si un firewall protege su servidor, permita estas:
egress-none = Quien opera este servicio no ha indicado ninguna. Si un firewall protege su servidor, pregúntele qué direcciones permitir.
