# La lista de webhooks.
webhooks-create = Crear webhook
webhooks-empty = Un webhook envía los eventos de su CRM a sus propios sistemas en cuanto ocurren. Cree uno, envíele un evento de prueba y actívelo.
webhooks-name = Nombre y URL
webhooks-events = Eventos
webhooks-status = Estado
status-active = Activo
status-paused = En pausa
status-disabled = Desactivado
