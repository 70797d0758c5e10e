# A quem o servidor escreve.
notifications-about = Quando um webhook continua falhando, escrevemos para este endereço antes de desativá-lo, e de novo quando ele for desativado.
notifications-email = E-mail do responsável
notifications-email-help = Um único endereço. Deixe em branco para não avisar ninguém.
notifications-language = Idioma dos e-mails
notifications-language-none = Não escolhido
notifications-language-help = Sem escolha, eles vão em inglês.
notifications-nobody = Ninguém é avisado
notifications-saved = Alterações salvas.
