# Las pantallas del operador.
organizations-new = Crear organización
organizations-new-title = Crear organización
organizations-empty = Todavía no hay organizaciones. Su CRM crea una para cada cliente, o usted crea una aquí.
organizations-none-found = Ninguna organización coincide.
organizations-search = Nombre o ID
organizations-find = Buscar
organizations-none-here = No se encontró entre las organizaciones revisadas hasta ahora. Hay más.
organizations-name = Nombre
organizations-name-help = Cómo se llama el cliente del CRM.
organizations-exists = Ya existe una organización con este ID.
organizations-id = ID
organizations-id-help = Cómo la llama su CRM: letras, números, «-», «_», «.» y «:». No se puede cambiar después; si lo deja vacío, se crea uno.
organizations-contract = Contrato
organizations-contract-help = Lo que se promete a quienes reciben: tipos de evento, formato, firma, reintentos.
organizations-plan = Plan
organizations-plan-help = Limita cuántos webhooks puede tener. Cada contrato tiene sus propios planes.
organizations-no-plan = Sin plan
organizations-made-at = Creada
organizations-open = Abrir panel
organizations-deleted = Se eliminó la organización { $organization }.
organization-made = Se creó la organización.
organization-saved = Cambios guardados.
organization-settings = Ajustes
organization-validation = Comprobación de los eventos
organization-validation-help = Si los datos de cada evento se comparan con el esquema de su tipo.
organization-frames = Páginas que pueden mostrar el panel en un marco
organization-frames-help = Un origen por línea, por ejemplo https://crm.example.com. Sin ninguno, ninguna página puede.
organization-delete = Eliminar organización
organization-delete-text = Sus webhooks, claves e historial se van con ella, y nadie podrá volver a leerlos. No se puede deshacer.
organization-delete-confirm = Escriba { $organization } para confirmar
organization-delete-help = El ID de la organización, exactamente como está escrito arriba.
organization-delete-differs = Ese no es el ID de esta organización. No se eliminó nada.
link-title = Enlace del portal
link-about = Da a una persona acceso al panel de esta organización, sin contraseña. Entréguelo solo a quien va dirigido.
link-role = Esa persona puede
link-admin = Cambiar todo
link-viewer = Solo mirar
link-lasts = Vale durante
link-language-browser = El del navegador
link-make = Crear enlace
link-made-title = Enlace del portal creado
link-once = Copie el enlace ahora. Se muestra aquí y nunca más, y quien lo tenga puede entrar.
link-until = Vale hasta
contracts-about = Lo que se promete a quienes reciben. Cada uno es un archivo que el servidor lee al arrancar.
contracts-name = Contrato
contracts-description = Descripción
contracts-default = Predeterminado
contract-yes = Sí
contract-no = No
contract-none = Ninguna
contract-never = Nunca
contract-no-limit = Sin límite
contract-days = { $number } d
contract-hours = { $number } h
contract-minutes = { $number } min
contract-seconds = { $number } s
contract-deliveries = Entregas
contract-timeout = Un intento puede tardar
contract-retries = Reintentos
contract-no-retries = Una entrega fallida no se reintenta.
contract-jitter = Variación aleatoria
contract-jitter-words = Cada espera es hasta un { $share } más larga
contract-disable = Desactivado
contract-https = Solo https
contract-steps-at = Reintentos, contados desde el primer fallo
contract-steps-after = Reintentos, cada uno tras una espera de
contract-secrets = Secretos
contract-signed = Las solicitudes van firmadas
contract-required = El secreto es obligatorio
contract-generated = Se crea cuando no se indica
contract-chosen = Se puede usar uno propio
contract-overlap = El anterior y el nuevo valen a la vez
contract-limits = Límites
contract-webhooks-max = Webhooks sin plan
contract-per-event-max = Webhooks de un sistema por tipo de evento
contract-headers = Encabezados personalizados
contract-plans = Planes
contract-events = Tipos de evento
contract-open = Los tipos que no están aquí se transmiten tal cual.
contract-sample = Ejemplo de { $event }
contract-derived = Tipos de evento derivados
contract-derived-from = Cuando se publica esto
contract-derived-when = Y se cumple esto
contract-derived-type = También es
contract-code = Código de verificación
contract-code-about = Un receptor completo en cada lenguaje, para exactamente este contrato.
contract-revision = Revisión
system-pending = Entregas pendientes
system-due = Por enviar ahora
system-under-way = Intentos en curso en este nodo
system-oldest = La más antigua espera desde
system-none-due = Nada en espera
system-estimate = Hay tanto en espera que no se mira todo: estos números son estimaciones.
system-nodes = Nodos
system-node = Nodo
system-lanes = Webhooks que atiende
system-renewed = Última señal de vida
system-alone = El único nodo
system-this = Este
system-source = Fuente
source-state-reading = Conectada
source-state-waiting = En espera
source-state-failed = Con fallo
system-source-waiting = Cambios en espera
system-source-oldest = El más antiguo espera desde hace
system-source-missed = Cambios perdidos
system-source-refused = Descartados por este nodo
system-source-log = Bytes de registro retenidos
system-source-backfills = Cargas retroactivas en curso
system-source-table = Tabla
system-source-done = Filas enviadas
system-source-total = De
system-source-uncounted = Sin contar
system-source-database = Base de datos
system-source-node = Leída por
system-source-nobody = Ningún nodo por ahora
system-source-capture = Capturada por
source-capture-triggers = Disparadores
source-capture-replication = Replicación lógica
system-source-waiting-max = Cambios que pueden esperar
system-source-log-max = Bytes de registro que se pueden retener
system-store = Almacenamiento
system-version = Versión
store-sqlite = SQLite, integrado
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
    [one] { $number } reintento, en un plazo de { $span }
   *[other] { $number } reintentos, en un plazo de { $span }
}
contract-disable-words = { $number ->
    [one] Tras { $number } fallo, durante { $span } como mínimo
   *[other] Tras { $number } fallos seguidos, durante { $span } como mínimo
}
contract-headers-words = Hasta { $number }, de { $bytes } bytes en total
