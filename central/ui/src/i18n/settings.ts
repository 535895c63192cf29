// Settings of a site: names, clock, shifts.

const en = {
  title: 'Settings', name: 'Name', timeZone: 'Time zone', shifts: 'Shifts', zones: 'Names of the zones', cameras: 'Names of the cameras',
  reported: (what: string) => `The edge reports: ${what}`, notReported: 'The edge reports none', asReported: 'Empty = as the edge reports it.', zoneHint: 'Days, hours and shifts of every figure go by it.',
  shift: (number: number) => `Shift ${number}`, start: 'Start', end: 'End', days: 'Days', addShift: 'Add a shift', removeShift: (name: string) => `Remove ${name}`, setHere: 'Set the shifts here', asEdge: 'As the edge reports them', noShifts: 'No shifts: figures go by days.',
  day: { mon: 'Mon', tue: 'Tue', wed: 'Wed', thu: 'Thu', fri: 'Fri', sat: 'Sat', sun: 'Sun' }, saved: 'Saved.', unchanged: 'Nothing was changed.', rules: 'Rules of the site',
  noZones: 'No zone is known yet; they appear with their first events.', noCameras: 'No camera is known yet; they appear with their first events.', viewer: 'You may look. Safety managers and administrators may change the settings.',
};

const de: typeof en = {
  title: 'Einstellungen', name: 'Name', timeZone: 'Zeitzone', shifts: 'Schichten', zones: 'Namen der Zonen', cameras: 'Namen der Kameras',
  reported: (what) => `Die Box meldet: ${what}`, notReported: 'Die Box meldet nichts', asReported: 'Leer = wie die Box es meldet.', zoneHint: 'Tage, Stunden und Schichten aller Werte richten sich danach.',
  shift: (number) => `Schicht ${number}`, start: 'Beginn', end: 'Ende', days: 'Tage', addShift: 'Schicht hinzufügen', removeShift: (name) => `${name} entfernen`, setHere: 'Schichten hier festlegen', asEdge: 'Wie die Box sie meldet', noShifts: 'Keine Schichten: Die Werte gehen nach Tagen.',
  day: { mon: 'Mo', tue: 'Di', wed: 'Mi', thu: 'Do', fri: 'Fr', sat: 'Sa', sun: 'So' }, saved: 'Gespeichert.', unchanged: 'Nichts wurde geändert.', rules: 'Regeln des Standorts',
  noZones: 'Noch ist keine Zone bekannt; sie erscheinen mit ihren ersten Ereignissen.', noCameras: 'Noch ist keine Kamera bekannt; sie erscheinen mit ihren ersten Ereignissen.', viewer: 'Sie dürfen schauen. Sicherheitsbeauftragte und Administratoren dürfen die Einstellungen ändern.',
};

const es: typeof en = {
  title: 'Ajustes', name: 'Nombre', timeZone: 'Zona horaria', shifts: 'Turnos', zones: 'Nombres de las zonas', cameras: 'Nombres de las cámaras',
  reported: (what) => `El equipo informa: ${what}`, notReported: 'El equipo no informa nada', asReported: 'Vacío = como informa el equipo.', zoneHint: 'Los días, horas y turnos de todas las cifras se rigen por ella.',
  shift: (number) => `Turno ${number}`, start: 'Comienzo', end: 'Fin', days: 'Días', addShift: 'Añadir un turno', removeShift: (name) => `Quitar ${name}`, setHere: 'Fijar aquí los turnos', asEdge: 'Como los informa el equipo', noShifts: 'Sin turnos: las cifras van por días.',
  day: { mon: 'lun', tue: 'mar', wed: 'mié', thu: 'jue', fri: 'vie', sat: 'sáb', sun: 'dom' }, saved: 'Guardado.', unchanged: 'No se cambió nada.', rules: 'Reglas de la sede',
  noZones: 'Aún no se conoce ninguna zona; aparecen con sus primeros eventos.', noCameras: 'Aún no se conoce ninguna cámara; aparecen con sus primeros eventos.', viewer: 'Puede mirar. Los responsables de seguridad y los administradores pueden cambiar los ajustes.',
};

const pl: typeof en = {
  title: 'Ustawienia', name: 'Nazwa', timeZone: 'Strefa czasowa', shifts: 'Zmiany', zones: 'Nazwy stref', cameras: 'Nazwy kamer',
  reported: (what) => `Urządzenie zgłasza: ${what}`, notReported: 'Urządzenie nic nie zgłasza', asReported: 'Puste = jak zgłasza urządzenie.', zoneHint: 'Według niej liczone są dni, godziny i zmiany wszystkich wartości.',
  shift: (number) => `Zmiana ${number}`, start: 'Początek', end: 'Koniec', days: 'Dni', addShift: 'Dodaj zmianę', removeShift: (name) => `Usuń ${name}`, setHere: 'Ustal zmiany tutaj', asEdge: 'Jak zgłasza urządzenie', noShifts: 'Bez zmian: wartości liczone są dniami.',
  day: { mon: 'pon.', tue: 'wt.', wed: 'śr.', thu: 'czw.', fri: 'pt.', sat: 'sob.', sun: 'niedz.' }, saved: 'Zapisano.', unchanged: 'Nic nie zmieniono.', rules: 'Reguły obiektu',
  noZones: 'Nie znamy jeszcze żadnej strefy; pojawią się z pierwszymi zdarzeniami.', noCameras: 'Nie znamy jeszcze żadnej kamery; pojawią się z pierwszymi zdarzeniami.', viewer: 'Możesz patrzeć. Ustawienia zmieniają specjaliści BHP i administratorzy.',
};

export const settings = { en, de, es, pl };
