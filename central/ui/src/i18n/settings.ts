// Settings of a site: names, clock, shifts.

const en = {
  title: 'Settings', name: 'Name', timeZone: 'Time zone', shifts: 'Shifts', zones: 'Names of the zones', cameras: 'Names of the cameras',
  reported: (what: string) => `The edge reports: ${what}`, notReported: 'The edge reports none', asReported: 'Empty = as the edge reports it.', zoneHint: 'Days, hours and shifts of every figure go by it.',
  shift: (number: number) => `Shift ${number}`, start: 'Start', end: 'End', days: 'Days', addShift: 'Add a shift', removeShift: (name: string) => `Remove ${name}`, setHere: 'Set the shifts here', asEdge: 'As the edge reports them', noShifts: 'No shifts: figures go by days.',
  day: { mon: 'Mon', tue: 'Tue', wed: 'Wed', thu: 'Thu', fri: 'Fri', sat: 'Sat', sun: 'Sun' }, saved: 'Saved.', unchanged: 'Nothing was changed.', rules: 'Rules of the site',
  noZones: 'No zone is known yet; they appear with their first events.', noCameras: 'No camera is known yet; they appear with their first events.', viewer: 'You may look. Safety managers and administrators may change the settings.',
  conflict: 'Somebody else has changed the settings meanwhile. What you typed is kept; load the present ones, look, and save again.', loadPresent: 'Load the present settings', loaded: 'These are the present settings, with what you typed in its fields.', nowIs: (field: string, value: string) => `${field}: now “${value}”`, asEdgeReports: 'as the edge reports it',
};

const de: typeof en = {
  title: 'Einstellungen', name: 'Name', timeZone: 'Zeitzone', shifts: 'Schichten', zones: 'Namen der Zonen', cameras: 'Namen der Kameras',
  reported: (what) => `Die Box meldet: ${what}`, notReported: 'Die Box meldet nichts', asReported: 'Leer = wie die Box es meldet.', zoneHint: 'Tage, Stunden und Schichten aller Werte richten sich danach.',
  shift: (number) => `Schicht ${number}`, start: 'Beginn', end: 'Ende', days: 'Tage', addShift: 'Schicht hinzufügen', removeShift: (name) => `${name} entfernen`, setHere: 'Schichten hier festlegen', asEdge: 'Wie die Box sie meldet', noShifts: 'Keine Schichten: Die Werte gehen nach Tagen.',
  day: { mon: 'Mo', tue: 'Di', wed: 'Mi', thu: 'Do', fri: 'Fr', sat: 'Sa', sun: 'So' }, saved: 'Gespeichert.', unchanged: 'Nichts wurde geändert.', rules: 'Regeln des Standorts',
  noZones: 'Noch ist keine Zone bekannt; sie erscheinen mit ihren ersten Ereignissen.', noCameras: 'Noch ist keine Kamera bekannt; sie erscheinen mit ihren ersten Ereignissen.', viewer: 'Sie dürfen schauen. Sicherheitsbeauftragte und Administratoren dürfen die Einstellungen ändern.',
  conflict: 'Inzwischen hat jemand anderes die Einstellungen geändert. Was Sie eingetippt haben, bleibt erhalten; laden Sie die jetzigen, sehen Sie nach, und speichern Sie noch einmal.', loadPresent: 'Die jetzigen Einstellungen laden', loaded: 'Das sind die jetzigen Einstellungen; was Sie eingetippt haben, steht in seinen Feldern.', nowIs: (field, value) => `${field}: jetzt „${value}“`, asEdgeReports: 'wie die Box es meldet',
};

const es: typeof en = {
  title: 'Ajustes', name: 'Nombre', timeZone: 'Zona horaria', shifts: 'Turnos', zones: 'Nombres de las zonas', cameras: 'Nombres de las cámaras',
  reported: (what) => `El equipo informa: ${what}`, notReported: 'El equipo no informa nada', asReported: 'Vacío = como informa el equipo.', zoneHint: 'Los días, horas y turnos de todas las cifras se rigen por ella.',
  shift: (number) => `Turno ${number}`, start: 'Comienzo', end: 'Fin', days: 'Días', addShift: 'Añadir un turno', removeShift: (name) => `Quitar ${name}`, setHere: 'Fijar aquí los turnos', asEdge: 'Como los informa el equipo', noShifts: 'Sin turnos: las cifras van por días.',
  day: { mon: 'lun', tue: 'mar', wed: 'mié', thu: 'jue', fri: 'vie', sat: 'sáb', sun: 'dom' }, saved: 'Guardado.', unchanged: 'No se cambió nada.', rules: 'Reglas de la sede',
  noZones: 'Aún no se conoce ninguna zona; aparecen con sus primeros eventos.', noCameras: 'Aún no se conoce ninguna cámara; aparecen con sus primeros eventos.', viewer: 'Puede mirar. Los responsables de seguridad y los administradores pueden cambiar los ajustes.',
  conflict: 'Entretanto otra persona ha cambiado los ajustes. Lo que escribió se conserva; cargue los actuales, mírelos y guarde otra vez.', loadPresent: 'Cargar los ajustes actuales', loaded: 'Estos son los ajustes actuales, con lo que escribió en sus campos.', nowIs: (field, value) => `${field}: ahora «${value}»`, asEdgeReports: 'como informa el equipo',
};

const pl: typeof en = {
  title: 'Ustawienia', name: 'Nazwa', timeZone: 'Strefa czasowa', shifts: 'Zmiany', zones: 'Nazwy stref', cameras: 'Nazwy kamer',
  reported: (what) => `Urządzenie zgłasza: ${what}`, notReported: 'Urządzenie nic nie zgłasza', asReported: 'Puste = jak zgłasza urządzenie.', zoneHint: 'Według niej liczone są dni, godziny i zmiany wszystkich wartości.',
  shift: (number) => `Zmiana ${number}`, start: 'Początek', end: 'Koniec', days: 'Dni', addShift: 'Dodaj zmianę', removeShift: (name) => `Usuń ${name}`, setHere: 'Ustal zmiany tutaj', asEdge: 'Jak zgłasza urządzenie', noShifts: 'Bez zmian: wartości liczone są dniami.',
  day: { mon: 'pon.', tue: 'wt.', wed: 'śr.', thu: 'czw.', fri: 'pt.', sat: 'sob.', sun: 'niedz.' }, saved: 'Zapisano.', unchanged: 'Nic nie zmieniono.', rules: 'Reguły obiektu',
  noZones: 'Nie znamy jeszcze żadnej strefy; pojawią się z pierwszymi zdarzeniami.', noCameras: 'Nie znamy jeszcze żadnej kamery; pojawią się z pierwszymi zdarzeniami.', viewer: 'Możesz patrzeć. Ustawienia zmieniają specjaliści BHP i administratorzy.',
  conflict: 'Ktoś inny zmienił w tym czasie ustawienia. To, co wpisano, jest zachowane; wczytaj obecne, sprawdź i zapisz jeszcze raz.', loadPresent: 'Wczytaj obecne ustawienia', loaded: 'To są obecne ustawienia, z tym, co wpisano, w swoich polach.', nowIs: (field, value) => `${field}: teraz „${value}”`, asEdgeReports: 'jak zgłasza urządzenie',
};

export const settings = { en, de, es, pl };
