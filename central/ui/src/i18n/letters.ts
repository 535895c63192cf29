// What could never be stored.

import { counting } from './counting';

const { en: cen, de: cde, es: ces, pl: cpl } = counting;

const en = {
  title: 'Dead letters', one: (id: number) => `Dead letter ${id}`, what: 'What could not be stored as it is: kept with its reason and raw bytes until somebody decides.',
  states: { open: 'Open', replayed: 'Replayed', discarded: 'Discarded' } as Record<string, string>, id: 'No.', site: 'Site', edge: 'Edge', kind: 'What', kinds: { frame: 'whole batch', record: 'record' } as Record<string, string>, why: 'Why', received: 'Received', size: 'Size', state: 'State', epoch: 'Epoch', seq: 'Seq', batch: 'Batch', bytes: (count: number) => cen.n(count, { one: '# byte', other: '# bytes' }),
  none: 'No dead letter waits for a decision.', noneHint: 'Everything that arrived could be stored, or was decided about.', noneOf: 'There is none of these.', gone: 'There is no such dead letter.',
  raw: 'Raw bytes', offset: 'Offset', hexadecimal: 'Hexadecimal', text: 'Text', rawExplain: 'The bytes may tell who it was. That you looked, when and why, is recorded in the audit and can be read by administrators.', noRaw: 'Its bytes were not kept.', cut: (shown: number, all: number) => `The first ${cen.n(shown, { other: '#' })} of ${cen.n(all, { one: '# byte', other: '# bytes' })}.`,
  replay: 'Try again', replaying: 'Trying …', replayHint: 'Stores it with the present version, if that can read it now.', discard: 'Discard', discardTitle: (id: number) => `Discard dead letter ${id}`, discardExplain: 'It will never be stored; the ledger keeps counting it as dead. Who discarded it and why is in the audit.', discardReason: 'Why', discardDo: 'Discard it',
  replayed: (stored: number, duplicates: number) => `Replayed: ${cen.n(stored, { one: '# row stored', other: '# rows stored' })}, ${cen.n(duplicates, { one: '# was there already', other: '# were there already' })}.`, discarded: 'Discarded.', refused: (why: string) => `It stays: ${why}`, list: 'All dead letters',
};

const de: typeof en = {
  title: 'Unzustellbares', one: (id) => `Unzustellbares ${id}`, what: 'Was so, wie es ist, nicht gespeichert werden konnte: aufbewahrt mit Grund und rohen Bytes, bis jemand entscheidet.',
  states: { open: 'Offen', replayed: 'Nachgeholt', discarded: 'Verworfen' }, id: 'Nr.', site: 'Standort', edge: 'Box', kind: 'Was', kinds: { frame: 'ganzer Stapel', record: 'Datensatz' }, why: 'Warum', received: 'Eingegangen', size: 'Größe', state: 'Zustand', epoch: 'Epoche', seq: 'Folgenummer', batch: 'Stapel', bytes: (count) => cde.n(count, { one: '# Byte', other: '# Bytes' }),
  none: 'Nichts Unzustellbares wartet auf eine Entscheidung.', noneHint: 'Alles, was ankam, konnte gespeichert werden, oder es ist darüber entschieden.', noneOf: 'Davon gibt es keines.', gone: 'Das gibt es hier nicht.',
  raw: 'Rohe Bytes', offset: 'Stelle', hexadecimal: 'Hexadezimal', text: 'Text', rawExplain: 'Die Bytes können verraten, wer es war. Dass Sie nachgesehen haben, wann und warum, wird im Protokoll festgehalten, und Administratoren können es lesen.', noRaw: 'Seine Bytes wurden nicht aufbewahrt.', cut: (shown, all) => `Die ersten ${cde.n(shown, { other: '#' })} von ${cde.n(all, { one: '# Byte', other: '# Bytes' })}.`,
  replay: 'Erneut versuchen', replaying: 'Wird versucht …', replayHint: 'Speichert es mit der jetzigen Version, falls sie es nun lesen kann.', discard: 'Verwerfen', discardTitle: (id) => `Unzustellbares ${id} verwerfen`, discardExplain: 'Es wird nie gespeichert; das Kassenbuch zählt es weiter als tot. Wer es warum verworfen hat, steht im Protokoll.', discardReason: 'Warum', discardDo: 'Endgültig verwerfen',
  replayed: (stored, duplicates) => `Nachgeholt: ${cde.n(stored, { one: '# Zeile gespeichert', other: '# Zeilen gespeichert' })}, ${cde.n(duplicates, { one: '# war schon da', other: '# waren schon da' })}.`, discarded: 'Verworfen.', refused: (why) => `Es bleibt: ${why}`, list: 'Alles Unzustellbare',
};

const es: typeof en = {
  title: 'No almacenables', one: (id) => `No almacenable ${id}`, what: 'Lo que no pudo guardarse tal como es: se conserva con su motivo y sus bytes hasta que alguien decida.',
  states: { open: 'Abiertos', replayed: 'Recuperados', discarded: 'Descartados' }, id: 'N.º', site: 'Sede', edge: 'Edge', kind: 'Qué', kinds: { frame: 'lote entero', record: 'registro' }, why: 'Por qué', received: 'Recibido', size: 'Tamaño', state: 'Estado', epoch: 'Época', seq: 'Secuencia', batch: 'Lote', bytes: (count) => ces.n(count, { one: '# byte', other: '# bytes' }),
  none: 'Nada espera una decisión.', noneHint: 'Todo lo que llegó pudo guardarse, o ya se decidió sobre ello.', noneOf: 'No hay ninguno de estos.', gone: 'Esto no existe aquí.',
  raw: 'Bytes sin procesar', offset: 'Posición', hexadecimal: 'Hexadecimal', text: 'Texto', rawExplain: 'Los bytes pueden revelar quién fue. Que usted los miró, cuándo y por qué, queda registrado en la auditoría y los administradores pueden leerlo.', noRaw: 'Sus bytes no se conservaron.', cut: (shown, all) => `Los primeros ${ces.n(shown, { other: '#' })} de ${ces.n(all, { one: '# byte', other: '# bytes' })}.`,
  replay: 'Reintentar', replaying: 'Intentando …', replayHint: 'Lo guarda con la versión actual, si ahora puede leerlo.', discard: 'Descartar', discardTitle: (id) => `Descartar el no almacenable ${id}`, discardExplain: 'No se guardará nunca; el libro mayor lo sigue contando como muerto. Quién lo descartó y por qué queda en la auditoría.', discardReason: 'Por qué', discardDo: 'Descartarlo',
  replayed: (stored, duplicates) => `Recuperado: ${ces.n(stored, { one: '# fila guardada', other: '# filas guardadas' })}, ${ces.n(duplicates, { one: '# ya estaba', other: '# ya estaban' })}.`, discarded: 'Descartado.', refused: (why) => `Se queda: ${why}`, list: 'Todos los no almacenables',
};

const pl: typeof en = {
  title: 'Niezapisane', one: (id) => `Niezapisane ${id}`, what: 'To, czego nie dało się zapisać w tej postaci: przechowywane z powodem i surowymi bajtami, aż ktoś zdecyduje.',
  states: { open: 'Otwarte', replayed: 'Ponowione', discarded: 'Odrzucone' }, id: 'Nr', site: 'Obiekt', edge: 'Urządzenie', kind: 'Co', kinds: { frame: 'cała paczka', record: 'rekord' }, why: 'Dlaczego', received: 'Odebrano', size: 'Rozmiar', state: 'Stan', epoch: 'Epoka', seq: 'Numer', batch: 'Paczka', bytes: (count) => cpl.n(count, { one: '# bajt', few: '# bajty', many: '# bajtów', other: '# bajtu' }),
  none: 'Nic nie czeka na decyzję.', noneHint: 'Wszystko, co przyszło, dało się zapisać albo już o tym zdecydowano.', noneOf: 'Nie ma żadnych takich.', gone: 'Tego tu nie ma.',
  raw: 'Surowe bajty', offset: 'Miejsce', hexadecimal: 'Szesnastkowo', text: 'Tekst', rawExplain: 'Bajty mogą zdradzić, kto to był. Fakt obejrzenia, jego czas i powód są zapisywane w dzienniku i mogą je czytać administratorzy.', noRaw: 'Jego bajty nie zostały zachowane.', cut: (shown, all) => `Pierwsze ${cpl.n(shown, { other: '#' })} z ${cpl.n(all, { one: '# bajtu', other: '# bajtów' })}.`,
  replay: 'Spróbuj ponownie', replaying: 'Próba …', replayHint: 'Zapisuje to obecną wersją, jeśli teraz potrafi to odczytać.', discard: 'Odrzuć', discardTitle: (id) => `Odrzuć niezapisane ${id}`, discardExplain: 'Nigdy nie zostanie zapisane; księga dalej liczy to jako martwe. Kto i dlaczego odrzucił, jest w dzienniku.', discardReason: 'Dlaczego', discardDo: 'Odrzuć ostatecznie',
  replayed: (stored, duplicates) => `Ponowiono: ${cpl.n(stored, { one: 'zapisano # wiersz', few: 'zapisano # wiersze', many: 'zapisano # wierszy', other: 'zapisano # wiersza' })}, ${cpl.n(duplicates, { one: '# już był', few: '# już były', many: '# już było', other: '# już było' })}.`, discarded: 'Odrzucono.', refused: (why) => `Zostaje: ${why}`, list: 'Wszystkie niezapisane',
};

export const letters = { en, de, es, pl };
