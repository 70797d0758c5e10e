# A quién escribe el servidor.
notifications-about = Cuando un webhook sigue fallando, escribimos a esta dirección antes de desactivarlo, y otra vez cuando queda desactivado.
notifications-email = Correo electrónico del responsable
notifications-email-help = Una sola dirección. Déjelo vacío para no avisar a nadie.
notifications-language = Idioma de los correos
notifications-language-none = Sin elegir
notifications-language-help = Si no se elige, van en inglés.
notifications-nobody = No se avisa a nadie
notifications-saved = Cambios guardados.
