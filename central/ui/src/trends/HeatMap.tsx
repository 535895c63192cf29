// Zone by hour of the site's day. The colour is a help: the value stands in each cell, and all that is known of the cell under
// the keyboard's or the pointer's focus is said below.

import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { t } from '../i18n';
import { known, measure, step, STEPS, type Measure } from './figures';
import { HOURS, moved, rows, type Place } from './grid';
import type { Figures, HeatMap as Map } from './wire';
import { reading, without, written, zoneName } from './words';

const hour = (value: number) => `${String(value % 24).padStart(2, '0')}:00`;

export function HeatMap({ map, show }: { map: Map; show: Measure }) {
  const at = useSignal<Place>({ row: 0, hour: 8 });
  const looked = useSignal<Place | null>(null);
  const table = useRef<HTMLTableElement>(null);
  const lines = rows(map);
  const w = t.value.figures;
  const place = looked.value ?? at.value;
  const line = lines[Math.min(place.row, lines.length - 1)];
  const onKeyDown = (event: KeyboardEvent) => {
    const next = event.ctrlKey || event.metaKey || event.altKey ? null : moved(event.key, at.value, lines.length);
    if (!next) return;
    event.preventDefault();
    looked.value = null;
    at.value = next;
    table.current?.querySelector<HTMLElement>(`[data-place="${next.row} ${next.hour}"]`)?.focus();
  };
  return (
    <>
      <div class="scroll heat-scroll">
        <table class="heat" role="grid" aria-label={w.view.heatmap} ref={table} onKeyDown={onKeyDown} onPointerLeave={() => (looked.value = null)} data-testid="heatmap">
          <thead>
            <tr>
              <th scope="col">{w.zone}</th>
              {Array.from({ length: HOURS }, (_, own) => <th key={own} scope="col"><span class="visually-hidden">{w.between(hour(own), hour(own + 1))}</span><span aria-hidden="true">{own}</span></th>)}
            </tr>
          </thead>
          <tbody>
            {lines.map((own, row) => (
              <tr key={own.zone_id}>
                <th scope="row">{zoneName(own)}</th>
                {own.cells.map((figures, index) => (
                  <Cell key={index} figures={figures} show={show} place={{ row, hour: index }} here={at.value.row === row && at.value.hour === index}
                    focused={() => ((at.value = { row, hour: index }), (looked.value = null))} looked={() => (looked.value = { row, hour: index })} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="reading" aria-live="polite" data-testid="reading">
        {line && <><strong>{zoneName(line)}, {w.between(hour(place.hour), hour(place.hour + 1))}</strong> {reading(line.cells[place.hour] ?? null)}</>}
      </p>
      <Legend show={show} />
      <p class="dim">{w.gridHint} {w.fewWhy} {w.nodataWhy}</p>
    </>
  );
}

interface CellProps {
  figures: Figures | null;
  show: Measure;
  place: Place;
  here: boolean;
  focused: () => void;
  looked: () => void;
}

function Cell({ figures, show, place, here, focused, looked }: CellProps) {
  const value = figures && measure(figures, show);
  const kind = figures === null ? 'nodata' : known(figures);
  const look = value === null ? kind : `step-${step(value, show)}`;
  const missing = without(figures);
  return (
    <td class={`cell ${look}`} data-place={`${place.row} ${place.hour}`} data-cell={kind} tabIndex={here ? 0 : -1} onFocus={focused} onPointerEnter={looked} onClick={focused}>
      {value !== null ? short(value, show) : (
        <><span aria-hidden="true">{kind === 'suppressed' ? t.value.figures.fewShort : '·'}</span><span class="visually-hidden">{missing ?? t.value.figures.unknown}</span></>
      )}
    </td>
  );
}

/** Two or three digits: a cell is no wider. */
const short = (value: number, show: Measure) => (show !== 'at_risk' ? String(Math.round(value)) : value > 0 && value < 0.005 ? '<1' : String(Math.round(value * 100)));

function Legend({ show }: { show: Measure }) {
  const w = t.value.figures;
  const bounds = STEPS[show].map((bound) => written(bound, show));
  const texts = [w.stepUnder(bounds[0]!), ...bounds.slice(1).map((to, index) => w.stepBetween(bounds[index]!, to)), w.stepOver(bounds[bounds.length - 1]!)];
  return (
    <ul class="heat-legend" aria-label={w.legend}>
      {texts.map((text, index) => <li key={text}><span class={`swatch step-${index}`} aria-hidden="true" />{text}</li>)}
      <li><span class="swatch suppressed" aria-hidden="true">{w.fewShort}</span>{w.few}</li>
      <li><span class="swatch nodata" aria-hidden="true">·</span>{w.nodata}</li>
    </ul>
  );
}
