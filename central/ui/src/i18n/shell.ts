// What is around every view: navigation, states, how long, what went wrong.

import { counting } from './counting';

const { en: cen, de: cde, es: ces, pl: cpl } = counting;

const en = {
  language: 'English', languages: 'Language',
  nav: 'Headquarters', fleet: 'Fleet', alerts: 'Alerts', silences: 'Silences', trends: 'Trends', completenessPage: 'Completeness', deadLetters: 'Dead letters', rules: 'Rules', users: 'Users', audit: 'Audit', site: 'Site',
  skip: 'Skip to the content', timesIn: (zone: string) => `Times are those of ${zone}.`, notFound: 'There is no such page.', toFleet: 'Back to the fleet', lookedFor: (path: string) => `Nothing is at ${path}.`,
  find: 'Go to a site', findNone: 'No site has this name.',
  account: 'Account', signOut: 'Sign out', signIn: 'Sign in', name: 'Name', password: 'Password', wrongPassword: 'That name and password do not fit.',
  changePassword: 'Change password', oldPassword: 'Password until now', newPassword: 'New password', passwordChanged: 'The password is changed; other devices are signed out.', signInHint: 'Accounts are made by an administrator, or on the server:', noAccounts: 'Headquarters has no accounts yet. Make the first one on its server:', role: { viewer: 'Viewer', 'safety-manager': 'Safety manager', administrator: 'Administrator' } as Record<string, string>, machine: 'Machine token',
  readOnly: 'You may look, not act.', notAllowed: 'Your role may not see this.', notAllowedHint: 'An administrator can change your role:',
  live: 'Live', polled: 'Every 10 s', connecting: 'Connecting …', lost: 'Connection lost',
  lostSince: (since: string) => `Since ${since} this page does not know what happens. Below is the last it heard. It reconnects by itself.`, blindSince: (since: string, why: string) => `Headquarters could not look at its sites since ${since} (${why}). Below is how they were then.`, ill: 'Headquarters itself is not well:', lostNever: 'Headquarters does not answer. This page tries again by itself.',
  missed: (count: number) => cen.n(count, { one: 'This screen was too slow for # change; it shows the present again.', other: 'This screen was too slow for # changes; it shows the present again.' }),
  state: { healthy: 'Healthy', degraded: 'Degraded', stale: 'Stale', offline: 'Offline', unknown: 'Unknown' } as Record<string, string>,
  completeness: {
    complete: 'complete', unknown: 'unknown', missing: (count: number) => cen.n(count, { one: '# missing', other: '# missing' }), dead: (count: number) => cen.n(count, { one: '# not stored (dead letter)', other: '# not stored (dead letters)' }),
    filling: (backlog: number, drain: number | null) => `filling (backlog ${cen.n(backlog, { other: '#' })}${drain === null ? '' : `, about ${cen.about(drain)}`})`,
  },
  severity: { notice: 'Notice', warning: 'Warning', critical: 'Critical' }, alertState: { raised: 'Raised', acknowledged: 'Acknowledged', cleared: 'Over' },
  selectHint: 'Tap to select, then copy.', loading: 'Loading …', again: 'Try again', close: 'Close', cancel: 'Cancel', save: 'Save', back: 'Back', none: '–', never: 'never', now: 'now', unknown: 'unknown', by: 'by', any: 'any', all: 'All', search: 'Search', filter: 'Filter', clearFilter: 'Clear the filter', reason: 'Reason', older: 'Load older ones', csv: 'CSV',
  ago: (time: string) => `${time} ago`, failed: (why: string) => `That did not work: ${why}`, more: (count: number) => cen.n(count, { one: 'Show # more', other: 'Show # more' }),
  problem: { unreachable: 'headquarters cannot be reached', fleet_outdated: 'headquarters has not been able to look at the fleet', database_unavailable: 'the database cannot be used now', dashboards_busy: 'more is asked for than can be worked out now', wrong_password: 'that is not the password', not_found: 'it is not there (any more)' } as Record<string, string>,
  range: {
    label: 'Time range', presets: { today: 'Today', yesterday: 'Yesterday', 'last-shift': 'Last shift', '7d': '7 days', '28d': '28 days', '90d': '90 days', custom: 'Custom' },
    from: 'From', to: 'To', wrong: 'This is no range: the end must come after the beginning.',
  },
  keys: 'Keys', keyHelp: { j: 'next row', k: 'previous row', enter: 'open it', a: 'acknowledge the alert', s: 'silence the alert', slash: 'go to a site', question: 'this help', escape: 'close' },
};

const de: typeof en = {
  language: 'Deutsch', languages: 'Sprache',
  nav: 'Zentrale', fleet: 'Standorte', alerts: 'Alarme', silences: 'Stummschaltungen', trends: 'Verläufe', completenessPage: 'Vollständigkeit', deadLetters: 'Unzustellbares', rules: 'Regeln', users: 'Benutzer', audit: 'Protokoll', site: 'Standort',
  skip: 'Zum Inhalt springen', timesIn: (zone) => `Zeiten gelten für ${zone}.`, notFound: 'Diese Seite gibt es nicht.', toFleet: 'Zurück zu den Standorten', lookedFor: (path) => `Unter ${path} ist nichts.`,
  find: 'Zu einem Standort', findNone: 'Kein Standort heißt so.',
  account: 'Konto', signOut: 'Abmelden', signIn: 'Anmelden', name: 'Name', password: 'Passwort', wrongPassword: 'Name und Passwort passen nicht zusammen.',
  changePassword: 'Passwort ändern', oldPassword: 'Bisheriges Passwort', newPassword: 'Neues Passwort', passwordChanged: 'Das Passwort ist geändert; andere Geräte sind abgemeldet.', signInHint: 'Konten legt ein Administrator an, oder auf dem Server:', noAccounts: 'Die Zentrale hat noch keine Konten. Legen Sie das erste auf ihrem Server an:', role: { viewer: 'Betrachter', 'safety-manager': 'Sicherheitsbeauftragte', administrator: 'Administrator' }, machine: 'Maschinenzugang',
  readOnly: 'Sie dürfen schauen, nicht handeln.', notAllowed: 'Ihre Rolle darf das nicht sehen.', notAllowedHint: 'Ein Administrator kann Ihre Rolle ändern:',
  live: 'Aktuell', polled: 'Alle 10 s', connecting: 'Verbinde …', lost: 'Verbindung weg',
  lostSince: (since) => `Seit ${since} weiß diese Seite nicht, was geschieht. Unten steht das Letzte, was sie gehört hat. Sie verbindet sich von selbst neu.`, blindSince: (since, why) => `Die Zentrale konnte ihre Standorte seit ${since} nicht ansehen (${why}). Unten steht, wie sie da waren.`, ill: 'Der Zentrale selbst geht es nicht gut:', lostNever: 'Die Zentrale antwortet nicht. Diese Seite versucht es von selbst weiter.',
  missed: (count) => cde.n(count, { one: 'Dieser Bildschirm war für # Änderung zu langsam; er zeigt wieder den jetzigen Stand.', other: 'Dieser Bildschirm war für # Änderungen zu langsam; er zeigt wieder den jetzigen Stand.' }),
  state: { healthy: 'In Ordnung', degraded: 'Beeinträchtigt', stale: 'Überfällig', offline: 'Weg', unknown: 'Unbekannt' },
  completeness: {
    complete: 'vollständig', unknown: 'unbekannt', missing: (count) => cde.n(count, { one: '# fehlt', other: '# fehlen' }), dead: (count) => cde.n(count, { other: '# nicht gespeichert (unzustellbar)' }),
    filling: (backlog, drain) => `füllt sich (Rückstand ${cde.n(backlog, { other: '#' })}${drain === null ? '' : `, etwa ${cde.about(drain)}`})`,
  },
  severity: { notice: 'Hinweis', warning: 'Warnung', critical: 'Kritisch' }, alertState: { raised: 'Ausgelöst', acknowledged: 'Bestätigt', cleared: 'Vorbei' },
  selectHint: 'Antippen zum Auswählen, dann kopieren.', loading: 'Lade …', again: 'Noch einmal', close: 'Schließen', cancel: 'Abbrechen', save: 'Speichern', back: 'Zurück', none: '–', never: 'nie', now: 'jetzt', unknown: 'unbekannt', by: 'von', any: 'beliebig', all: 'Alle', search: 'Suchen', filter: 'Filter', clearFilter: 'Filter aufheben', reason: 'Grund', older: 'Ältere laden', csv: 'CSV',
  ago: (time) => `vor ${time}`, failed: (why) => `Das ging nicht: ${why}`, more: (count) => cde.n(count, { one: '# weiteren zeigen', other: '# weitere zeigen' }),
  problem: { unreachable: 'die Zentrale ist nicht erreichbar', fleet_outdated: 'die Zentrale konnte die Standorte zuletzt nicht ansehen', database_unavailable: 'die Datenbank ist gerade nicht benutzbar', dashboards_busy: 'gerade wird mehr gefragt, als ausgerechnet werden kann', wrong_password: 'das ist nicht das Passwort', not_found: 'es ist nicht (mehr) da' },
  range: {
    label: 'Zeitraum', presets: { today: 'Heute', yesterday: 'Gestern', 'last-shift': 'Letzte Schicht', '7d': '7 Tage', '28d': '28 Tage', '90d': '90 Tage', custom: 'Eigener' },
    from: 'Von', to: 'Bis', wrong: 'Das ist kein Zeitraum: Das Ende muss nach dem Anfang kommen.',
  },
  keys: 'Tasten', keyHelp: { j: 'nächste Zeile', k: 'vorige Zeile', enter: 'öffnen', a: 'Alarm bestätigen', s: 'Alarm stummschalten', slash: 'zu einem Standort', question: 'diese Hilfe', escape: 'schließen' },
};

const es: typeof en = {
  language: 'Español', languages: 'Idioma',
  nav: 'Central', fleet: 'Sedes', alerts: 'Alertas', silences: 'Silencios', trends: 'Tendencias', completenessPage: 'Integridad', deadLetters: 'No almacenables', rules: 'Reglas', users: 'Usuarios', audit: 'Auditoría', site: 'Sede',
  skip: 'Saltar al contenido', timesIn: (zone) => `Las horas son las de ${zone}.`, notFound: 'Esta página no existe.', toFleet: 'Volver a las sedes', lookedFor: (path) => `No hay nada en ${path}.`,
  find: 'Ir a una sede', findNone: 'Ninguna sede se llama así.',
  account: 'Cuenta', signOut: 'Cerrar sesión', signIn: 'Iniciar sesión', name: 'Nombre', password: 'Contraseña', wrongPassword: 'Ese nombre y esa contraseña no coinciden.',
  changePassword: 'Cambiar la contraseña', oldPassword: 'Contraseña actual', newPassword: 'Contraseña nueva', passwordChanged: 'La contraseña ha cambiado; se han cerrado las sesiones en otros dispositivos.', signInHint: 'Las cuentas las crea un administrador, o en el servidor:', noAccounts: 'La central aún no tiene cuentas. Cree la primera en su servidor:', role: { viewer: 'Observador', 'safety-manager': 'Responsable de seguridad', administrator: 'Administrador' }, machine: 'Acceso de máquina',
  readOnly: 'Puede mirar, no actuar.', notAllowed: 'Su rol no puede ver esto.', notAllowedHint: 'Un administrador puede cambiar su rol:',
  live: 'En directo', polled: 'Cada 10 s', connecting: 'Conectando …', lost: 'Sin conexión',
  lostSince: (since) => `Desde las ${since} esta página no sabe qué ocurre. Abajo está lo último que oyó. Se reconecta sola.`, blindSince: (since, why) => `La central no ha podido mirar sus sedes desde ${since} (${why}). Abajo está cómo estaban entonces.`, ill: 'La propia central no está bien:', lostNever: 'La central no responde. Esta página lo sigue intentando sola.',
  missed: (count) => ces.n(count, { one: 'Esta pantalla fue demasiado lenta para # cambio; vuelve a mostrar el presente.', other: 'Esta pantalla fue demasiado lenta para # cambios; vuelve a mostrar el presente.' }),
  state: { healthy: 'Correcta', degraded: 'Degradada', stale: 'Atrasada', offline: 'Desconectada', unknown: 'Desconocida' },
  completeness: {
    complete: 'completo', unknown: 'desconocido', missing: (count) => ces.n(count, { one: 'falta #', other: 'faltan #' }), dead: (count) => ces.n(count, { one: '# sin guardar (no almacenable)', other: '# sin guardar (no almacenables)' }),
    filling: (backlog, drain) => `llenándose (pendientes ${ces.n(backlog, { other: '#' })}${drain === null ? '' : `, unos ${ces.about(drain)}`})`,
  },
  severity: { notice: 'Aviso', warning: 'Advertencia', critical: 'Crítica' }, alertState: { raised: 'Activada', acknowledged: 'Reconocida', cleared: 'Terminada' },
  selectHint: 'Toque para seleccionar y copie.', loading: 'Cargando …', again: 'Reintentar', close: 'Cerrar', cancel: 'Cancelar', save: 'Guardar', back: 'Atrás', none: '–', never: 'nunca', now: 'ahora', unknown: 'desconocido', by: 'por', any: 'cualquiera', all: 'Todas', search: 'Buscar', filter: 'Filtro', clearFilter: 'Quitar el filtro', reason: 'Motivo', older: 'Cargar anteriores', csv: 'CSV',
  ago: (time) => `hace ${time}`, failed: (why) => `No ha funcionado: ${why}`, more: (count) => ces.n(count, { one: 'Mostrar # más', other: 'Mostrar # más' }),
  problem: { unreachable: 'no se puede contactar con la central', fleet_outdated: 'la central no ha podido mirar las sedes', database_unavailable: 'la base de datos no se puede usar ahora', dashboards_busy: 'se pide más de lo que se puede calcular ahora', wrong_password: 'esa no es la contraseña', not_found: 'no está (o ya no está)' },
  range: {
    label: 'Periodo', presets: { today: 'Hoy', yesterday: 'Ayer', 'last-shift': 'Último turno', '7d': '7 días', '28d': '28 días', '90d': '90 días', custom: 'Otro' },
    from: 'Desde', to: 'Hasta', wrong: 'Esto no es un periodo: el final debe ser posterior al principio.',
  },
  keys: 'Teclas', keyHelp: { j: 'fila siguiente', k: 'fila anterior', enter: 'abrir', a: 'reconocer la alerta', s: 'silenciar la alerta', slash: 'ir a una sede', question: 'esta ayuda', escape: 'cerrar' },
};

const pl: typeof en = {
  language: 'Polski', languages: 'Język',
  nav: 'Centrala', fleet: 'Obiekty', alerts: 'Alarmy', silences: 'Wyciszenia', trends: 'Trendy', completenessPage: 'Kompletność', deadLetters: 'Niezapisane', rules: 'Reguły', users: 'Użytkownicy', audit: 'Dziennik', site: 'Obiekt',
  skip: 'Przejdź do treści', timesIn: (zone) => `Godziny według strefy ${zone}.`, notFound: 'Nie ma takiej strony.', toFleet: 'Wróć do obiektów', lookedFor: (path) => `Pod ${path} nic nie ma.`,
  find: 'Przejdź do obiektu', findNone: 'Żaden obiekt tak się nie nazywa.',
  account: 'Konto', signOut: 'Wyloguj', signIn: 'Zaloguj', name: 'Nazwa', password: 'Hasło', wrongPassword: 'Nazwa i hasło nie pasują do siebie.',
  changePassword: 'Zmień hasło', oldPassword: 'Dotychczasowe hasło', newPassword: 'Nowe hasło', passwordChanged: 'Hasło zmienione; inne urządzenia zostały wylogowane.', signInHint: 'Konta zakłada administrator albo zakłada się je na serwerze:', noAccounts: 'Centrala nie ma jeszcze kont. Załóż pierwsze na jej serwerze:', role: { viewer: 'Obserwator', 'safety-manager': 'Specjalista BHP', administrator: 'Administrator' }, machine: 'Dostęp maszyny',
  readOnly: 'Możesz patrzeć, ale nie działać.', notAllowed: 'Twoja rola nie może tego zobaczyć.', notAllowedHint: 'Administrator może zmienić twoją rolę:',
  live: 'Na żywo', polled: 'Co 10 s', connecting: 'Łączenie …', lost: 'Brak połączenia',
  lostSince: (since) => `Od ${since} ta strona nie wie, co się dzieje. Poniżej jest ostatnie, co usłyszała. Połączy się ponownie sama.`, blindSince: (since, why) => `Centrala nie mogła sprawdzić swoich obiektów od ${since} (${why}). Poniżej jest ich stan z tamtej chwili.`, ill: 'Sama centrala ma kłopoty:', lostNever: 'Centrala nie odpowiada. Ta strona próbuje dalej sama.',
  missed: (count) => cpl.n(count, { one: 'Ten ekran był za wolny na # zmianę; znów pokazuje stan obecny.', few: 'Ten ekran był za wolny na # zmiany; znów pokazuje stan obecny.', many: 'Ten ekran był za wolny na # zmian; znów pokazuje stan obecny.', other: 'Ten ekran był za wolny na # zmiany; znów pokazuje stan obecny.' }),
  state: { healthy: 'Sprawny', degraded: 'Pogorszony', stale: 'Spóźniony', offline: 'Brak łączności', unknown: 'Nieznany' },
  completeness: {
    complete: 'kompletne', unknown: 'nieznane', missing: (count) => cpl.n(count, { one: 'brakuje #', other: 'brakuje #' }), dead: (count) => cpl.n(count, { one: '# nie dał się zapisać', few: '# nie dały się zapisać', many: '# nie dało się zapisać', other: '# nie dało się zapisać' }),
    filling: (backlog, drain) => `uzupełnia się (zaległe ${cpl.n(backlog, { other: '#' })}${drain === null ? '' : `, około ${cpl.about(drain)}`})`,
  },
  severity: { notice: 'Uwaga', warning: 'Ostrzeżenie', critical: 'Krytyczny' }, alertState: { raised: 'Zgłoszony', acknowledged: 'Potwierdzony', cleared: 'Zakończony' },
  selectHint: 'Dotknij, aby zaznaczyć, i skopiuj.', loading: 'Wczytywanie …', again: 'Spróbuj ponownie', close: 'Zamknij', cancel: 'Anuluj', save: 'Zapisz', back: 'Wstecz', none: '–', never: 'nigdy', now: 'teraz', unknown: 'nieznane', by: 'przez', any: 'dowolne', all: 'Wszystkie', search: 'Szukaj', filter: 'Filtr', clearFilter: 'Usuń filtr', reason: 'Powód', older: 'Wczytaj starsze', csv: 'CSV',
  ago: (time) => `${time} temu`, failed: (why) => `Nie udało się: ${why}`, more: (count) => cpl.n(count, { one: 'Pokaż jeszcze #', other: 'Pokaż jeszcze #' }),
  problem: { unreachable: 'centrala jest nieosiągalna', fleet_outdated: 'centrala nie mogła sprawdzić obiektów', database_unavailable: 'baza danych jest teraz niedostępna', dashboards_busy: 'zapytań jest teraz więcej, niż da się obliczyć', wrong_password: 'to nie jest właściwe hasło', not_found: 'tego (już) nie ma' },
  range: {
    label: 'Okres', presets: { today: 'Dziś', yesterday: 'Wczoraj', 'last-shift': 'Ostatnia zmiana', '7d': '7 dni', '28d': '28 dni', '90d': '90 dni', custom: 'Własny' },
    from: 'Od', to: 'Do', wrong: 'To nie jest okres: koniec musi być po początku.',
  },
  keys: 'Klawisze', keyHelp: { j: 'następny wiersz', k: 'poprzedni wiersz', enter: 'otwórz', a: 'potwierdź alarm', s: 'wycisz alarm', slash: 'przejdź do obiektu', question: 'ta pomoc', escape: 'zamknij' },
};

export const shell = { en, de, es, pl };
