// Completeness: what the edges accepted, held against what is stored.

import { counting } from './counting';

const { en: cen, de: cde, es: ces, pl: cpl } = counting;

const en = {
  title: 'Completeness', intro: 'What the edges accepted, held against what is stored here.', by: { shift: 'shift', day: 'day', hour: 'hour' }, byWord: 'Rows per',
  period: 'Time', completeness: 'State', part: 'Complete', accepted: 'Accepted', stored: 'Stored', alerts: 'Alerts', duplicates: 'Twice', dead: 'Dead letters', buffered: 'At the edge', missing: 'Missing', nothing: 'nothing was sent',
  epochs: (count: number) => cen.n(count, { one: '# epoch concerned', other: '# epochs concerned' }), epochOf: (edge: string, epoch: string, count: string) => `${edge}, epoch ${epoch}: ${count} missing`,
  notOver: 'filling (not over yet)', approximate: '(approximate)', ran: (share: string) => `the edges ran ${share} of the time`, noEdge: 'no edge of this site was known then', noEdgeRan: 'no edge ran',
  export: 'Export for the auditor (CSV)', summary: (complete: string, all: string) => `${complete} of ${all} complete`, dead_lettered: (count: number) => cen.n(count, { one: '# with dead letters', other: '# with dead letters' }),
  unknown: (count: number) => cen.n(count, { one: '# not known yet', other: '# not known yet' }), never: (count: number) => cen.n(count, { one: '# not known', other: '# not known' }),
  formula: 'Accepted at the edge = stored + alerts + came twice + dead letters + still at the edge + missing.',
  emptyTitle: 'No edge of this site accepted anything in this time.', emptyHint: 'Choose another time, or ask on the server whether the edges send:',
};

const de: typeof en = {
  title: 'Vollständigkeit', intro: 'Was die Boxen angenommen haben, gehalten gegen das, was hier gespeichert ist.', by: { shift: 'Schicht', day: 'Tag', hour: 'Stunde' }, byWord: 'Zeilen je',
  period: 'Zeit', completeness: 'Zustand', part: 'Vollständig', accepted: 'Angenommen', stored: 'Gespeichert', alerts: 'Alarme', duplicates: 'Doppelt', dead: 'Unzustellbar', buffered: 'Noch in der Box', missing: 'Fehlend', nothing: 'nichts wurde gesendet',
  epochs: (count) => cde.n(count, { one: '# Epoche betroffen', other: '# Epochen betroffen' }), epochOf: (edge, epoch, count) => `${edge}, Epoche ${epoch}: ${count} fehlen`,
  notOver: 'füllt sich (noch nicht vorbei)', approximate: '(ungefähr)', ran: (share) => `die Boxen liefen ${share} der Zeit`, noEdge: 'damals war keine Box dieses Standorts bekannt', noEdgeRan: 'keine Box lief',
  export: 'Für die Prüfung exportieren (CSV)', summary: (complete, all) => `${complete} von ${all} vollständig`, dead_lettered: (count) => cde.n(count, { one: '# mit Unzustellbarem', other: '# mit Unzustellbarem' }),
  unknown: (count) => cde.n(count, { one: '# noch nicht bekannt', other: '# noch nicht bekannt' }), never: (count) => cde.n(count, { one: '# nicht bekannt', other: '# nicht bekannt' }),
  formula: 'In der Box angenommen = gespeichert + Alarme + doppelt + unzustellbar + noch in der Box + fehlend.',
  emptyTitle: 'Keine Box dieses Standorts hat in dieser Zeit etwas angenommen.', emptyHint: 'Wählen Sie eine andere Zeit, oder fragen Sie auf dem Server, ob die Boxen senden:',
};

const es: typeof en = {
  title: 'Integridad', intro: 'Lo que aceptaron los equipos, comparado con lo que está guardado aquí.', by: { shift: 'turno', day: 'día', hour: 'hora' }, byWord: 'Filas por',
  period: 'Tiempo', completeness: 'Estado', part: 'Completo', accepted: 'Aceptado', stored: 'Guardado', alerts: 'Alertas', duplicates: 'Repetido', dead: 'No almacenable', buffered: 'Aún en el equipo', missing: 'Falta', nothing: 'no se envió nada',
  epochs: (count) => ces.n(count, { one: '# época afectada', other: '# épocas afectadas' }), epochOf: (edge, epoch, count) => `${edge}, época ${epoch}: faltan ${count}`,
  notOver: 'llenándose (aún no ha terminado)', approximate: '(aproximado)', ran: (share) => `los equipos funcionaron el ${share} del tiempo`, noEdge: 'entonces no se conocía ningún equipo de esta sede', noEdgeRan: 'no funcionó ningún equipo',
  export: 'Exportar para la auditoría (CSV)', summary: (complete, all) => `${complete} de ${all} completos`, dead_lettered: (count) => ces.n(count, { one: '# con no almacenables', other: '# con no almacenables' }),
  unknown: (count) => ces.n(count, { one: '# aún no se conoce', other: '# aún no se conocen' }), never: (count) => ces.n(count, { one: '# no se conoce', other: '# no se conocen' }),
  formula: 'Aceptado en el equipo = guardado + alertas + repetido + no almacenable + aún en el equipo + falta.',
  emptyTitle: 'Ningún equipo de esta sede aceptó nada en este tiempo.', emptyHint: 'Elija otro tiempo, o pregunte en el servidor si los equipos envían:',
};

const pl: typeof en = {
  title: 'Kompletność', intro: 'To, co przyjęły urządzenia, zestawione z tym, co jest tu zapisane.', by: { shift: 'zmianę', day: 'dzień', hour: 'godzinę' }, byWord: 'Wiersze na',
  period: 'Czas', completeness: 'Stan', part: 'Kompletne', accepted: 'Przyjęte', stored: 'Zapisane', alerts: 'Alarmy', duplicates: 'Podwójne', dead: 'Niezapisane', buffered: 'Jeszcze w urządzeniu', missing: 'Brakujące', nothing: 'nic nie wysłano',
  epochs: (count) => cpl.n(count, { one: 'dotyczy # epoki', other: 'dotyczy # epok' }), epochOf: (edge, epoch, count) => `${edge}, epoka ${epoch}: brakuje ${count}`,
  notOver: 'uzupełnia się (jeszcze trwa)', approximate: '(w przybliżeniu)', ran: (share) => `urządzenia działały przez ${share} czasu`, noEdge: 'nie znano wtedy żadnego urządzenia tego obiektu', noEdgeRan: 'żadne urządzenie nie działało',
  export: 'Eksport dla audytora (CSV)', summary: (complete, all) => `${complete} z ${all} kompletnych`, dead_lettered: (count) => cpl.n(count, { one: '# z niezapisanymi', other: '# z niezapisanymi' }),
  unknown: (count) => cpl.n(count, { one: '# jeszcze nieznany', few: '# jeszcze nieznane', many: '# jeszcze nieznanych', other: '# jeszcze nieznanych' }), never: (count) => cpl.n(count, { one: '# nieznany', few: '# nieznane', many: '# nieznanych', other: '# nieznanych' }),
  formula: 'Przyjęte w urządzeniu = zapisane + alarmy + podwójne + niezapisane + jeszcze w urządzeniu + brakujące.',
  emptyTitle: 'Żadne urządzenie tego obiektu niczego w tym czasie nie przyjęło.', emptyHint: 'Wybierz inny czas albo sprawdź na serwerze, czy urządzenia wysyłają:',
};

export const ledger = { en, de, es, pl };
