# Whom the server writes to.
notifications-about = When a webhook keeps failing, we write to this address before it is disabled, and again when it was.
notifications-email = E-mail address of the owner
notifications-email-help = One address. Leave it empty to notify nobody.
notifications-language = Language of the e-mails
notifications-language-none = Not chosen
notifications-language-help = Without a choice they are in English.
notifications-nobody = Nobody is notified
notifications-saved = Saved.
