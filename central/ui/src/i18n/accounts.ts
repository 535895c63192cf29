// Users, tokens, and the audit trail.

const en = {
  title: 'Users and tokens', users: 'Users', tokens: 'Tokens for machines', name: 'Name', role: 'Role', created: 'Made', lastUsed: 'Last used', actions: 'Change', never: 'never', revoked: 'revoked', you: 'you',
  roleHint: { viewer: 'sees figures and alerts', 'safety-manager': 'also acts, changes rules, and may see who it was', administrator: 'also acts, and manages users and tokens' },
  addUser: 'Add a user', add: 'Add', make: 'Make', password: 'Password', passwordHint: 'At least 10 characters. A few words are easy to keep.', newPassword: 'New password', setPassword: 'Set the password', passwordFor: (name: string) => `New password for ${name}`, passwordSet: (name: string) => `${name} has a new password.`,
  changeRole: (name: string) => `Role of ${name}`, roleSet: (name: string, role: string) => `${name}: ${role}.`, remove: 'Remove', removeTitle: (name: string) => `Remove ${name}?`, removeHint: 'The account ends at once. What it did stays in the audit trail.', removed: (name: string) => `${name} is removed.`, added: (name: string) => `${name} may sign in now.`,
  addToken: 'Make a token', scopes: 'May', scope: { read: 'read', act: 'act', people: 'see people', admin: 'manage users and tokens' } as Record<string, string>,
  tokenOnce: (name: string) => `The token of ${name}`, tokenOnceHint: 'It is shown this once. Keep it where the machine finds it, which sends it as', done: 'I have kept it',
  revoke: 'Revoke', revokeTitle: (name: string) => `Revoke ${name}?`, revokeHint: 'Whatever uses this token is refused from now on.', revokedDone: (name: string) => `${name} is revoked.`, noTokens: 'There is no token yet. A machine that asks for figures needs one; make it here, or on the server:', noUsers: 'There is no account yet. Make the first on the server:',
  audit: { title: 'Audit trail', intro: 'Who did what here, the newest first. It is only ever added to.', at: 'Time', actor: 'Who', action: 'What', subject: 'Of what', detail: 'More', emptyTitle: 'Nobody has done anything yet.', noMatch: 'Nothing fits this filter.' },
  /** What was done, by the word that the server writes. */
  did: {
    signed_in: 'Signed in', acknowledge: 'Acknowledged an alert', silence: 'Silenced alerts', end_silence: 'Ended a silence', person_viewed: 'Asked who it was',
    people_viewed: 'Looked at events with people', bytes_viewed: 'Looked at raw bytes', set_rules: 'Changed the rules', set_site: 'Changed a site’s settings', site_added: 'Added a site', site_removed: 'Removed a site',
    join_token_made: 'Made a join token', edge_added: 'Added an edge', edge_enrolled: 'Joined', edge_certificate_renewed: 'Renewed its certificate', edge_returned: 'Came back after a long time',
    edge_copy_seen: 'Came with a replaced certificate', edge_revoked: 'Shut out an edge', user_added: 'Added a user', user_role: 'Changed a role', user_password: 'Set a password',
    user_removed: 'Removed a user', token_added: 'Made a token', token_revoked: 'Revoked a token', replay_begun: 'Began to store a stream again', replayed: 'Stored again', discarded: 'Discarded',
    erased: 'Erased the bytes', forget_worker: 'Ordered a worker forgotten', worker_forgotten: 'Forgot a worker',
  } as Record<string, string>,
};

const de: typeof en = {
  title: 'Benutzer und Token', users: 'Benutzer', tokens: 'Token für Maschinen', name: 'Name', role: 'Rolle', created: 'Angelegt', lastUsed: 'Zuletzt benutzt', actions: 'Ändern', never: 'nie', revoked: 'gesperrt', you: 'Sie',
  roleHint: { viewer: 'sieht Werte und Alarme', 'safety-manager': 'handelt auch, ändert Regeln und darf sehen, wer es war', administrator: 'handelt auch und verwaltet Benutzer und Token' },
  addUser: 'Benutzer hinzufügen', add: 'Hinzufügen', make: 'Anlegen', password: 'Passwort', passwordHint: 'Mindestens 10 Zeichen. Ein paar Wörter merkt man sich leicht.', newPassword: 'Neues Passwort', setPassword: 'Passwort setzen', passwordFor: (name) => `Neues Passwort für ${name}`, passwordSet: (name) => `${name} hat ein neues Passwort.`,
  changeRole: (name) => `Rolle von ${name}`, roleSet: (name, role) => `${name}: ${role}.`, remove: 'Entfernen', removeTitle: (name) => `${name} entfernen?`, removeHint: 'Das Konto endet sofort. Was damit getan wurde, bleibt im Protokoll.', removed: (name) => `${name} ist entfernt.`, added: (name) => `${name} kann sich jetzt anmelden.`,
  addToken: 'Token anlegen', scopes: 'Darf', scope: { read: 'lesen', act: 'handeln', people: 'Personen sehen', admin: 'Benutzer und Token verwalten' },
  tokenOnce: (name) => `Das Token von ${name}`, tokenOnceHint: 'Es wird nur dieses eine Mal gezeigt. Verwahren Sie es dort, wo die Maschine es findet; sie sendet es als', done: 'Ich habe es verwahrt',
  revoke: 'Sperren', revokeTitle: (name) => `${name} sperren?`, revokeHint: 'Was dieses Token benutzt, wird ab jetzt abgewiesen.', revokedDone: (name) => `${name} ist gesperrt.`, noTokens: 'Es gibt noch kein Token. Eine Maschine, die Werte abfragt, braucht eines; legen Sie es hier an oder auf dem Server:', noUsers: 'Es gibt noch kein Konto. Legen Sie das erste auf dem Server an:',
  audit: { title: 'Protokoll', intro: 'Wer hier was getan hat, das Neueste zuerst. Es wird immer nur ergänzt.', at: 'Zeit', actor: 'Wer', action: 'Was', subject: 'Woran', detail: 'Mehr', emptyTitle: 'Noch hat niemand etwas getan.', noMatch: 'Nichts passt zu diesem Filter.' },
  did: {
    signed_in: 'Angemeldet', acknowledge: 'Alarm bestätigt', silence: 'Alarme stummgeschaltet', end_silence: 'Stummschaltung beendet', person_viewed: 'Gefragt, wer es war',
    people_viewed: 'Ereignisse mit Personen angesehen', bytes_viewed: 'Rohe Bytes angesehen', set_rules: 'Regeln geändert', set_site: 'Einstellungen eines Standorts geändert',
    site_added: 'Standort hinzugefügt', site_removed: 'Standort entfernt', join_token_made: 'Beitritts-Token angelegt', edge_added: 'Box hinzugefügt', edge_enrolled: 'Beigetreten', edge_certificate_renewed: 'Zertifikat erneuert',
    edge_returned: 'Nach langer Zeit zurückgekommen', edge_copy_seen: 'Mit ersetztem Zertifikat gekommen', edge_revoked: 'Box ausgesperrt', user_added: 'Benutzer hinzugefügt',
    user_role: 'Rolle geändert', user_password: 'Passwort gesetzt', user_removed: 'Benutzer entfernt', token_added: 'Token angelegt', token_revoked: 'Token gesperrt',
    replay_begun: 'Begonnen, einen Strom erneut zu speichern', replayed: 'Erneut gespeichert', discarded: 'Verworfen', erased: 'Bytes gelöscht', forget_worker: 'Vergessen einer Person angeordnet',
    worker_forgotten: 'Person vergessen',
  },
};

const es: typeof en = {
  title: 'Usuarios y tokens', users: 'Usuarios', tokens: 'Tokens para máquinas', name: 'Nombre', role: 'Rol', created: 'Creado', lastUsed: 'Último uso', actions: 'Cambiar', never: 'nunca', revoked: 'revocado', you: 'usted',
  roleHint: { viewer: 've cifras y alertas', 'safety-manager': 'también actúa, cambia reglas y puede ver quién fue', administrator: 'también actúa y gestiona usuarios y tokens' },
  addUser: 'Añadir un usuario', add: 'Añadir', make: 'Crear', password: 'Contraseña', passwordHint: 'Al menos 10 caracteres. Unas pocas palabras se recuerdan bien.', newPassword: 'Contraseña nueva', setPassword: 'Fijar la contraseña', passwordFor: (name) => `Contraseña nueva para ${name}`, passwordSet: (name) => `${name} tiene una contraseña nueva.`,
  changeRole: (name) => `Rol de ${name}`, roleSet: (name, role) => `${name}: ${role}.`, remove: 'Quitar', removeTitle: (name) => `¿Quitar a ${name}?`, removeHint: 'La cuenta termina en el acto. Lo que hizo queda en el registro.', removed: (name) => `${name} ya no está.`, added: (name) => `${name} ya puede entrar.`,
  addToken: 'Crear un token', scopes: 'Puede', scope: { read: 'leer', act: 'actuar', people: 'ver personas', admin: 'gestionar usuarios y tokens' },
  tokenOnce: (name) => `El token de ${name}`, tokenOnceHint: 'Solo se muestra esta vez. Guárdelo donde lo encuentre la máquina, que lo envía como', done: 'Lo he guardado',
  revoke: 'Revocar', revokeTitle: (name) => `¿Revocar ${name}?`, revokeHint: 'Lo que use este token se rechaza desde ahora.', revokedDone: (name) => `${name} está revocado.`, noTokens: 'Aún no hay ningún token. Una máquina que pida cifras necesita uno; créelo aquí o en el servidor:', noUsers: 'Aún no hay ninguna cuenta. Cree la primera en el servidor:',
  audit: { title: 'Auditoría', intro: 'Quién hizo qué aquí, lo más nuevo primero. Solo se le añade.', at: 'Hora', actor: 'Quién', action: 'Qué', subject: 'De qué', detail: 'Más', emptyTitle: 'Nadie ha hecho nada todavía.', noMatch: 'Nada encaja con este filtro.' },
  did: {
    signed_in: 'Entró', acknowledge: 'Reconoció una alerta', silence: 'Silenció alertas', end_silence: 'Terminó un silencio', person_viewed: 'Preguntó quién fue',
    people_viewed: 'Vio eventos con personas', bytes_viewed: 'Vio bytes sin procesar', set_rules: 'Cambió las reglas', set_site: 'Cambió los ajustes de una sede', site_added: 'Añadió una sede', site_removed: 'Quitó una sede',
    join_token_made: 'Creó un token de alta', edge_added: 'Añadió un equipo', edge_enrolled: 'Se dio de alta', edge_certificate_renewed: 'Renovó su certificado',
    edge_returned: 'Volvió tras mucho tiempo', edge_copy_seen: 'Vino con un certificado reemplazado', edge_revoked: 'Excluyó un equipo', user_added: 'Añadió un usuario', user_role: 'Cambió un rol',
    user_password: 'Fijó una contraseña', user_removed: 'Quitó a un usuario', token_added: 'Creó un token', token_revoked: 'Revocó un token', replay_begun: 'Empezó a guardar un flujo de nuevo',
    replayed: 'Guardó de nuevo', discarded: 'Descartó', erased: 'Borró los bytes', forget_worker: 'Ordenó olvidar a una persona', worker_forgotten: 'Olvidó a una persona',
  },
};

const pl: typeof en = {
  title: 'Użytkownicy i tokeny', users: 'Użytkownicy', tokens: 'Tokeny dla maszyn', name: 'Nazwa', role: 'Rola', created: 'Utworzono', lastUsed: 'Ostatnio użyte', actions: 'Zmień', never: 'nigdy', revoked: 'unieważniony', you: 'Ty',
  roleHint: { viewer: 'widzi wartości i alarmy', 'safety-manager': 'także działa, zmienia reguły i może widzieć, kto to był', administrator: 'także działa oraz zarządza użytkownikami i tokenami' },
  addUser: 'Dodaj użytkownika', add: 'Dodaj', make: 'Utwórz', password: 'Hasło', passwordHint: 'Co najmniej 10 znaków. Kilka słów łatwo zapamiętać.', newPassword: 'Nowe hasło', setPassword: 'Ustaw hasło', passwordFor: (name) => `Nowe hasło dla ${name}`, passwordSet: (name) => `${name} ma nowe hasło.`,
  changeRole: (name) => `Rola: ${name}`, roleSet: (name, role) => `${name}: ${role}.`, remove: 'Usuń', removeTitle: (name) => `Usunąć ${name}?`, removeHint: 'Konto kończy się od razu. To, co zrobiło, zostaje w dzienniku.', removed: (name) => `Usunięto: ${name}.`, added: (name) => `${name} może się już zalogować.`,
  addToken: 'Utwórz token', scopes: 'Może', scope: { read: 'czytać', act: 'działać', people: 'widzieć osoby', admin: 'zarządzać użytkownikami i tokenami' },
  tokenOnce: (name) => `Token: ${name}`, tokenOnceHint: 'Jest pokazany tylko ten jeden raz. Zachowaj go tam, gdzie znajdzie go maszyna; wysyła go jako', done: 'Token zachowany',
  revoke: 'Unieważnij', revokeTitle: (name) => `Unieważnić ${name}?`, revokeHint: 'Cokolwiek używa tego tokenu, będzie odtąd odrzucane.', revokedDone: (name) => `Unieważniono: ${name}.`, noTokens: 'Nie ma jeszcze tokenu. Maszyna, która pyta o wartości, potrzebuje go; utwórz go tu albo na serwerze:', noUsers: 'Nie ma jeszcze konta. Utwórz pierwsze na serwerze:',
  audit: { title: 'Dziennik', intro: 'Kto co tu zrobił, od najnowszych. Można do niego tylko dopisywać.', at: 'Czas', actor: 'Kto', action: 'Co', subject: 'Czego', detail: 'Więcej', emptyTitle: 'Nikt jeszcze nic nie zrobił.', noMatch: 'Nic nie pasuje do tego filtra.' },
  did: {
    signed_in: 'Logowanie', acknowledge: 'Potwierdzenie alarmu', silence: 'Wyciszenie alarmów', end_silence: 'Koniec wyciszenia', person_viewed: 'Pytanie, kto to był',
    people_viewed: 'Wgląd w zdarzenia z osobami', bytes_viewed: 'Wgląd w surowe bajty', set_rules: 'Zmiana reguł', set_site: 'Zmiana ustawień obiektu', site_added: 'Dodanie obiektu', site_removed: 'Usunięcie obiektu',
    join_token_made: 'Utworzenie tokenu dołączenia', edge_added: 'Dodanie urządzenia', edge_enrolled: 'Dołączenie', edge_certificate_renewed: 'Odnowienie certyfikatu',
    edge_returned: 'Powrót po długim czasie', edge_copy_seen: 'Wejście z zastąpionym certyfikatem', edge_revoked: 'Wykluczenie urządzenia', user_added: 'Dodanie użytkownika', user_role: 'Zmiana roli',
    user_password: 'Ustawienie hasła', user_removed: 'Usunięcie użytkownika', token_added: 'Utworzenie tokenu', token_revoked: 'Unieważnienie tokenu',
    replay_begun: 'Początek ponownego zapisu strumienia', replayed: 'Ponowny zapis', discarded: 'Odrzucenie', erased: 'Usunięcie bajtów', forget_worker: 'Polecenie zapomnienia osoby',
    worker_forgotten: 'Zapomnienie osoby',
  },
};

export const accounts = { en, de, es, pl };
