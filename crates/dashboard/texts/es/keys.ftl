# Claves de API.
keys-new = Crear clave de API
keys-new-title = Crear clave de API
keys-about = Con ellas, sus programas publican eventos y gestionan webhooks. Dé a cada programa su propia clave, con los permisos justos.
keys-empty = Todavía no hay claves de API. Sus programas usan una para publicar eventos o gestionar webhooks; cree una para cada programa.
keys-name = Nombre
keys-name-help = Qué programa la usa, por ejemplo «Importación nocturna».
keys-scopes = Puede
keys-scopes-help = Elija al menos una opción.
keys-made-at = Creada
keys-expires = Vence
keys-expires-help = La clave se rechaza cuando termina ese día (UTC). Sin fecha, vale hasta que usted la elimine.
keys-never = Nunca
keys-actions = Acciones
keys-delete = Eliminar
keys-made-title = Clave de API creada
keys-once = Copie la clave ahora. Se muestra aquí y nunca más.
keys-done = Ya la he copiado
keys-delete-title = ¿Eliminar esta clave de API?
keys-delete-text = Todo lo que la use se rechazará desde ese momento. No se puede deshacer.
keys-delete-go = Eliminar clave de API
keys-deleted = Se eliminó la clave de API.
scope-events-write = Publicar eventos
scope-endpoints-read = Ver webhooks y tipos de evento
scope-endpoints-write = Crear, cambiar, probar y eliminar webhooks
scope-deliveries-read = Ver eventos y entregas
scope-deliveries-write = Reintentar, recuperar y borrar entregas

# Formularios en general.
form-wrong = Todavía no se puede guardar
form-optional = (opcional)
form-save = Guardar cambios
form-cancel = Cancelar
