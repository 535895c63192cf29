// How the boxes of a site come in: what their certificates are worth, and what mends it where something is wrong.

import { Command } from '../../../../common/ui/parts/Command';
import { joinToken } from '../commands';
import { clock, date } from '../format';
import { t } from '../i18n';
import { slow } from '../store';
import type { EdgeRow, SiteDetail } from '../wire';

/** A copy that did not come for so long has been dealt with. */
const COPY_SHOWN_MS = 7 * 86_400_000;

const over = (edge: EdgeRow) => edge.certificate_until !== null && Date.parse(edge.certificate_until) <= slow.value;
const copied = (edge: EdgeRow) => edge.copy_seen_at !== null && slow.value - Date.parse(edge.copy_seen_at) < COPY_SHOWN_MS;

export function Certificate({ edge, zone }: { edge: EdgeRow; zone: string }) {
  const words = t.value.site;
  const { certificate_until: until, certificate_renewed_at: renewed } = edge;
  if (until === null) return <span class="dim">{words.byToken}</span>;
  return (
    <>
      <span class={over(edge) ? 'worrying' : ''}>{over(edge) ? words.ended(date(until, zone)) : words.until(date(until, zone))}</span>
      <span class="reason dim">{renewed === null ? words.joinedWith : words.renewed(date(renewed, zone))}</span>
    </>
  );
}

/** What of it wants somebody, with the command that mends it. */
export function Standing({ site, zone }: { site: SiteDetail; zone: string }) {
  const words = t.value.site;
  const id = site.warehouse_id;
  const name = (edge: { name: string | null; edge_id: string }) => <strong>{edge.name ?? edge.edge_id.slice(0, 8)}</strong>;
  const items = [
    ...site.edge_list.filter(copied).map((edge) => (
      <li key={`copy ${edge.edge_id}`} data-testid="copy">
        <p>{name(edge)}: {words.copySeen(clock(edge.copy_seen_at!, slow.value, zone))}</p>
        <Command text={joinToken(id)} hint={words.copyHint} />
      </li>
    )),
    ...site.edge_list.filter(over).map((edge) => (
      <li key={`over ${edge.edge_id}`} data-testid="certificate-over">
        <p>{name(edge)}: {words.ended(date(edge.certificate_until!, zone))}. {words.comesBack}</p>
        <Command text={joinToken(id, edge.edge_id)} hint={words.enrolHint} />
      </li>
    )),
    ...site.shut_out.map((edge) => (
      <li key={`out ${edge.edge_id}`} data-testid="shut-out">
        <p>{words.shutOut}: {name(edge)}, {words.shutOutSince(clock(edge.at, slow.value, zone))}</p>
        <Command text={joinToken(id, edge.edge_id)} hint={words.enrolHint} />
      </li>
    )),
  ];
  return items.length === 0 ? null : <ul class="standing">{items}</ul>;
}
