# Lo que falló, en todos los webhooks.
failures-none-title = No falló nada
failures-none = Aquí aparecen las entregas fallidas de todos sus webhooks, con el motivo y qué hacer.
failures-stopped = Webhooks con problemas
failures-in-a-row = { $count ->
    [one] { $count } intento falló
   *[other] { $count } intentos seguidos fallaron
}
failures-since = desde
failures-diagnose = Diagnosticar
failures-recover = Recuperar lo perdido
failures-deleted = Webhook eliminado
failures-delivery = Entrega
failures-record = Registro
failures-state = Estado
failures-when = Cuándo
failures-attempts = Intentos
failures-code = Último código de estado
failures-open-one = Abra una entrega para ver por qué falló.
failures-all-waiting = Mostrar todo lo que espera un reintento
failures-more-webhooks = Hay más webhooks: mostrar cuáles tienen problemas
failures-retried = Se está haciendo un intento más:
