// The list of all sites.

import { counting } from './counting';

const { en: cen, de: cde, es: ces, pl: cpl } = counting;

const en = {
  title: 'Fleet', site: 'Site', state: 'State', backlog: 'Backlog', lastData: 'Last data', alertsNow: 'Alerts now', completeness: 'Completeness', rate: 'Events/s (5 min)',
  allSites: 'All', filterHint: 'Name, id or what is wrong', byState: 'Sites by state',
  counted: (shown: number, all: number) => (shown === all ? cen.n(all, { one: '# site', other: '# sites' }) : `${cen.n(shown, { other: '#' })} of ${cen.n(all, { one: '# site', other: '# sites' })}`),
  alertsOpen: 'Alerts open', unacknowledged: (count: number) => cen.n(count, { other: '# not seen to' }), eventsPerSecond: 'Events per second, mean of 5 min', waiting: 'Waiting at the sites', missing: 'Missing', dead: 'Dead letters',
  none: 'No site is known yet.', noneHint: 'Give the first edge its credential on the server; the site appears here when it is made:', noMatch: 'No site matches this filter.',
  oldest: (time: string) => `oldest ${time}`, drain: (time: string) => `about ${time} to go`, moreReasons: (count: number) => cen.n(count, { one: '# more reason', other: '# more reasons' }),
  since: (time: string) => `for ${time}`, fresh: (site: string, state: string) => `${site}: ${state}`,
};

const de: typeof en = {
  title: 'Standorte', site: 'Standort', state: 'Zustand', backlog: 'Rückstand', lastData: 'Letzte Daten', alertsNow: 'Alarme jetzt', completeness: 'Vollständigkeit', rate: 'Ereignisse/s (5 min)',
  allSites: 'Alle', filterHint: 'Name, Kennung oder was nicht stimmt', byState: 'Standorte nach Zustand',
  counted: (shown, all) => (shown === all ? cde.n(all, { one: '# Standort', other: '# Standorte' }) : `${cde.n(shown, { other: '#' })} von ${cde.n(all, { one: '# Standort', other: '# Standorten' })}`),
  alertsOpen: 'Offene Alarme', unacknowledged: (count) => cde.n(count, { other: '# unbestätigt' }), eventsPerSecond: 'Ereignisse je Sekunde, Mittel von 5 min', waiting: 'Wartet an den Standorten', missing: 'Fehlt', dead: 'Unzustellbares',
  none: 'Noch ist kein Standort bekannt.', noneHint: 'Geben Sie der ersten Box auf dem Server ihren Zugang; der Standort erscheint hier, sobald es ihn gibt:', noMatch: 'Kein Standort passt zu diesem Filter.',
  oldest: (time) => `ältestes ${time}`, drain: (time) => `noch etwa ${time}`, moreReasons: (count) => cde.n(count, { one: '# weiterer Grund', other: '# weitere Gründe' }),
  since: (time) => `seit ${time}`, fresh: (site, state) => `${site}: ${state}`,
};

const es: typeof en = {
  title: 'Sedes', site: 'Sede', state: 'Estado', backlog: 'Pendientes', lastData: 'Últimos datos', alertsNow: 'Alertas ahora', completeness: 'Integridad', rate: 'Eventos/s (5 min)',
  allSites: 'Todas', filterHint: 'Nombre, identificador o qué falla', byState: 'Sedes por estado',
  counted: (shown, all) => (shown === all ? ces.n(all, { one: '# sede', other: '# sedes' }) : `${ces.n(shown, { other: '#' })} de ${ces.n(all, { one: '# sede', other: '# sedes' })}`),
  alertsOpen: 'Alertas abiertas', unacknowledged: (count) => ces.n(count, { other: '# sin atender' }), eventsPerSecond: 'Eventos por segundo, media de 5 min', waiting: 'En espera en las sedes', missing: 'Faltan', dead: 'No almacenables',
  none: 'Aún no se conoce ninguna sede.', noneHint: 'Dé al primer edge su credencial en el servidor; la sede aparece aquí en cuanto existe:', noMatch: 'Ninguna sede coincide con este filtro.',
  oldest: (time) => `el más antiguo ${time}`, drain: (time) => `quedan unos ${time}`, moreReasons: (count) => ces.n(count, { one: '# motivo más', other: '# motivos más' }),
  since: (time) => `desde hace ${time}`, fresh: (site, state) => `${site}: ${state}`,
};

const pl: typeof en = {
  title: 'Obiekty', site: 'Obiekt', state: 'Stan', backlog: 'Zaległości', lastData: 'Ostatnie dane', alertsNow: 'Alarmy teraz', completeness: 'Kompletność', rate: 'Zdarzenia/s (5 min)',
  allSites: 'Wszystkie', filterHint: 'Nazwa, identyfikator lub co jest nie tak', byState: 'Obiekty według stanu',
  counted: (shown, all) => (shown === all ? cpl.n(all, { one: '# obiekt', few: '# obiekty', many: '# obiektów', other: '# obiektu' }) : `${cpl.n(shown, { other: '#' })} z ${cpl.n(all, { one: '# obiektu', other: '# obiektów' })}`),
  alertsOpen: 'Otwarte alarmy', unacknowledged: (count) => cpl.n(count, { other: '# bez reakcji' }), eventsPerSecond: 'Zdarzenia na sekundę, średnia z 5 min', waiting: 'Czeka w obiektach', missing: 'Brakuje', dead: 'Niezapisane',
  none: 'Nie jest znany jeszcze żaden obiekt.', noneHint: 'Nadaj pierwszemu urządzeniu dostęp na serwerze; obiekt pojawi się tutaj, gdy powstanie:', noMatch: 'Żaden obiekt nie pasuje do tego filtra.',
  oldest: (time) => `najstarsze ${time}`, drain: (time) => `jeszcze około ${time}`, moreReasons: (count) => cpl.n(count, { one: 'jeszcze # powód', few: 'jeszcze # powody', many: 'jeszcze # powodów', other: 'jeszcze # powodu' }),
  since: (time) => `od ${time}`, fresh: (site, state) => `${site}: ${state}`,
};

export const fleet = { en, de, es, pl };
