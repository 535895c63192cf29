// Rule sets of a site: which hold, who goes by them, how they are changed.

import { counting } from './counting';

const { en: cen, de: cde, es: ces, pl: cpl } = counting;

const en = {
  title: 'Rules', intro: 'When an alert is raised at a site. A rule set made here goes to each edge of the site with its next heartbeat; an edge that cannot be reached keeps its last.',
  site: 'Site', sites: 'Sites', versionOf: (version: number) => `Version ${version}`, ownConfig: 'each edge’s own configuration', edges: 'Edges', edge: 'Edge', applied: 'Goes by', state: 'State', reported: 'Reported', never: 'never', none: 'none',
  edgeState: { applied: 'applied', waiting: 'waiting for its next heartbeat', refused: 'refused', own: 'by its own configuration' },
  counts: { applied: (count: number) => cen.n(count, { other: '# applied' }), waiting: (count: number) => cen.n(count, { other: '# waiting' }), refused: (count: number) => cen.n(count, { other: '# refused' }), own: (count: number) => cen.n(count, { other: '# by its own' }) },
  inForce: 'In force', madeBy: (name: string, at: string) => `made by ${name}, ${at}`, edit: 'Change the rules', start: 'Make a rule set here', startHint: 'No rule set was made here: each edge goes by its own configuration.',
  addRule: 'Add a rule', removeRule: (name: string) => `Remove ${name}`, rule: (number: number) => `Rule ${number}`, unnamed: 'without a name',
  field: { name: 'Name', threshold: 'Threshold', clear_below: 'Over below', for: 'For at least', gap: 'Longest pause', cooldown: 'Rest afterwards', severity: 'Severity', scope: 'Taken together', zones: 'Zones', sources: 'Sources', confidence_min: 'Least confidence' },
  hint: { name: 'a–z, 0–9, - and _; another name makes another rule', threshold: 'a score, up to 100', clear_below: 'a score; empty = the threshold', for: 'for example 3s', gap: 'for example 500ms', cooldown: 'for example 10m; 0s = none', confidence_min: '0 to 1', zones: 'none chosen = all' },
  severity: { notice: 'Notice', warning: 'Warning', critical: 'Critical' }, scope: { worker: 'each worker in each zone', unidentified: 'whoever a camera sees unidentified', person: 'each person, identified or not' }, source: { camera: 'camera', wearable: 'wearable', manual: 'typed in' },
  sentence: (threshold: string, time: string) => `Risk of ${threshold} or more for at least ${time}`, everywhere: 'in every zone', only: (zones: string) => `only in ${zones}`,
  note: 'Note: why?', noteHint: 'It is kept with the version.', check: 'Check', publish: 'Send to the site', checked: 'Headquarters finds no fault with these rules.', unchanged: 'Nothing differs from the rules in force.',
  diff: 'What changes', added: 'new', removed: 'gone', changed: 'changed', published: (version: number) => `Version ${version} is made. The edges apply it with their next heartbeat.`,
  conflict: 'Somebody else has made a version meanwhile. What you wrote is kept; look at what changes now, and send it again.',
  handBack: 'Back to the edges’ own configuration', handBackTitle: 'Give up the rules made here?', handBackHint: 'With their next heartbeat the edges of this site go by their own configuration again. The versions stay listed.', handBackDo: 'Give up', handedBack: 'The edges will go by their own configuration again.',
  versions: 'All versions', use: 'Use as a draft', noVersions: 'No version was made here yet.', settings: 'Settings of the site', viewer: 'You may look. Safety managers and administrators may change the rules.', emptyRules: 'This set has no rule: nothing raises an alert about people.',
};

const de: typeof en = {
  title: 'Regeln', intro: 'Wann an einem Standort ein Alarm ausgelöst wird. Ein Regelsatz von hier geht mit dem nächsten Lebenszeichen an jede Box des Standorts; eine Box, die nicht erreichbar ist, behält ihren letzten.',
  site: 'Standort', sites: 'Standorte', versionOf: (version) => `Fassung ${version}`, ownConfig: 'die eigene Einstellung jeder Box', edges: 'Boxen', edge: 'Box', applied: 'Gilt dort', state: 'Zustand', reported: 'Gemeldet', never: 'nie', none: 'keine',
  edgeState: { applied: 'angewendet', waiting: 'wartet auf ihr nächstes Lebenszeichen', refused: 'abgelehnt', own: 'nach eigener Einstellung' },
  counts: { applied: (count) => cde.n(count, { other: '# angewendet' }), waiting: (count) => cde.n(count, { one: '# wartet', other: '# warten' }), refused: (count) => cde.n(count, { one: '# lehnt ab', other: '# lehnen ab' }), own: (count) => cde.n(count, { other: '# nach eigener' }) },
  inForce: 'Es gilt', madeBy: (name, at) => `von ${name}, ${at}`, edit: 'Regeln ändern', start: 'Hier einen Regelsatz anlegen', startHint: 'Hier wurde kein Regelsatz angelegt: Jede Box geht nach ihrer eigenen Einstellung.',
  addRule: 'Regel hinzufügen', removeRule: (name) => `${name} entfernen`, rule: (number) => `Regel ${number}`, unnamed: 'ohne Namen',
  field: { name: 'Name', threshold: 'Schwelle', clear_below: 'Vorbei unter', for: 'Mindestens lang', gap: 'Längste Pause', cooldown: 'Ruhe danach', severity: 'Schwere', scope: 'Zusammen zählt', zones: 'Zonen', sources: 'Quellen', confidence_min: 'Mindestsicherheit' },
  hint: { name: 'a–z, 0–9, - und _; ein anderer Name ist eine andere Regel', threshold: 'ein Wert bis 100', clear_below: 'ein Wert; leer = die Schwelle', for: 'zum Beispiel 3s', gap: 'zum Beispiel 500ms', cooldown: 'zum Beispiel 10m; 0s = keine', confidence_min: '0 bis 1', zones: 'keine gewählt = alle' },
  severity: { notice: 'Hinweis', warning: 'Warnung', critical: 'Kritisch' }, scope: { worker: 'jede erkannte Person je Zone', unidentified: 'wen eine Kamera unerkannt sieht', person: 'jede Person, erkannt oder nicht' }, source: { camera: 'Kamera', wearable: 'Sensor am Körper', manual: 'eingetippt' },
  sentence: (threshold, time) => `Risiko von ${threshold} oder mehr, mindestens ${time} lang`, everywhere: 'in jeder Zone', only: (zones) => `nur in ${zones}`,
  note: 'Notiz: Warum?', noteHint: 'Sie bleibt bei der Fassung.', check: 'Prüfen', publish: 'An den Standort senden', checked: 'Die Zentrale findet keinen Fehler in diesen Regeln.', unchanged: 'Nichts weicht von den geltenden Regeln ab.',
  diff: 'Was sich ändert', added: 'neu', removed: 'entfällt', changed: 'geändert', published: (version) => `Fassung ${version} ist angelegt. Die Boxen wenden sie mit dem nächsten Lebenszeichen an.`,
  conflict: 'Inzwischen hat jemand anderes eine Fassung angelegt. Ihr Entwurf bleibt erhalten; sehen Sie nach, was sich jetzt ändert, und senden Sie ihn noch einmal.',
  handBack: 'Zurück zur eigenen Einstellung der Boxen', handBackTitle: 'Die Regeln von hier aufgeben?', handBackHint: 'Mit dem nächsten Lebenszeichen gehen die Boxen dieses Standorts wieder nach ihrer eigenen Einstellung. Die Fassungen bleiben in der Liste.', handBackDo: 'Aufgeben', handedBack: 'Die Boxen gehen wieder nach ihrer eigenen Einstellung.',
  versions: 'Alle Fassungen', use: 'Als Entwurf nehmen', noVersions: 'Hier wurde noch keine Fassung angelegt.', settings: 'Einstellungen des Standorts', viewer: 'Sie dürfen schauen. Sicherheitsbeauftragte und Administratoren dürfen die Regeln ändern.', emptyRules: 'Dieser Satz hat keine Regel: Nichts löst einen Alarm über Menschen aus.',
};

const es: typeof en = {
  title: 'Reglas', intro: 'Cuándo salta una alerta en una sede. Un conjunto de reglas hecho aquí llega a cada equipo de la sede con su próximo latido; un equipo al que no se llega conserva el último.',
  site: 'Sede', sites: 'Sedes', versionOf: (version) => `Versión ${version}`, ownConfig: 'la configuración propia de cada equipo', edges: 'Equipos', edge: 'Equipo', applied: 'Aplica', state: 'Estado', reported: 'Informado', never: 'nunca', none: 'ninguna',
  edgeState: { applied: 'aplicada', waiting: 'espera su próximo latido', refused: 'rechazada', own: 'según su configuración propia' },
  counts: { applied: (count) => ces.n(count, { one: '# aplica', other: '# aplican' }), waiting: (count) => ces.n(count, { one: '# espera', other: '# esperan' }), refused: (count) => ces.n(count, { one: '# rechaza', other: '# rechazan' }), own: (count) => ces.n(count, { other: '# según la propia' }) },
  inForce: 'En vigor', madeBy: (name, at) => `por ${name}, ${at}`, edit: 'Cambiar las reglas', start: 'Hacer aquí un conjunto de reglas', startHint: 'Aquí no se hizo ningún conjunto de reglas: cada equipo sigue su configuración propia.',
  addRule: 'Añadir una regla', removeRule: (name) => `Quitar ${name}`, rule: (number) => `Regla ${number}`, unnamed: 'sin nombre',
  field: { name: 'Nombre', threshold: 'Umbral', clear_below: 'Termina por debajo de', for: 'Durante al menos', gap: 'Pausa máxima', cooldown: 'Descanso después', severity: 'Gravedad', scope: 'Se toma junto', zones: 'Zonas', sources: 'Fuentes', confidence_min: 'Confianza mínima' },
  hint: { name: 'a–z, 0–9, - y _; otro nombre hace otra regla', threshold: 'puntos, hasta 100', clear_below: 'puntos; vacío = el umbral', for: 'por ejemplo 3s', gap: 'por ejemplo 500ms', cooldown: 'por ejemplo 10m; 0s = ninguno', confidence_min: '0 a 1', zones: 'ninguna elegida = todas' },
  severity: { notice: 'Aviso', warning: 'Advertencia', critical: 'Crítica' }, scope: { worker: 'cada trabajador en cada zona', unidentified: 'quien ve una cámara sin identificar', person: 'cada persona, identificada o no' }, source: { camera: 'cámara', wearable: 'sensor corporal', manual: 'a mano' },
  sentence: (threshold, time) => `Riesgo de ${threshold} o más durante al menos ${time}`, everywhere: 'en todas las zonas', only: (zones) => `solo en ${zones}`,
  note: 'Nota: ¿por qué?', noteHint: 'Se guarda con la versión.', check: 'Comprobar', publish: 'Enviar a la sede', checked: 'La central no encuentra ningún error en estas reglas.', unchanged: 'Nada difiere de las reglas en vigor.',
  diff: 'Qué cambia', added: 'nueva', removed: 'se quita', changed: 'cambia', published: (version) => `La versión ${version} está hecha. Los equipos la aplican con su próximo latido.`,
  conflict: 'Entretanto otra persona ha hecho una versión. Lo que escribió se conserva; mire qué cambia ahora y envíelo otra vez.',
  handBack: 'Volver a la configuración propia de los equipos', handBackTitle: '¿Abandonar las reglas hechas aquí?', handBackHint: 'Con su próximo latido los equipos de esta sede vuelven a su configuración propia. Las versiones siguen en la lista.', handBackDo: 'Abandonar', handedBack: 'Los equipos volverán a su configuración propia.',
  versions: 'Todas las versiones', use: 'Usar como borrador', noVersions: 'Aquí aún no se hizo ninguna versión.', settings: 'Ajustes de la sede', viewer: 'Puede mirar. Los responsables de seguridad y los administradores pueden cambiar las reglas.', emptyRules: 'Este conjunto no tiene reglas: nada lanza una alerta sobre personas.',
};

const pl: typeof en = {
  title: 'Reguły', intro: 'Kiedy w obiekcie podnosi się alarm. Zestaw reguł zrobiony tutaj trafia do każdego urządzenia obiektu z jego następnym sygnałem; urządzenie bez łączności zachowuje ostatni.',
  site: 'Obiekt', sites: 'Obiekty', versionOf: (version) => `Wersja ${version}`, ownConfig: 'własna konfiguracja każdego urządzenia', edges: 'Urządzenia', edge: 'Urządzenie', applied: 'Stosuje', state: 'Stan', reported: 'Zgłoszono', never: 'nigdy', none: 'brak',
  edgeState: { applied: 'zastosowana', waiting: 'czeka na następny sygnał', refused: 'odrzucona', own: 'według własnej konfiguracji' },
  counts: { applied: (count) => cpl.n(count, { one: '# stosuje', few: '# stosują', many: '# stosuje', other: '# stosuje' }), waiting: (count) => cpl.n(count, { one: '# czeka', few: '# czekają', many: '# czeka', other: '# czeka' }), refused: (count) => cpl.n(count, { one: '# odrzuca', few: '# odrzucają', many: '# odrzuca', other: '# odrzuca' }), own: (count) => cpl.n(count, { other: '# według własnej' }) },
  inForce: 'Obowiązuje', madeBy: (name, at) => `zrobił(a) ${name}, ${at}`, edit: 'Zmień reguły', start: 'Zrób tutaj zestaw reguł', startHint: 'Nie zrobiono tu zestawu reguł: każde urządzenie działa według własnej konfiguracji.',
  addRule: 'Dodaj regułę', removeRule: (name) => `Usuń ${name}`, rule: (number) => `Reguła ${number}`, unnamed: 'bez nazwy',
  field: { name: 'Nazwa', threshold: 'Próg', clear_below: 'Koniec poniżej', for: 'Przez co najmniej', gap: 'Najdłuższa przerwa', cooldown: 'Spokój potem', severity: 'Waga', scope: 'Liczone razem', zones: 'Strefy', sources: 'Źródła', confidence_min: 'Najmniejsza pewność' },
  hint: { name: 'a–z, 0–9, - i _; inna nazwa to inna reguła', threshold: 'wynik, do 100', clear_below: 'wynik; puste = próg', for: 'na przykład 3s', gap: 'na przykład 500ms', cooldown: 'na przykład 10m; 0s = brak', confidence_min: '0 do 1', zones: 'żadna = wszystkie' },
  severity: { notice: 'Uwaga', warning: 'Ostrzeżenie', critical: 'Krytyczny' }, scope: { worker: 'każdy pracownik w każdej strefie', unidentified: 'kogo kamera widzi bez rozpoznania', person: 'każda osoba, rozpoznana lub nie' }, source: { camera: 'kamera', wearable: 'czujnik na ciele', manual: 'wpisane' },
  sentence: (threshold, time) => `Ryzyko ${threshold} lub więcej przez co najmniej ${time}`, everywhere: 'w każdej strefie', only: (zones) => `tylko w ${zones}`,
  note: 'Notatka: dlaczego?', noteHint: 'Zostaje przy wersji.', check: 'Sprawdź', publish: 'Wyślij do obiektu', checked: 'Centrala nie znajduje błędu w tych regułach.', unchanged: 'Nic nie różni się od obowiązujących reguł.',
  diff: 'Co się zmienia', added: 'nowa', removed: 'znika', changed: 'zmieniona', published: (version) => `Wersja ${version} jest zrobiona. Urządzenia zastosują ją z następnym sygnałem.`,
  conflict: 'Ktoś inny zrobił w tym czasie wersję. Twój szkic jest zachowany; zobacz, co się teraz zmienia, i wyślij go jeszcze raz.',
  handBack: 'Wróć do własnej konfiguracji urządzeń', handBackTitle: 'Zrezygnować z reguł zrobionych tutaj?', handBackHint: 'Z następnym sygnałem urządzenia tego obiektu wrócą do własnej konfiguracji. Wersje zostaną na liście.', handBackDo: 'Zrezygnuj', handedBack: 'Urządzenia wrócą do własnej konfiguracji.',
  versions: 'Wszystkie wersje', use: 'Użyj jako szkicu', noVersions: 'Nie zrobiono tu jeszcze żadnej wersji.', settings: 'Ustawienia obiektu', viewer: 'Możesz patrzeć. Reguły zmieniają specjaliści BHP i administratorzy.', emptyRules: 'Ten zestaw nie ma reguł: nic nie podnosi alarmu o ludziach.',
};

export const rules = { en, de, es, pl };
