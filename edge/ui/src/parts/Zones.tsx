// Each zone's risk now, and when its cameras were last heard. A table, so that it can be read aloud row by row.

import type { ZoneNow } from '../derive';
import { age, score } from '../format';
import { t } from '../i18n';
import { wall } from '../route';
import { link, now, site, zones } from '../store';
import { StateIcon } from '../../../../common/ui/parts/Icon';

/** A zone with more cameras than this names only those that are silent. */
const CAMERAS_SHOWN = 6;

export function Zones() {
  const list = zones.value;
  if (list.length === 0) return null;
  return (
    <section class="zones" aria-labelledby="zones-title">
      <h2 id="zones-title">{t.value.zones}</h2>
      <table>
        <caption class="visually-hidden">{t.value.zones}</caption>
        <thead>
          <tr><th scope="col">{t.value.zone}</th><th scope="col">{t.value.riskNow}</th><th scope="col">{t.value.lastSeen}</th></tr>
        </thead>
        <tbody>{list.map((zone) => <Row key={zone.zone_id} zone={zone} />)}</tbody>
      </table>
    </section>
  );
}

function Row({ zone }: { zone: ZoneNow }) {
  const kind = link.value.phase !== 'up' ? 'lost' : zone.alerts > 0 ? 'alert' : zone.nodata ? 'nodata' : 'quiet';
  const cameras = zone.cameras.length <= CAMERAS_SHOWN ? zone.cameras : zone.cameras.filter((one) => one.nodata);
  const threshold = site.value?.rules[0]?.threshold ?? 70;
  return (
    <tr class={`zone ${kind}`} data-zone-state={kind}>
      <th scope="row">
        <span class="zone-name"><StateIcon kind={kind} /> {zone.name}</span>
        <span class="zone-state">{t.value.state[kind]}</span>
      </th>
      <td class="zone-risk">
        {kind === 'lost' || zone.nodata || zone.risk === null ? t.value.none : (
          <>
            <strong>{score(zone.risk)}</strong>
            <meter min={0} max={100} high={threshold} value={zone.risk} aria-label={t.value.riskNow}>{score(zone.risk)}</meter>
          </>
        )}
      </td>
      <td class="zone-seen">
        <Seen at={zone.lastSeen} nodata={kind === 'lost' || zone.nodata} />
        {!wall.value && cameras.length > 0 && (
          <ul>
            {cameras.map((one) => (
              <li key={one.camera_id} class={one.nodata ? 'nodata' : ''}>
                {one.name}: <Seen at={one.lastSeen} nodata={kind === 'lost' || one.nodata} />{one.clockSuspect && ` · ${t.value.clockSuspect}`}
              </li>
            ))}
          </ul>
        )}
      </td>
    </tr>
  );
}

/** Nobody needs to see seconds count while all is well. */
const FRESH_MS = 15_000;

function Seen({ at, nodata }: { at: number | null; nodata: boolean }) {
  if (at === null) return <>{t.value.never}</>;
  const past = now.value - at;
  if (!nodata && past < FRESH_MS) return <>{t.value.now}</>;
  return <>{t.value.ago(age(past))}</>;
}
