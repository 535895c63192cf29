// Two periods, each difference in words. Where one of them was seen less, that is said before anything else.

import { useMemo } from 'preact/hooks';
import { Shape, SHAPES } from '../../../../common/ui/parts/Icon';
import { day, time } from '../format';
import { language, t } from '../i18n';
import { Table, type Column } from '../parts/Table';
import { FiguresTable } from './FiguresTable';
import { compare, isCompared, type Subject } from './verdict';
import type { Range } from '../range';
import type { Pair } from './periods';
import type { Comparison, Figures } from './wire';
import { cautionWords, changeWords, coverage, sentence, written, zoneName } from './words';

const SUBJECTS: readonly Subject[] = ['mean', 'p95', 'max', 'at_risk'];

export function Compare({ answer, periods }: { answer: Comparison; periods: Pair }) {
  const w = t.value.figures;
  const [after, before] = [answer.a, answer.b];
  const care = cautionWords(after, before);
  return (
    <>
      {care && <p class="notice" role="note" data-testid="caution">{care}</p>}
      <ul class="differences" data-testid="differences">
        {SUBJECTS.map((subject) => <li key={subject} class={compare(after, before, subject).kind}>{sentence(after, before, subject)}</li>)}
      </ul>
      <FiguresTable id="periods" caption={w.view.compare} head={w.periodsWord} byName={false} rows={[
        { key: 'before', name: `${w.before}: ${period(periods.before, answer.time_zone)}`, figures: before },
        { key: 'now', name: `${w.now}: ${period(periods.now, answer.time_zone)}`, figures: after },
      ]} />
      {answer.zones.length > 0 && <Zones zones={answer.zones} />}
    </>
  );
}

function Zones({ zones }: { zones: Comparison['zones'] }) {
  const w = t.value.figures;
  const columns = useMemo((): Column<Comparison['zones'][number]>[] => [
    { key: 'zone', head: w.zone, value: zoneName, cell: zoneName },
    { key: 'mean', head: w.subject.mean, value: ({ a, b }) => order(a, b, 'mean'), down: true, cell: ({ a, b }) => <Difference after={a} before={b} subject="mean" /> },
    { key: 'at_risk', head: w.subject.at_risk, value: ({ a, b }) => order(a, b, 'at_risk'), down: true, cell: ({ a, b }) => <Difference after={a} before={b} subject="at_risk" /> },
    { key: 'coverage', head: w.coverage, cell: ({ a, b }) => <>{coverage(b.coverage)} → {coverage(a.coverage)}{cautionWords(a, b) && <span class="care" title={cautionWords(a, b)!}> <Shape d={SHAPES.check} /><span class="visually-hidden">{cautionWords(a, b)}</span></span>}</> },
  ], [language.value]);
  return <><h2>{w.zones}</h2><Table id="compared" caption={w.zones} columns={columns} rows={zones} rowKey={({ zone_id }) => zone_id} sortParam="compared-sort" /></>;
}

/** By how much it rose; `null` where that is not known. */
function order(after: Figures, before: Figures, subject: Subject): number | null {
  const verdict = compare(after, before, subject);
  return isCompared(verdict) ? verdict.after - verdict.before : null;
}

function Difference({ after, before, subject }: { after: Figures; before: Figures; subject: Subject }) {
  const verdict = compare(after, before, subject);
  if (!isCompared(verdict)) return <span class={`why ${verdict.kind}`}>{changeWords(verdict)}</span>;
  return <><strong>{written(verdict.before, subject)} → {written(verdict.after, subject)}</strong> {changeWords(verdict)}</>;
}

/** "Mon, 23 Nov 00:00 – Wed, 25 Nov 09:30", in the site's time. */
export const period = ({ from, to }: Range, zone: string) => `${day(from, zone)} ${time(from, zone)} – ${day(to, zone)} ${time(to, zone)}`;
